"""Gradient-based searches of NAS-Bench-201's space on real CIFAR-10, scaled down; the derived cells are
looked up in the table.

    CAMBRIAN_DATA=... python benchmarks/supernets.py RUNS [--methods darts gdas ...] [--seeds 4]
        [--images 4000] [--side 16] [--filters 8] [--cells 1] [--epochs 25] [--batch 64]

The images are a subset of the training part of the JPEG-coded CIFAR-10, at `side` pixels, half for the
weights and half for the gates; the test part is not looked at. Each method and seed is a run in a folder of
RUNS: what has ended is not run again, and what was interrupted goes on, so that the command can be given
again at any time. A line has the test accuracy of the derived cell after 200 epochs by the table, its skip
connections, its value with shared weights and alone, and the epoch and sign of a collapse.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import cambrian
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.published_files import tables_folder
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies import STRATEGIES
from cambrian.strategies.one_shot.deriving import Deriving

SPACE = NASBench201()


def make_search(method: str, seed: int, args: argparse.Namespace, task: Any) -> Search:
    settings = {"epochs": args.epochs, "chunks": 5}
    skeleton = {"filters": args.filters, "cells": args.cells}
    return Search(
        SPACE,
        {"name": method, "arguments": settings},
        # The papers' rates for a batch of 64; one path a score, since the value decides nothing here.
        OneShot(learning_rate=0.025, batch_size=args.batch, warmup=0.0, paths=1),
        task,
        1000,
        seed=seed,
        fidelity=Fidelity(args.alone_epochs, resolution=args.side, skeleton=skeleton),
        estimators={"final": Train(batch_size=args.batch)},
    )


def read_rows(result: Result) -> list[dict[str, Any]]:
    """A row for each architecture that was derived and trained alone."""
    supernets = {t.number: t for t in result.trials if t.kind == "supernet"}
    return [_read_row(t, supernets) for t in result.trials if "shared" in t.reason]


def _read_row(trial: Trial, supernets: dict[int, Trial]) -> dict[str, Any]:
    outcome = supernets[trial.reason["supernet"]].outcome
    assert isinstance(outcome, Done)
    codes = SPACE.codes(trial.architecture)
    table = open_table("nb201")
    return {
        "cell": "|".join(SPACE.operations[c] for c in codes),
        "skips": codes.count(1),
        "test": float(table.column("c10_test_200").values[table.row(SPACE, trial.architecture)]),
        "shared": trial.reason["shared"],
        "alone": trial.value,
        "seconds": outcome.seconds,
        "collapse": outcome.data.get("collapse", {}),
    }


def describe(method: str, seed: int, row: dict[str, Any]) -> str:
    collapse = row["collapse"]
    sign = f"collapse in epoch {collapse['epoch']}: {collapse['sign']}" if collapse else "no collapse"
    alone = "–" if row["alone"] is None else f"{row['alone']:.3f}"
    return (
        f"{method:12} {seed:4}  {row['test']:6.2f} {row['skips']:5}  {row['shared']:.3f} {alone}"
        f" {row['seconds']:8.0f} s  {row['cell']}  {sign}"
    )


def main() -> None:
    names = [name for name in STRATEGIES.names() if isinstance(STRATEGIES.make(name), Deriving)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--methods", nargs="+", default=names, choices=names)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--cells", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--alone-epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()

    folder = tables_folder()
    if folder is None:
        sys.exit("set CAMBRIAN_DATA to the folder of published tables, with cifar10_jpeg and nb201 in it")
    # Half of the images train the weights and half the gates, as in the papers.
    task = cambrian.load(folder / "cifar10_jpeg", limit=args.images, validation=0.5)
    print(f"{'method':12} seed    test skips  shared alone  seconds")
    tests: dict[str, list[float]] = {}
    # Seeds outside, so that a run that is cut short has something of every method.
    for seed in range(args.seeds):
        for method in args.methods:
            result = make_search(method, seed, args, task).run(args.runs / f"{method}-{seed}")
            for row in read_rows(result):
                print(describe(method, seed, row), flush=True)
                tests.setdefault(method, []).append(row["test"])
    for method, values in tests.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.fmean(values)
        print(f"{method:12} mean test accuracy {mean:.2f} ({spread:.2f}) of {len(values)}")


if __name__ == "__main__":
    main()
