"""The cells of `pnas-bench` and the order of their trainings (see pnas_bench.py). Both belong to the table,
and do not change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cambrian.randomness import stream
from cambrian.spaces.cells.pnas import PNAS

SPACE = PNAS(blocks=5)
SIZES = {2: 250, 3: 450, 4: 800, 5: 1364}
"""Cells of each number of blocks, about 1.8 times as many as of one block less, so that those that a search
keeps have more children in the table than it can train; with the 136 of one block they are 3,000."""
REPLICATES = 3
ONE_BLOCK_REPLICATED, EACH_REPLICATED = 30, 20

Cell = tuple[tuple[int, ...], ...]  # blocks (I1, I2, O1, O2)
Item = tuple[Cell, int]  # a cell and the number of its training


def list_items(cells: int) -> list[Item]:
    """All trainings in their order, until so many cells are among them."""
    items: list[Item] = []
    seen: set[Cell] = set()
    for cell, replicate in order_items():
        if cell not in seen and len(seen) == cells:
            break
        seen.add(cell)
        items.append((cell, replicate))
    return items


def order_items() -> Iterator[Item]:
    ones = list_one_block()
    yield from ((cell, 0) for cell in ones)
    chosen = sorted(stream(0, "pnas-bench", "replicates").permutation(len(ones))[:ONE_BLOCK_REPLICATED])
    for replicate in range(1, REPLICATES):
        yield from ((ones[n], replicate) for n in chosen)
    sampled = dict.fromkeys(SIZES, 0)
    for cell in sample_cells(ones):
        sampled[len(cell)] += 1
        times = REPLICATES if sampled[len(cell)] <= EACH_REPLICATED else 1
        yield from ((cell, replicate) for replicate in range(times))


def list_one_block() -> list[Cell]:
    """The 136 cells of one block."""
    return [(tuple(block),) for block in SPACE.form.new(0).tolist()]


def sample_cells(ones: list[Cell]) -> Iterator[Cell]:
    """Different cells of two to five blocks in turn, until there are enough of each."""
    rng = stream(0, "pnas-bench", "cells")
    levels: dict[int, list[Cell]] = {1: ones} | {blocks: [] for blocks in SIZES}
    seen: set[str] = set()
    while any(len(levels[blocks]) < size for blocks, size in SIZES.items()):
        for blocks in SIZES:
            if len(levels[blocks]) < SIZES[blocks]:
                levels[blocks].append(_grow(levels[blocks - 1], seen, rng))
                yield levels[blocks][-1]


def _grow(parents: list[Cell], seen: set[str], rng: np.random.Generator) -> Cell:
    """One of `parents` with one more block, a cell that is not among those `seen`, by whatever order of
    blocks."""
    while True:
        parent = parents[rng.integers(len(parents))]
        steps = SPACE.form.new(len(parent))
        cell = (*parent, tuple(steps[rng.integers(len(steps))].tolist()))
        form = SPACE.canonical(SPACE.architecture(cell))
        if form not in seen:
            seen.add(form)
            return cell
