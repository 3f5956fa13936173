"""A planted truth in the space of PNAS (Liu et al. 2018, Sec. 3), of which no table exists.

The gain of a cell is the sum of its blocks'; its accuracy rises from 82 % towards 95 % with the gain,
each unit leaving 1/e of the missing rest. A block gains by its two operations and by their inputs:

* separable: a worth of each operation, a worth of each kind of input (previous-previous, previous, a
  block), nothing else. Block-averaging surrogates see all of it: a test of a search, not evidence for one.
* entangled: besides, pairs of operations in one block suit each other or do not, and an operation that
  reads a block suits that block's operations or does not: worth as much again as operations alone.

Worths are drawn from a fixed seed, the same for both. A measurement adds normal noise of 0.4 points: about
the difference of good cells of NAS-Bench-201 between two trainings of 12 epochs (0.3), and the sampling error
of the paper's 5,000 validation images (0.4). Nothing is trained, trials cost no simulated seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.benchmarks.benchmark import Benchmark
from cambrian.errors import UsageError
from cambrian.estimators.estimator import Estimate, Job
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.isomorphism import Block
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS
from cambrian.spaces.knowledge import Encodes, know

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

WORST, BEST, SCALE = 0.82, 0.95, 1.0
INPUTS = 2  # of the cell: the outputs of the two cells before
SLOTS = ("input", "input", "operation", "operation")


@dataclass(frozen=True)
class Worths:
    """`operation` [8], `source` [3] (previous-previous, previous, a block), `pair` [8, 8] symmetric,
    `reading` [8, 8, 8]: operation, and the block's two operations, in which it is symmetric."""

    operation: NDArray[np.float64]
    source: NDArray[np.float64]
    pair: NDArray[np.float64]
    reading: NDArray[np.float64]


@cache
def worths(entangled: bool) -> Worths:
    # All are drawn for both truths, so that these share the worths of operations and inputs.
    rng, n = stream(2018, "planted"), len(OPERATIONS)
    operation, source = 0.1 * rng.standard_normal(n), 0.03 * rng.standard_normal(INPUTS + 1)
    pair, reading = 0.1 * rng.standard_normal((n, n)), 0.1 * rng.standard_normal((n, n, n))
    factor = 1.0 if entangled else 0.0
    return Worths(
        operation,
        source,
        factor * (pair + pair.T) / math.sqrt(2),
        factor * (reading + reading.transpose(0, 2, 1)) / math.sqrt(2),
    )


def truth(cell: Sequence[Block], entangled: bool) -> float:
    """The accuracy of a cell, a fraction, without noise."""
    gain = sum(_gain(cell, block, worths(entangled)) for block in cell)
    return _accuracy(gain)


def _accuracy(gain: float) -> float:
    return BEST - (BEST - WORST) * math.exp(-(gain + 0.5) / SCALE)


def _gain(cell: Sequence[Block], block: Block, worth: Worths) -> float:
    i1, i2, o1, o2 = block
    gain = 0.15 + float(worth.pair[o1, o2])
    for source, operation in ((i1, o1), (i2, o2)):
        gain += float(worth.operation[operation] + worth.source[min(source, INPUTS)])
        if source >= INPUTS:
            gain += float(worth.reading[operation][cell[source - INPUTS][2:]])
    return gain


def blocks_of(space: Space, architecture: Architecture) -> list[Block]:
    """The cell as its space's tokens have it. Raises UsageError for tokens that are not those of blocks of
    two of PNAS's operations."""
    encodes = know(space, Encodes)
    slots = None if encodes is None else encodes.slots
    # By tokens, not by class: any space whose tokens are these blocks can be searched.
    if encodes is None or slots != SLOTS or encodes.vocabulary["operation"] != len(OPERATIONS):
        raise UsageError(
            f"the planted truth is of blocks of tokens {SLOTS} of {len(OPERATIONS)} operations, as PNAS has "
            f"them: {type(space).__name__} has {slots}"
        )
    return [(i1, i2, o1, o2) for i1, i2, o1, o2 in encodes.tokens([architecture])[0].tolist()]


@dataclass(frozen=True)
class Planted:
    """`noise` is the standard deviation of a measurement; the same trial of the same search repeats."""

    entangled: bool = True
    noise: float = 0.004
    needs: ClassVar[tuple[type, ...]] = (Encodes,)
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        cell = blocks_of(job.space, job.architecture)
        # By the job's identity: an architecture measured again in one search is a repeat, not another draw.
        error = self.noise * stream(job.seed, "planted", job.identity).standard_normal()
        yield from ()
        return Done(truth(cell, self.entangled) + float(error))


def optimum(entangled: bool, blocks: int) -> float:
    """The highest truth of a cell of at most so many blocks, exactly: branch and bound over the kinds of
    block (unordered pairs of operations), which is all that matters of a block to those that read it."""
    worth, n = worths(entangled), len(OPERATIONS)
    kinds = [(a, b) for a in range(n) for b in range(a, n)]
    cell_inputs = worth.operation + worth.source[:INPUTS].max()  # [8] an operation's best without blocks
    reading = worth.operation[:, None, None] + worth.source[INPUTS] + worth.reading  # [8, 8, 8]

    def gains(best: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gain of every kind of block, each operation at its best input."""
        return np.array([0.15 + worth.pair[a, b] + best[a] + best[b] for a, b in kinds])

    ceiling = float(gains(np.maximum(cell_inputs, reading.max(axis=(1, 2)))).max())
    highest = -math.inf

    def search(best: NDArray[np.float64], gain: float, left: int) -> None:
        nonlocal highest
        highest = max(highest, gain) if gain else highest
        # The bound: no further block gains more than the best block with every reading at hand.
        if not left or gain + left * ceiling <= highest:
            return
        each = gains(best)
        # The best first: a high gain found early cuts off the rest.
        for k in np.argsort(-each).tolist():
            search(np.maximum(best, reading[:, *kinds[k]]), gain + float(each[k]), left - 1)

    search(cell_inputs, 0.0, blocks)
    return _accuracy(highest)


def make_entangled() -> Benchmark:
    """The truth in which blocks suit each other or do not."""
    return _benchmark("planted", True)


def make_separable() -> Benchmark:
    """The truth of single blocks, which suits a surrogate that averages blocks: never a headline."""
    return _benchmark("planted-separable", False)


def _benchmark(name: str, kind: bool) -> Benchmark:
    space = PNAS()

    def test(architecture: Architecture) -> float:
        """The truth, in percent."""
        return 100 * truth(space.cell(architecture), kind)

    return Benchmark(name, space, Planted(kind), test, 100 * optimum(kind, space.blocks), Fidelity(20))
