"""The planted truth against brute force: its optimum, what it does not depend on, and its noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cambrian.architecture import Architecture, completions, sample
from cambrian.benchmarks import Benchmark, benchmark, play
from cambrian.benchmarks.planted import Planted, optimum, truth
from cambrian.errors import DataError, UsageError
from cambrian.estimators.estimator import Job
from cambrian.estimators.function import Function
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.testing import EstimatorCase, EstimatorSuite


def outcome(estimator, space, architecture, seed, trial):
    estimate = estimator.run(Job.of(space, architecture, Fidelity(20), seed=seed, replicate=trial))
    with pytest.raises(StopIteration) as end:
        next(estimate)
    return end.value.value.value


@pytest.mark.parametrize("entangled", [True, False])
def test_the_optimum_of_two_blocks(entangled):
    """Branch and bound finds what scoring all 147,712 ordered cells of one and two blocks finds."""
    first = [(a, b, c, d) for a in (0, 1) for b in (0, 1) for c in range(8) for d in range(8)]
    second = [(a, b, c, d) for a in range(3) for b in range(3) for c in range(8) for d in range(8)]
    alone = max(truth([one], entangled) for one in first)
    assert optimum(entangled, 1) == pytest.approx(alone)
    kinds = {one[2:]: one for one in sorted(first, key=lambda one: truth([one], entangled))}
    both = max(truth([one, two], entangled) for one in kinds.values() for two in second)
    assert optimum(entangled, 2) == pytest.approx(max(alone, both))


@pytest.mark.parametrize("name", ["planted", "planted-separable"])
def test_nothing_beats_the_optimum(name):
    """No cell drawn, and none climbed to from there by exchanging one answer, is above it; the climb
    comes close."""
    found = benchmark(name)
    drawn = [sample(found.space, stream(n, "optimum")) for n in range(400)]
    best = max(drawn, key=found.test)
    for _ in range(12):
        near = [
            Architecture({**best, path: answer})
            for path in best
            if path != "blocks"
            for answer in (
                found.space.operations if "operation" in path else [*found.space.form.states[:2], best[path]]
            )
        ]
        best = max([best, *near], key=found.test)
    assert found.test(best) <= found.optimum
    assert found.test(best) > found.optimum - 1.5


@pytest.mark.parametrize("name", ["planted", "planted-separable"])
def test_cells_of_one_function_have_one_truth(name):
    """Neither the order of operands nor of blocks matters: all ordered cells of two blocks over two
    operations, by their canonical text."""
    found, small = benchmark(name), PNAS(blocks=2, operations=("sep3x3", "max3x3"))
    truths = {}
    for cell in completions(small, {}):
        truths.setdefault(small.canonical(cell), set()).add(round(found.test(cell), 9))
    assert len(truths) == 10 + 165
    assert all(len(values) == 1 for values in truths.values())


def test_only_one_variant_adds_up():
    """Fitting gains by what blocks count explains the separable truth wholly, the other one in part."""
    space = PNAS()
    cells = [c for c in (sample(space, stream(n, "linear")) for n in range(3000)) if space.level(c) == 5]
    counts = np.zeros((len(cells), 8 + 3))
    for row, architecture in zip(counts, cells, strict=True):
        for i1, i2, o1, o2 in space.cell(architecture):
            for source, operation in ((i1, o1), (i2, o2)):
                row[operation] += 1
                row[8 + min(source, 2)] += 1
    explained = {}
    for entangled in (True, False):
        gains = np.array([-np.log(0.95 - truth(space.cell(c), entangled)) for c in cells])
        fitted = counts @ np.linalg.lstsq(counts, gains, rcond=None)[0]
        explained[entangled] = 1 - np.var(gains - fitted) / np.var(gains)
    assert explained[False] > 1 - 1e-9
    assert 0.2 < explained[True] < 0.8


def test_noise_is_that_of_training():
    """0.4 points, around the truth, drawn from the search's seed and the trial's number alone."""
    found = benchmark("planted")
    cell = sample(found.space, stream(0, "noise"))
    values = [100 * outcome(found.estimator, found.space, cell, 1, trial) for trial in range(2000)]
    assert np.std(values) == pytest.approx(0.4, abs=4 * 0.4 / np.sqrt(2 * 2000))
    assert np.mean(values) == pytest.approx(found.test(cell), abs=4 * 0.4 / np.sqrt(2000))
    assert 100 * outcome(found.estimator, found.space, cell, 1, 7) == values[7]
    assert outcome(Planted(noise=0.0), found.space, cell, 1, 7) == pytest.approx(found.test(cell) / 100)


def test_accuracies_are_those_of_a_search():
    """One block is worth about 88 %, as a first level is; larger cells 88 to 94 %."""
    found = benchmark("planted")
    pool = found.space.grow((), stream(0))
    first = [found.test(pool.architecture(i)) for i in range(len(pool))]
    assert 87 < np.mean(first) < 89
    large = [found.test(sample(found.space, stream(n, "larger"))) for n in range(300)]
    assert 88 < np.percentile(large, 5) < np.percentile(large, 95) < 94


@pytest.mark.parametrize("space", [TinyChain(), DARTS(), PNAS(operations=("identity", "max3x3"))])
def test_other_spaces_are_refused(space):
    """In a sentence: the truth is of blocks of two of eight operations."""
    with pytest.raises(UsageError, match="the planted truth is of blocks"):
        outcome(Planted(), space, sample(space, stream(0, "others")), 1, 0)


class TestPlanted(EstimatorSuite):
    """An estimator like any other."""

    def case(self):
        return EstimatorCase(Planted(), PNAS(), builds=False)


def test_a_benchmark_is_played_by_its_name() -> None:
    """As the command line has it."""
    one, other = (play(each, "random", budget=4, seed=1) for each in ("planted", benchmark("planted")))
    assert one.value.tolist() == other.value.tolist()


def make_chains() -> Benchmark:
    """A benchmark of a user's own, as a function of a module."""
    return Benchmark("chains", TinyChain(), Function(f"{__name__}:count", builds=False), count, 4.0)


def count(architecture: Architecture) -> float:
    return float(len(architecture))


def test_a_benchmark_of_ones_own_is_named_as_a_function() -> None:
    """It is played on as those by name are; what is no benchmark, or the other direction, is refused."""
    played = play(benchmark(f"{__name__}:make_chains"), "random", budget=4, seed=0)
    assert len(played.test) == 4
    with pytest.raises(UsageError, match="is a 'str': write a function"):
        benchmark(f"{__name__}:__name__")
    with pytest.raises(UsageError, match=f"{__name__}:make_chains' is maximised"):
        benchmark(f"{__name__}:make_chains", minimize=True)
    with pytest.raises(UsageError, match="did you mean 'make_chains'"):
        benchmark(f"{__name__}:make_chain")


def test_a_file_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another kind is refused as a table, and not looked for as `mine/txt.py`."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot load benchmark 'mine\.txt:loss'"):
        benchmark("mine.txt:loss")
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(DataError):
        benchmark("mine.txt:loss")
