"""How well a supernet ranks NAS-Bench-201's cells: `python benchmarks/supernet_ranking.py RUN`.

A supernet of the space is trained on real CIFAR-10 (JPEG-coded, from CAMBRIAN_DATA) by the method named, and
cells drawn at random are scored with its weights; the results are Kendall's tau against the published test
accuracies after 200 epochs, with statistics re-estimated for each cell and with those of the training,
beside the tau of parameters, multiply-accumulates and trainable layers. Multiply-accumulates alone have .62:
a supernet below that line is of no use for choosing.

Everything is kept in RUN: the same command goes on where it was stopped, between epochs (and from a
checkpoint within one) and between cells. Numbers are also written to RUN/ranking.json.

    python benchmarks/supernet_ranking.py /tmp/ranking --epochs 2 --images 1000 --cells-scored 20
"""

from __future__ import annotations

import argparse
import io
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cambrian.architecture import Architecture
from cambrian.cli.live import LiveWatch
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.tables import open_table
from cambrian.networks.measure.sizes import sizes
from cambrian.outcome import Fidelity, Trial
from cambrian.predictors.rank_correlation import kendall
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies.one_shot.random_shared import RandomShared
from cambrian.tasks import load
from cambrian.tasks.task import Task

SPACE = NASBench201()


@dataclass(frozen=True)
class Ranked(RandomShared):
    """Random cells, scored with a supernet that any method has trained."""

    supernet: str = "uniform"

    @property
    def method(self) -> dict[str, Any]:
        return {"name": self.supernet}


METRIC = "c10_test_200"


def read_images(count: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first images of CIFAR-10's training part, whose order is random, scaled to `side` pixels."""
    place = Path(os.environ["CAMBRIAN_DATA"]) / "cifar10_jpeg" / "cifar10_train.npz"
    with np.load(place) as archive:
        head, payload = archive["header"].tobytes(), archive["payload"].tobytes()
        offsets, labels = archive["offsets"], archive["labels"]
    pixels = [read_image(head + payload[offsets[i] : offsets[i + 1]], side) for i in range(count)]
    return np.stack(pixels), labels[:count].astype(np.int64)


def read_image(data: bytes, side: int) -> NDArray[np.uint8]:
    picture = Image.open(io.BytesIO(data))
    return np.asarray(picture if picture.size == (side, side) else picture.resize((side, side)))


def make_task(asked: argparse.Namespace) -> Task:
    """The images split in two halves, as the papers do: for weights and for scores."""
    pixels, labels = read_images(asked.images + asked.validation, asked.size)
    task = load((pixels, labels))
    places = np.arange(len(labels))
    return replace(
        task,
        name="cifar10-jpeg",
        train=places[: asked.images],
        validation=places[asked.images :],
        test=places[:0],
        digest="",
    )


def make_search(asked: argparse.Namespace, task: Task, statistics: str) -> Search:
    one_shot = OneShot(
        learning_rate=asked.learning_rate,
        batch_size=asked.batch_size,
        weight_decay=2.5e-4,
        decay_epochs=float(asked.epochs),
        statistics=statistics,
        statistics_batches=asked.statistics_batches,
        paths=2,
    )
    strategy = Ranked(
        chunks=min(asked.chunks, asked.epochs), children=asked.cells_scored, supernet=asked.method
    )
    skeleton = {"filters": asked.filters, "cells": asked.cells}
    fidelity = Fidelity(asked.epochs, skeleton=skeleton)
    return Search(SPACE, strategy, one_shot, task, seed=asked.seed, fidelity=fidelity)


def score_again(asked: argparse.Namespace, task: Task, trials: list[Trial], run: Path) -> list[float]:
    """The accuracies of the same cells by the statistics of the training."""
    from cambrian.estimators.job import Job
    from cambrian.estimators.supernets import SUPERNET
    from cambrian.weights import Shared

    one_shot = make_search(asked, task, "running").estimator
    supernet = [t for t in trials if t.kind == "supernet" and t.artifacts][-1]
    files = {SUPERNET: run / supernet.artifacts[SUPERNET].file}
    values = []
    for trial in list_scored(trials):
        place = {"weights": Shared(supernet.number), "artifacts": files}
        job = Job.of(SPACE, trial.architecture, trial.fidelity, task, seed=asked.seed, **place)
        values.append(run_to_end(one_shot, job))
    return values


def run_to_end(one_shot: Any, job: Any) -> float:
    estimate = one_shot.run(job)
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            return float(end.value.value)


def list_scored(trials: list[Trial]) -> list[Trial]:
    return [t for t in trials if t.kind == "trial" and t.value is not None and t.cached is None]


def measure_cells(cells: list[Architecture]) -> dict[str, list[float]]:
    """The rivals that need no training: sizes of the networks of the benchmark's own skeleton."""
    import torch

    measured: dict[str, list[float]] = {"params": [], "macs": [], "trainable layers": []}
    for cell in cells:
        with torch.device("meta"):
            network = SPACE.build(cell, make_shape(), filters=16, cells=1)
        counted = sizes(network, (3, 32, 32))
        measured["params"].append(counted["params"])
        measured["macs"].append(counted["macs"])
        layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        measured["trainable layers"].append(float(len(layers)))
    return measured


def make_shape() -> Any:
    from cambrian.spaces.program.function_space import Shape

    return Shape(channels=3, height=32, width=32, classes=10)


def read_truth(cells: list[Architecture]) -> list[float]:
    """The published accuracy of each cell."""
    table = open_table("nb201")
    column = table.column(METRIC)
    return [float(column.values[table.row(SPACE, cell)]) for cell in cells]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--method", default="uniform", help="uniform, fair, path-dropout, enas")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--chunks", type=int, default=10)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--validation", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=16, help="pixels a side")
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--cells", type=int, default=1, help="cells of a stage")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--statistics-batches", type=int, default=8)
    parser.add_argument("--cells-scored", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    report(asked, make_task(asked))


def report(asked: argparse.Namespace, task: Task) -> None:
    from rich.console import Console

    with LiveWatch(Console(stderr=True), {0: asked.cells_scored}) as watch:
        result = make_search(asked, task, "measured").run(asked.run, watch)
    trials = list(result.trials)
    scored = list_scored(trials)
    cells = [t.architecture for t in scored]
    truth = read_truth(cells)
    rivals: dict[str, list[float]] = {
        "supernet, statistics re-estimated": [t.value or 0.0 for t in scored],
        "supernet, statistics of the training": score_again(asked, task, trials, asked.run),
        **measure_cells(cells),
    }
    taus = {name: kendall(values, truth) for name, values in rivals.items()}
    print(f"Kendall's tau against {METRIC}, {len(cells)} cells")
    for name, tau in taus.items():
        print(f"  {name:<38} {tau:+.3f}")
    facts = {"settings": {k: str(v) for k, v in vars(asked).items()}, "cells": len(cells), "tau": taus}
    (asked.run / "ranking.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
