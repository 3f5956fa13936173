"""A table of PNAS's cells (Liu et al., ECCV 2018), each trained on Fashion-MNIST: `pnas-bench`.

    python benchmarks/pnas_bench.py train --out runs/pnas-bench [--cells 3000] [--share 1/2] [--hours 8]
    python benchmarks/pnas_bench.py pack runs/pnas-bench [--to FILE.npz]

`train` appends a line for each training to a file in the folder `--out`, and goes on where it was stopped or
killed; `--share 2/3` trains every third, from the second on, so that several processes or machines divide the
work (copy their files into one folder). `pack` makes one file of all lines, with its card beside it, and
prints the card: what was trained, how much of the differences is noise, and the checks.

The order makes every beginning useful: all 136 cells of one block; thirty of them twice more; then cells of
two to five blocks in turn, the first twenty of each three times. A cell of b blocks is one of b - 1 blocks
with one block more, both drawn evenly, so that the first blocks of every cell are a row too and a search can
grow cells.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import cambrian
from cambrian.estimators.build import build_measured
from cambrian.estimators.job import Job
from cambrian.estimators.scoring import score_network
from cambrian.estimators.training_run import start_training
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Fidelity, Infeasible
from cambrian.randomness import stream
from cambrian.spaces.cells.pnas import PNAS
from cambrian.tasks.task import Task

SPACE = PNAS(blocks=5)
DATA: dict[str, Any] = {"name": "fashion-mnist", "size": 14, "limit": 10_000, "validation": 5_000, "seed": 0}
"""Of the data set's 60,000 training images, 5,000 are trained on and 5,000 are the validation part."""
SKELETON: dict[str, Any] = {"filters": 8, "cells": 2}
EPOCHS = 4
RECIPE: dict[str, Any] = {"learning_rate": 0.1, "batch_size": 64, "crop": 1, "flip": False}
SETTING = {"data": DATA, "skeleton": SKELETON, "epochs": EPOCHS, "recipe": RECIPE, "version": 1}
SIZES = {2: 250, 3: 450, 4: 800, 5: 1364}
"""Cells of each number of blocks, about 1.8 times as many as of one block less, so that those that a search
keeps have more children in the table than it can train; with the 136 of one block they are 3,000."""
REPLICATES = 3
ONE_BLOCK_REPLICATED, EACH_REPLICATED = 30, 20

Cell = tuple[tuple[int, ...], ...]  # blocks (I1, I2, O1, O2)
Item = tuple[Cell, int]  # a cell and the number of its training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.add_argument("--out", type=Path, default=Path("runs/pnas-bench"))
    train.add_argument("--cells", type=int, default=136 + sum(SIZES.values()))
    train.add_argument("--share", type=read_share, default=(0, 1), metavar="K/N")
    train.add_argument("--hours", type=float, default=float("inf"), help="begin no training after so long")
    train.set_defaults(run=run_trainings)
    packing = commands.add_parser("pack")
    packing.add_argument("folder", type=Path)
    packing.add_argument("--to", type=Path, default=Path("pnas_bench.npz"))
    packing.set_defaults(run=lambda asked: pack_rows(asked.folder, asked.to))
    asked = parser.parse_args()
    asked.run(asked)


def read_share(text: str) -> tuple[int, int]:
    """`2/3` is (1, 3): the second of three shares."""
    try:
        share, shares = map(int, text.split("/"))
    except ValueError:
        share, shares = 0, 0
    if not 1 <= share <= shares:
        raise argparse.ArgumentTypeError(f"--share is K/N with K from 1 to N, as 1/2, got {text!r}")
    return share - 1, shares


# The order


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


# The trainings


def run_trainings(asked: argparse.Namespace) -> None:
    share, shares = asked.share
    path = asked.out / f"rows-{share + 1}-of-{shares}.jsonl"
    asked.out.mkdir(parents=True, exist_ok=True)
    done = {(row["cell"], row["replicate"]) for row in read_folder(asked.out)}
    items = [item for item in list_items(asked.cells)[share::shares] if item not in done]
    print(f"{path}: {len(done)} trainings are done, {len(items)} to go", flush=True)
    open_rows(path)
    task = load_task()
    began = time.monotonic()
    for number, (cell, replicate) in enumerate(items, 1):
        if time.monotonic() - began > 3600 * asked.hours:
            break
        row = {"cell": cell, "replicate": replicate, **train_cell(cell, replicate, task)}
        append_line(path, row)
        print(f"{number}/{len(items)} {len(cell)} blocks: {row['validation'][-1]:.4f}", flush=True)


