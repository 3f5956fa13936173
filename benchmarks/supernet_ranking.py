"""How well supernets rank architectures that were trained alone (see supernets.py): NAS-Bench-201's cells by
the published table, and PNAS's by trainings on Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pnas_bench
from supernet_seconds import Processor, find_amount, read_seconds
from supernet_subjects import NB201, Size, load_cifar, look_up, run_to_end

from cambrian.architecture import Architecture, sample
from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import SUPERNET
from cambrian.networks.measure.sizes import sizes
from cambrian.outcome import Fidelity, Trial
from cambrian.predictors.rank_correlation import kendall
from cambrian.randomness import stream
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.one_shot.children import name_function
from cambrian.strategies.one_shot.random_shared import RandomShared
from cambrian.weights import Shared

if TYPE_CHECKING:
    from cambrian.strategies.one_shot.shared_search import State
    from cambrian.tasks.task import Task

METHODS = ("uniform", "fair", "path-dropout", "enas")
STATISTICS = ("measured", "running", "batch")
BATCH = 128
RIVALS = ("macs", "params", "layers")
"""What ranks without a training: sizes, and the number of trainable layers."""


@dataclass(frozen=True)
class Ranked(RandomShared):
    """Always the same architectures, scored with a supernet that the method `supernet` has trained."""

    supernet: str = "uniform"

    @property
    def method(self) -> dict[str, Any]:
        return {"name": self.supernet}

    def choose_child(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Architecture:
        return list_ranked(state.problem.space, self.children)[len(state.scored) + len(pending)]


@cache
def list_ranked(space: Any, count: int) -> list[Architecture]:
    """Random architectures, no two of which are the same function."""
    chosen: dict[str, Architecture] = {}
    number = 0
    while len(chosen) < count:
        drawn = sample(space, stream(0, "ranked", number))
        chosen.setdefault(name_function(space, drawn), drawn)
        number += 1
    return list(chosen.values())


@dataclass(frozen=True)
class Field:
    """The architectures that are ranked: `count` of a space, by supernets that learn from `task`."""

    name: str
    space: Any
    task: Task
    skeleton: Mapping[str, Any]
    count: int


def make_field(name: str, size: Size) -> Field:
    if name == "pnas":
        return Field(name, pnas_bench.SPACE, pnas_bench.load_task(), pnas_bench.SKELETON, size.pnas_cells)
    skeleton = {"filters": size.filters, "cells": size.cells}
    return Field(name, NB201, load_cifar(2 * size.ranking_images, size.side), skeleton, size.ranked)


def train_pnas_cell(number: int, size: Size) -> dict[str, Any]:
    """One of the architectures of PNAS's space, trained alone as `pnas-bench` trains (see pnas_bench.py)."""
    cell = pnas_bench.SPACE.cell(list_ranked(pnas_bench.SPACE, size.pnas_cells)[number])
    return {"cell": cell, **pnas_bench.train_cell(cell, 0, pnas_bench.load_task())}


def rank(field: Field, method: str, seed: int, size: Size, out: Path, run: Path) -> dict[str, Any]:
    """The shared scores of all architectures, by each kind of statistics, of one supernet."""
    pace = out / "pace" / f"rank-{field.name}-{method}.json"
    epochs = find_amount(
        pace, size.ranking_seconds, partial(measure_training, field, method, size), size.lengths
    )
    result, seconds = search(field, method, seed, epochs, field.count, run)
    scored = [t for t in result.trials if t.kind == "trial"]
    scores = {"measured": [t.value for t in scored]}
    for statistics in STATISTICS[1:]:
        scores[statistics] = score_again(field, epochs, seed, statistics, result, scored)
    return {"epochs": epochs, "seconds": round(seconds, 1), "scores": scores}


def search(field: Field, method: str, seed: int, epochs: int, count: int, run: Path) -> tuple[Result, float]:
    """The run, and the processor seconds of the supernet's training."""
    strategy = Ranked(chunks=min(10, epochs), children=count, supernet=method)
    fidelity = Fidelity(epochs, skeleton=dict(field.skeleton))
    settings: dict[str, Any] = {"engine": "serial", "final": None, "attempts": 1000}
    shared = make_one_shot(epochs, "measured")
    watch = Processor(run / "processor.jsonl")
    made = Search(field.space, strategy, shared, field.task, seed=seed, fidelity=fidelity, **settings)
    result = made.run(run, watch)
    seconds = read_seconds(run / "processor.jsonl")
    return result, sum(seconds.get(t.number, 0.0) for t in result.trials if t.kind == "supernet")


def measure_training(field: Field, method: str, size: Size, epochs: int) -> float:
    with TemporaryDirectory() as place:
        return search(field, method, 1000, epochs, 2, Path(place) / "run")[1]


def make_one_shot(epochs: int, statistics: str) -> OneShot:
    rates: dict[str, Any] = {"learning_rate": 0.1, "weight_decay": 2.5e-4, "decay_epochs": float(epochs)}
    return OneShot(batch_size=BATCH, statistics=statistics, paths=2, **rates)


def score_again(
    field: Field, epochs: int, seed: int, statistics: str, result: Result, scored: Sequence[Trial]
) -> list[float]:
    """The accuracies of the same architectures by other statistics."""
    assert result.directory is not None
    supernet = [t for t in result.trials if t.kind == "supernet" and t.artifacts][-1]
    place = {
        "weights": Shared(supernet.number),
        "artifacts": {SUPERNET: result.directory / supernet.artifacts[SUPERNET].file},
    }
    one_shot = make_one_shot(epochs, statistics)
    jobs = (Job.of(field.space, t.architecture, t.fidelity, field.task, seed=seed, **place) for t in scored)
    return [float(run_to_end(one_shot, job).value) for job in jobs]


def measure_rivals(field: Field) -> dict[str, list[float]]:
    """Sizes of the networks, in the skeleton in which they were trained alone."""
    import torch

    alone = {"filters": 16, "cells": 5} if field.name == "nb201" else dict(field.skeleton)
    side = 32 if field.name == "nb201" else field.task.height
    shape = Shape(field.task.channels, side, side, field.task.classes)
    measured: dict[str, list[float]] = {name: [] for name in RIVALS}
    for architecture in list_ranked(field.space, field.count):
        with torch.device("meta"):
            network = field.space.build(architecture, shape, **alone)
        counted = sizes(network, (field.task.channels, side, side))
        layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        for name, value in (
            ("macs", counted["macs"]),
            ("params", counted["params"]),
            ("layers", len(layers)),
        ):
            measured[name].append(float(value))
    return measured


def read_truth(field: Field) -> list[float]:
    """The published test accuracies of NAS-Bench-201's cells."""
    return [look_up(cell) for cell in list_ranked(field.space, field.count)]


def find_taus(scores: Mapping[str, Sequence[float]], truth: Sequence[float]) -> dict[str, float]:
    """Kendall's tau of each list of scores, and that among the best tenth by the truth."""
    best = np.argsort(truth)[-max(3, len(truth) // 10) :]
    among = [truth[i] for i in best]
    taus = {name: kendall(list(values), list(truth)) for name, values in scores.items()}
    top = {
        f"{name}, best tenth": kendall([values[i] for i in best], among) for name, values in scores.items()
    }
    return {name: round(float(tau), 3) for name, tau in (taus | top).items()}
