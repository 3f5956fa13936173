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
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pnas_bench_cells import SIZES, SPACE, Cell, list_items
from pnas_bench_table import write_table

import cambrian
from cambrian.estimators.build import build_measured
from cambrian.estimators.job import Job
from cambrian.estimators.scoring import score_network
from cambrian.estimators.training_start import start_training
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Fidelity, Infeasible
from cambrian.tasks.task import Task

DATA: dict[str, Any] = {"name": "fashion-mnist", "size": 14, "limit": 10_000, "validation": 5_000, "seed": 0}
"""Of the data set's 60,000 training images, 5,000 are trained on and 5,000 are the validation part."""
SKELETON: dict[str, Any] = {"filters": 8, "cells": 2}
EPOCHS = 4
RECIPE: dict[str, Any] = {"learning_rate": 0.1, "batch_size": 64, "crop": 1, "flip": False}
SETTING = {"data": DATA, "skeleton": SKELETON, "epochs": EPOCHS, "recipe": RECIPE, "version": 1}


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


def pack_rows(folder: Path, target: Path) -> None:
    rows = read_folder(folder)
    if not rows:
        raise SystemExit(f"{folder} has no rows: `train --out {folder}` makes them")
    write_table(rows, SETTING, target)


if __name__ == "__main__":
    main()