def load_task() -> Task:
    settings = dict(DATA)
    return cambrian.load(settings.pop("name"), **settings)


def train_cell(cell: Cell, replicate: int, task: Task) -> dict[str, Any]:
    """The curve of one training, and the test score of its last epoch. Seconds are processor time, which
    other work on the machine disturbs less, of training and validation."""
    fidelity, recipe = Fidelity(epochs=EPOCHS, skeleton=SKELETON), Recipe(**RECIPE)
    job = Job.of(SPACE, SPACE.architecture(cell), fidelity, task, replicate=replicate)
    built = build_measured(job)
    assert not isinstance(built, Infeasible)  # there are no limits
    training = start_training(built.network, recipe, job, task)
    curves: dict[str, list[float]] = {
        "train_loss": [],
        "validation": [],
        "validation_loss": [],
        "seconds": [],
    }
    began = time.process_time()
    while not training.finished:
        loss = training.run_epoch()
        scored = score_network(built.network, recipe, task, job)
        point = loss, scored["accuracy"], scored["loss"], time.process_time() - began
        for name, value in zip(curves, point, strict=True):
            curves[name].append(round(value, 5))
    # Validation never decides anything here, so the network itself may be tested.
    test = score_network(built.network, recipe, task, dataclasses.replace(job, stage="deliver"))
    sizes = {name: int(built.metrics[name]) for name in ("params", "macs")}
    return {**curves, "test": round(test["accuracy"], 5), **sizes}


# The files of rows


def open_rows(path: Path) -> None:
    """Begin the file with the setting, or cut off a last line that a kill left unfinished."""
    if not path.exists():
        append_line(path, SETTING)
        return
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        os.truncate(path, end)
    if end == 0:
        append_line(path, SETTING)


