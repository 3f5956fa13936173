"""What is searched by supernets, and how (see supernets.py): spaces with their images and methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cambrian
from cambrian.architecture import Architecture
from cambrian.errors import Incompatible
from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.published_files import tables_folder
from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity
from cambrian.search.parts.compatibility import check_needs, check_shared, learns_gates, trains_supernets
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies import STRATEGIES
from cambrian.tasks.task import Task

NB201 = NASBench201()
RANDOM = "random"
"""The rival: networks drawn at random, each trained alone; the best by validation is taken."""
VARIANTS = (
    "darts(second_order=true)",
    "gdas(released=false)",
    "darts-pt(blank=true)",
    "drnas(keep=3)",
    "proxylessnas(paths=0)",
)
"""Forms of methods that papers compare."""
TEST = "c10_test_200"
"""The table's column: CIFAR-10's test accuracy after 200 epochs."""


@dataclass(frozen=True)
class Size:
    """What a machine bears. `seconds` of the processor for each search, `ranking_seconds` for each supernet
    that is to rank cells; the images of `side` pixels are halved, for weights and for gates or scores."""

    seconds: float = 600.0
    seeds: int = 4
    images: int = 4000
    side: int = 16
    filters: int = 8
    cells: int = 1
    batch: int = 64
    children: int = 200
    alone_epochs: int = 12
    ranking_seconds: float = 3600.0
    ranking_images: int = 20_000
    ranking_seeds: int = 2
    ranked: int = 500
    pnas_cells: int = 50
    lengths: tuple[int, int] = (4, 10)


TOY = Size(4, 1, 300, 8, 4, 1, 32, 4, 1, 4, 300, 1, 20, 4, (3, 4))
"""To try everything, in seconds each."""


@dataclass(frozen=True)
class Subject:
    """A `space` with its images, the settings of its networks, and the methods that search it. `truth` is the
    test accuracy of an architecture, where a table has it."""

    name: str
    space: Any
    load: Callable[[Size], Task]
    methods: tuple[str, ...]
    skeleton: Mapping[str, Any] = field(default_factory=dict)
    truth: Callable[[Architecture], float] | None = None


@cache
def load_cifar(images: int, side: int) -> Task:
    """A part of CIFAR-10's training images (JPEG-coded), half of them as validation part; the test part is
    not looked at."""
    folder = tables_folder()
    if folder is None:
        raise SystemExit(
            "set CAMBRIAN_DATA to the folder of published data, with cifar10_jpeg and nb201 in it"
        )
    task = cambrian.load(folder / "cifar10_jpeg", limit=images, validation=0.5, size=side)
    return dataclasses.replace(task, test=task.test[:0], digest="")


def list_subjects(size: Size) -> list[Subject]:
    """The table's space by every method that can search it, the spaces that a method was made for, and a
    user's function."""
    load = lambda size: load_cifar(size.images, size.side)  # noqa: E731
    filters = {"filters": size.filters}
    cell = {**filters, "cells": size.cells}
    return [
        Subject("nb201", NB201, load, (*list_methods(NB201), *VARIANTS, RANDOM), cell, look_up),
        Subject("ofa", SPACES.make("ofa"), load, ("once-for-all", "sandwich", RANDOM)),
        Subject("fabric", SPACES.make("fabric"), load, ("fabrics", RANDOM), filters),
        Subject("memory-banks", SPACES.make("memory-banks"), load, ("smash", RANDOM), filters),
        Subject("enas-macro", SPACES.make("enas-macro"), load, ("enas", RANDOM), filters),
        Subject("darts", DARTS(nodes=2), load, ("maskconnect", RANDOM), {**filters, "cells": 3}),
        Subject("function", make_function_space(size.side), load, ("gdas", "spos", RANDOM), filters),
    ]


def list_methods(space: Any) -> list[str]:
    """The registered strategies that train a supernet of this space."""
    return [name for name in STRATEGIES.names() if can_search(STRATEGIES.make(name), space)]


