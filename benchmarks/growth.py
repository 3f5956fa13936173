"""Speed of growing one level of cells into the distinct cells of the next: arrays against plain Python.

    python benchmarks/growth.py [--parents 256] [--plain 4] [--repeats 5]

Both ways expand the same random cells of four blocks by every fifth block and drop repeated cells, in one
run, taking turns. Plain Python gets fewer parents and is scaled by their number.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from cambrian.architecture import Architecture, replay
from cambrian.randomness import stream
from cambrian.spaces.cells.pnas import PNAS


def plain(space: PNAS, parents: Sequence[Architecture]) -> list[Architecture]:
    """A loop over parents and blocks, an architecture and its canonical text for each child."""
    first: dict[str, Architecture] = {}
    for parent in parents:
        cell = space.cell(parent)
        operands = list(itertools.product(range(len(cell) + 2), range(len(space.operations))))
        for (i1, o1), (i2, o2) in itertools.combinations_with_replacement(operands, 2):
            child = space.architecture([*cell, (i1, i2, o1, o2)])
            first.setdefault(space.canonical(child), child)
    return list(first.values())


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parents", type=int, default=256)
    parser.add_argument("--plain", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    space, rng = PNAS(), stream(0, "growth")
    four = PNAS(blocks=4)
    parents = [replay(four, {"blocks": 4}, lambda c: c.draw(rng)) for _ in range(args.parents)]
    few = parents[: args.plain]
    # The two ways must agree before their times mean anything.
    expected = plain(space, few)
    pool = space.grow(few, np.random.default_rng(0))
    assert [pool.architecture(i) for i in range(len(pool))] == expected, "the two ways disagree"

    times: dict[str, list[float]] = {"arrays": [], "plain": []}
    for _ in range(args.repeats):
        # In turns: another load on the machine then slows both.
        times["arrays"].append(seconds(lambda: space.grow(parents, np.random.default_rng(0))))
        times["plain"].append(seconds(lambda: plain(space, few)) * len(parents) / len(few))
    pool = space.grow(parents, np.random.default_rng(0))
    arrays, python = (statistics.median(times[way]) for way in ("arrays", "plain"))
    # Linux gives KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"children       {pool.before:,} of {len(parents)} parents, {len(pool):,} distinct")
    print(f"arrays         {arrays:.3f} s")
    print(f"plain Python   {python:.1f} s (from {len(few)} parents)")
    print(f"ratio          {python / arrays:.0f}x")
    print(f"peak memory    {peak:.0f} MiB")


if __name__ == "__main__":
    main()