def append_line(path: Path, value: Any) -> None:
    """One write, and on the disk before the next training begins."""
    with path.open("ab") as file:
        file.write(json.dumps(value).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_folder(folder: Path) -> list[dict[str, Any]]:
    """The rows of all files, in the order of the files; `cell` as tuples."""
    return [row for path in sorted(folder.glob("rows-*.jsonl")) for row in read_rows(path)]


def read_rows(path: Path) -> list[dict[str, Any]]:
    complete = path.read_bytes().rpartition(b"\n")[0].splitlines()  # the last one may be unfinished
    lines = [json.loads(line) for line in complete]
    if lines and lines[0] != json.loads(json.dumps(SETTING)):
        raise SystemExit(f"{path} has rows of another setting, {lines[0]}: give another folder")
    return [{**line, "cell": tuple(map(tuple, line["cell"]))} for line in lines[1:]]


# The packed table


def pack_rows(folder: Path, target: Path) -> None:
    rows = read_folder(folder)
    if not rows:
        raise SystemExit(f"{folder} has no rows: `train --out {folder}` makes them")
    card = describe(rows)
    arrays = make_arrays(rows)
    with target.open("wb") as file:
        np.savez_compressed(file, **arrays)
    target.with_suffix(".md").write_text(card)
    print(card)
    print(f"{target}: {len(arrays['cells'])} cells, {target.stat().st_size:,} bytes")


def make_arrays(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A row for the first training of each cell, in the order of the trainings; of the further ones the curve
    and the test score in arrays of their own, with the number of the cell's row."""
    place = {item: n for n, item in enumerate(order_items())}
    # A training that several processes did is kept once: they are the same numbers.
    unique = {(row["cell"], row["replicate"]): row for row in rows}
    ordered = [unique[item] for item in sorted(unique, key=place.__getitem__)]
    first = [row for row in ordered if row["replicate"] == 0]
    number = {row["cell"]: n for n, row in enumerate(first)}
    again = [row for row in ordered if row["replicate"] and row["cell"] in number]
    cells = np.full((len(first), SPACE.blocks, 4), -1, np.int8)
    for n, row in enumerate(first):
        cells[n, : len(row["cell"])] = row["cell"]
    curves = ("train_loss", "validation", "validation_loss", "seconds")
    return {
        "cells": cells,
        **{name: np.array([row[name] for row in first], np.float32) for name in (*curves, "test")},
        **{name: np.array([row[name] for row in first], np.int32) for name in ("params", "macs")},
        "again_row": np.array([number[row["cell"]] for row in again], np.int32),
        "again_validation": np.array([r["validation"] for r in again], np.float32).reshape(-1, EPOCHS),
        "again_test": np.array([row["test"] for row in again], np.float32),
        "setting": np.array(json.dumps(SETTING)),
    }


def describe(rows: list[dict[str, Any]]) -> str:
    """The card: the setting, the scores by the number of blocks, the noise, and the checks."""
    trainings: dict[Cell, list[dict[str, Any]]] = {}
    for row in rows:
        trainings.setdefault(row["cell"], []).append(row)
    lines = [
        "# pnas-bench: cells of PNAS, each trained",
        "",
        f"- trained: {json.dumps(SETTING)}",
        f"- {len(trainings)} cells, {len(rows)} trainings, {describe_seconds(rows)}",
        "",
        "| blocks | cells | validation, last epoch: mean | deviation | best | its test |",
        "|---|---|---|---|---|---|",
        *(describe_level(trainings, blocks) for blocks in range(1, SPACE.blocks + 1)),
        "",
        *describe_noise(trainings),
        *check_rows(trainings),
    ]
    return "\n".join(lines) + "\n"


def describe_seconds(rows: list[dict[str, Any]]) -> str:
    seconds = np.array([row["seconds"][-1] for row in rows])
    return f"{seconds.sum() / 3600:.1f} hours of one core, {np.median(seconds):.1f} s for the median one"


def describe_level(trainings: dict[Cell, list[dict[str, Any]]], blocks: int) -> str:
    first = [runs[0] for cell, runs in trainings.items() if len(cell) == blocks]
    if not first:
        return f"| {blocks} | 0 | | | | |"
    values = np.array([row["validation"][-1] for row in first])
    best = first[int(values.argmax())]
    spread = f"{values.std(ddof=1):.4f}" if len(values) > 1 else ""
    cells = f"{values.mean():.4f}", spread, f"{values.max():.4f}", f"{best['test']:.4f}"
    return f"| {blocks} | {len(first)} | {' | '.join(cells)} |"


def describe_noise(trainings: dict[Cell, list[dict[str, Any]]]) -> list[str]:
    """The noise ceiling: the variance of cells' true means as a share of that of single trainings is the
    expected correlation of two trainings; its root that of one training with the truth, which no predictor
    can pass."""
    repeated = {cell: runs for cell, runs in trainings.items() if len(runs) >= REPLICATES}
    if len(repeated) < 3:
        return ["- noise: not enough cells were trained three times yet"]
    larger = {cell: runs for cell, runs in repeated.items() if len(cell) > 1}
    parts = {"all": repeated, "two to five blocks": larger}
    return [describe_part(name, list(part.values())) for name, part in parts.items() if len(part) >= 3]


def describe_part(name: str, trainings: list[list[dict[str, Any]]]) -> str:
    scores = np.array([[row["validation"][-1] for row in runs[:REPLICATES]] for runs in trainings])
    within = float(scores.var(1, ddof=1).mean())
    # The variance of means of three has a third of the noise in it.
    between = max(0.0, float(scores.mean(1).var(ddof=1)) - within / REPLICATES)
    share = between / (between + within) if within else 1.0
    return (
        f"- noise ({name}, {len(scores)} cells trained three times): deviation of one training"
        f" {within**0.5:.4f}, of the cells {between**0.5:.4f}; correlation of two trainings {share:.3f},"
        f" of one with the truth {share**0.5:.3f}"
    )


def check_rows(trainings: dict[Cell, list[dict[str, Any]]]) -> list[str]:
    """The checks: each says how many rows fail it."""
    forms = {SPACE.canonical(SPACE.architecture(cell)) for cell in trainings}
    orphans = sum(len(cell) > 1 and cell[:-1] not in trainings for cell in trainings)
    sizes = sum(len({(r["params"], r["macs"]) for r in runs}) > 1 for runs in trainings.values())
    first = [runs[0] for runs in trainings.values()]
    lost = sum(not np.isfinite(row["train_loss"]).all() for row in first)
    weak = sum(row["validation"][-1] < 0.3 for row in first)
    agreement = np.corrcoef([row["validation"][-1] for row in first], [row["test"] for row in first])[0, 1]
    return [
        f"- checks: {len(trainings) - len(forms)} cells that are another one in a different order;"
        f" {orphans} whose first blocks are no row; {sizes} whose trainings differ in size; {lost} with a"
        f" loss that is not finite; {weak} below 30 %; correlation of validation and test {agreement:.3f}",
    ]


if __name__ == "__main__":
    main()