def can_search(strategy: Any, space: Any) -> bool:
    if not trains_supernets(strategy):
        return False
    try:
        check_shared(strategy, space)
        check_needs(strategy, space)
    except Incompatible:
        return False
    return True


def look_up(cell: Architecture) -> float:
    table = open_table("nb201")
    return float(table.column(TEST).values[table.row(NB201, cell)])


def make_function_space(side: int) -> Any:
    """A function as a user writes it: three forks of modules, between which the image is halved."""

    @cambrian.space(task=Shape(3, side, side, 10))
    def three_forks(pick: Any, task: Any, *, filters: int = 8) -> Any:
        from torch import nn

        def block(wide: int, kernel: int, groups: int = 1) -> Callable[[], Any]:
            conv = [nn.Conv2d, wide, wide, kernel]
            return lambda: nn.Sequential(
                conv[0](*conv[1:], padding=kernel // 2, groups=groups, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
            )

        layers: list[Any] = [nn.Conv2d(task.channels, filters, 3, padding=1)]
        for n in range(3):
            wide = filters * 2**n
            ways = {
                "conv3x3": block(wide, 3),
                "conv5x5": block(wide, 5),
                "depthwise": block(wide, 3, wide),
                "conv1x1": block(wide, 1),
                "identity": nn.Identity,
            }
            layers.append(pick.module(f"fork{n + 1}", ways))
            if n < 2:
                layers += [nn.MaxPool2d(2), nn.Conv2d(wide, 2 * wide, 1)]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters * 4, task.classes)]
        return nn.Sequential(*layers, *head)

    return three_forks


def make_search(subject: Subject, method: str, seed: int, amount: int, size: Size) -> Search:
    """A search by the method: of `amount` epochs of its supernet, or of so many random networks."""
    task, skeleton = subject.load(size), dict(subject.skeleton)
    alone = Train(batch_size=size.batch)
    common: dict[str, Any] = {"seed": seed, "engine": "serial", "final": None, "attempts": 1000}
    short = Fidelity(size.alone_epochs, skeleton=skeleton)
    if method == RANDOM:
        return Search(subject.space, RANDOM, alone, task, amount, fidelity=short, **common)
    strategy: Any = STRATEGIES.parse(method)
    chunks = min(5, amount)
    if learns_gates(strategy):
        strategy = dataclasses.replace(strategy, epochs=amount, chunks=chunks, searches=1)
        # The papers' rate of the weights for a batch of 64; one path a score, which decides nothing.
        shared = OneShot(learning_rate=0.025, batch_size=size.batch, warmup=0.0, paths=1)
        return Search(
            subject.space, strategy, shared, task, fidelity=short, estimators={"final": alone}, **common
        )
    strategy = dataclasses.replace(strategy, chunks=chunks, children=size.children)
    shared = OneShot(learning_rate=0.1, batch_size=size.batch, decay_epochs=float(amount), paths=1)
    long = Fidelity(amount, skeleton=skeleton)
    return Search(subject.space, strategy, shared, task, fidelity=long, **common)


def count_searching(result: Result, seconds: Mapping[int, float]) -> float:
    """The seconds until an architecture was chosen: all but the training of the chosen one."""
    alone = {t.number for t in result.trials if t.estimator}
    return sum(spent for number, spent in seconds.items() if number not in alone)


def train_alone(subject: Subject, architecture: Architecture, seed: int, size: Size) -> float | None:
    """The validation accuracy of the architecture after a training of its own."""
    fidelity = Fidelity(size.alone_epochs, skeleton=dict(subject.skeleton))
    job = Job.of(subject.space, architecture, fidelity, subject.load(size), seed=seed)
    outcome = run_to_end(Train(batch_size=size.batch), job)
    value = getattr(outcome, "value", None)
    return None if value is None else float(value)


def run_to_end(estimator: Any, job: Job) -> Any:
    """The outcome of an estimate whose points nobody wants."""
    estimate = estimator.run(job)
    try:
        while True:
            next(estimate)
    except StopIteration as end:
        return end.value
