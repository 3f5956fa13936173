"""From data and a budget to a search: progressive, in the PNAS space, by real training.

The budget chooses the levels B, the cells kept K, the epochs, the images and the skeleton: the highest
rung of `LADDER` whose cost, by the measured speed of a few sample cells, fits. Everything can be said
instead of chosen.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Scalar
from cambrian.outcome import Fidelity
from cambrian.search.budget import Budget
from cambrian.search.final import Final
from cambrian.search.search import Search
from cambrian.spaces.pnas import PNAS
from cambrian.strategies.progressive import Progressive

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


class Rung(msgspec.Struct, frozen=True):
    """How large a search: B levels, K cells kept, each trained for `epochs` on at most `images` images
    with `filters` and `cells`; the final networks for `final_epochs` with `final_filters`, `final_cells`."""

    levels: int
    keep: int
    epochs: int
    images: int
    filters: int = 8
    cells: int = 2
    final_epochs: int = 15
    final_filters: int = 16
    final_cells: int = 3


LADDER = (
    Rung(2, 8, 1, 500, final_epochs=3, final_filters=8, final_cells=2),
    Rung(2, 16, 2, 1000, final_epochs=5, final_filters=8, final_cells=2),
    Rung(3, 16, 2, 1500, final_epochs=10, final_filters=16, final_cells=2),
    Rung(3, 28, 4, 2000, final_cells=2),
    Rung(3, 48, 4, 5000),
    Rung(4, 48, 4, 10_000, final_epochs=20),
    Rung(4, 64, 5, 15_000, final_epochs=30, final_filters=24),
    Rung(5, 64, 6, 20_000, 16, 3, final_epochs=40, final_filters=24, final_cells=6),
    Rung(5, 128, 10, 30_000, 16, 3, final_epochs=80, final_filters=32, final_cells=6),
    Rung(5, 256, 15, 45_000, 16, 6, final_epochs=200, final_filters=32, final_cells=9),
    Rung(5, 256, 20, 45_000, 24, 6, final_epochs=600, final_filters=48, final_cells=9),
)
"""From a minute to the paper's own (Sec. 5.1: B=5, K=256, 20 epochs of 45,000 images, F=24, N=2; then
F=48, N=3, 600 epochs)."""

PAPER = LADDER[-1]
UNTOLD = LADDER[3]
"""What is done without a budget for data of few pixels in all, whatever the machine; for more of them
half an hour is the budget."""

FEW_PIXELS = 500_000
HALF_HOUR = 1800.0


class Plan(msgspec.Struct, frozen=True):
    """What will be done, before it is: `rows` are (label, text) for people; `trials` by level, where the
    strategy has levels; `seconds` is the expected time of the whole, by the speed measured here."""

    search: Search
    rung: Rung
    trials: dict[int, int]
    seconds: float
    rows: tuple[tuple[str, str], ...]


def plan(
    task: Task,
    budget: Budget | str | int | None = None,
    *,
    paper: bool = False,
    workers: int | None = None,
    device: str = "cpu",
    strategy: Any = None,
    recipe: Mapping[str, Any] | None = None,
    surrogate: str = "mlp-ensemble",
    changes: Mapping[str, int] | None = None,
    baselines: tuple[str, ...] = ("random", "pnasnet-5"),
    **settings: Any,
) -> Plan:
    """A search for `task` within `budget`. `changes` sets fields of the rung; `recipe` those of the
    training; `strategy` replaces progressive search; `settings` go to `Search`.
    Measures the machine's speed for a second or two."""
    from cambrian.estimators.train import Train

    given = Budget.parse(budget)
    pixels = len(task.train) * task.height * task.width
    if given == Budget() and not paper and pixels > FEW_PIXELS:
        given = Budget(seconds=HALF_HOUR)
    crew = workers or (1 if device.startswith("cuda") else max(1, os.cpu_count() or 1))
    cost = Cost(task, device, crew)
    rung = PAPER if paper else _rung(cost, given)
    rung = msgspec.structs.replace(rung, **dict(changes or {}))
    trials = cost.trials(rung)
    if strategy is not None and given == Budget():  # which would never stop by itself
        given = Budget(trials=sum(trials.values()))
    space = PNAS(blocks=max(5, rung.levels))
    chosen = strategy or Progressive(levels=rung.levels, keep=rung.keep, surrogate=surrogate)
    search = Search(
        space,
        chosen,
        Train(**{**(PAPER_RECIPE if paper else {}), **dict(recipe or {})}),
        task,
        given,
        engine="processes" if crew > 1 else "serial",
        workers=crew,
        fidelity=_fidelity(rung, task),
        final=Final(_final_fidelity(rung, paper), baselines=baselines),
        device=device,
        **settings,
    )
    rows = tuple(_rows(search, rung, trials, cost))
    levels = trials if strategy is None else {}
    search.remarks = {"plan": rows, "expected": {str(level): n for level, n in levels.items()}}
    return Plan(search, rung, levels, cost.seconds(rung), rows)


PAPER_RECIPE = {"learning_rate": 0.01, "warmup": 0.0}
PAPER_FINAL = {"auxiliary": True, "drop_path": 0.4}
"""Sec. 5.1 and 5.3: cosine decay from 0.01; the auxiliary head and drop-path for the final network alone."""


class Cost:
    """What a rung costs here: seconds per image of sample cells of 1, 3 and 5 blocks, measured once in
    the smallest skeleton and scaled by multiply-accumulates to the others."""

    def __init__(self, task: Task, device: str, workers: int) -> None:
        self.task, self.workers = task, workers
        self._space = PNAS()
        self._small = {"filters": LADDER[0].filters, "cells": LADDER[0].cells}
        self._sizes: dict[tuple[int, int, int], float] = {}
        self._speed = {b: self._measured(b, device) for b in (1, 3, 5)}

    def trials(self, rung: Rung) -> dict[int, int]:
        first = len(self._space.grow((), _unused()))
        return {b: first if b == 1 else rung.keep for b in range(1, rung.levels + 1)}

    def images(self, rung: Rung) -> int:
        return min(rung.images, len(self.task.train))

    def search_seconds(self, rung: Rung) -> float:
        work = sum(
            n * self._image(b, rung.filters, rung.cells) * rung.epochs * self.images(rung)
            for b, n in self.trials(rung).items()
        )
        return work / self.workers

    def final_seconds(self, rung: Rung, networks: int = 6) -> float:
        each = self._image(rung.levels, rung.final_filters, rung.final_cells)
        return each * rung.final_epochs * len(self.task.train) * math.ceil(networks / self.workers)

    def seconds(self, rung: Rung) -> float:
        return self.search_seconds(rung) + self.final_seconds(rung)

    def _image(self, blocks: int, filters: int, cells: int) -> float:
        """Seconds to learn from one image, by interpolation between the cells that were measured."""
        low, high = (1, 3) if blocks <= 3 else (3, 5)
        share = (blocks - low) / (high - low)
        here = (1 - share) * self._scaled(low, filters, cells) + share * self._scaled(high, filters, cells)
        return here * 1.15  # scoring on validation, and what lies between the steps

    def _scaled(self, blocks: int, filters: int, cells: int) -> float:
        small = self._macs(blocks, **self._small)
        return self._speed[blocks] * max(1.0, self._macs(blocks, filters, cells) / small)

    def _macs(self, blocks: int, filters: int, cells: int) -> float:
        import torch

        from cambrian.networks.count import macs

        if (blocks, filters, cells) not in self._sizes:
            with torch.device("meta"):
                cell = _architecture(self._sample(blocks))
                network = self._space.build(cell, self.task, filters=filters, cells=cells)
            shape = (self.task.channels, self.task.height, self.task.width)
            self._sizes[blocks, filters, cells] = float(macs(network, shape))
        return self._sizes[blocks, filters, cells]

    def _sample(self, blocks: int) -> Any:
        """A cell of middling cost: every block a 5x5 separable convolution beside a pooling."""
        inputs = ["previous-previous", "previous"]
        answers: dict[str, Any] = {"blocks": blocks}
        for b in range(1, blocks + 1):
            answers |= {f"block{b}/input1": inputs[b % 2], f"block{b}/operation1": "sep5x5"}
            answers |= {f"block{b}/input2": inputs[(b + 1) % 2], f"block{b}/operation2": "max3x3"}
        return answers

    def _measured(self, blocks: int, device: str) -> float:
        import torch
        from torch.nn import functional as F

        network = self._space.build(_architecture(self._sample(blocks)), self.task, **self._small)
        network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        batch = torch.rand(64, self.task.channels, self.task.height, self.task.width, device=device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        targets = torch.zeros(64, dtype=torch.int64, device=device)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            F.cross_entropy(network(batch), targets).backward()  # type: ignore[no-untyped-call]
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        return min(times[1:]) / 64


def _rung(cost: Cost, budget: Budget) -> Rung:
    if budget.seconds is None:
        return UNTOLD
    fitting = [
        rung
        for rung in LADDER
        if cost.search_seconds(rung) <= budget.seconds * 0.6
        and cost.final_seconds(rung) <= budget.seconds / 3
    ]
    return fitting[-1] if fitting else LADDER[0]


def _fidelity(rung: Rung, task: Task) -> Fidelity:
    share = min(1.0, rung.images / len(task.train))
    return Fidelity(rung.epochs, round(share, 4), skeleton={"filters": rung.filters, "cells": rung.cells})


def _final_fidelity(rung: Rung, paper: bool) -> Fidelity:
    more: Mapping[str, Scalar] = PAPER_FINAL if paper else {}
    skeleton = {"filters": rung.final_filters, "cells": rung.final_cells, **more}
    return Fidelity(rung.final_epochs, skeleton=skeleton)


def _rows(search: Search, rung: Rung, trials: dict[int, int], cost: Cost) -> list[tuple[str, str]]:
    task, space = search.task, search.space
    levels = ", ".join(f"{n} of {b} block{'s' if b > 1 else ''}" for b, n in trials.items())
    count = f"{sum(trials.values())} cells trained: {levels}"
    if not isinstance(search.strategy, Progressive):
        count = f"{search.budget.trials or 'as many as fit'} cells trained"
    size = f"{task.height}x{task.width}x{task.channels}"
    counts = f"{len(task.train)} train, {len(task.validation)} validation, {len(task.test)} test"
    total = cost.seconds(rung)
    kind = type(search.strategy).__name__.lower()
    return [
        ("data", f"{task.name}: {size}, {task.classes} classes; {counts}"),
        ("space", f"PNAS cells of up to {rung.levels} blocks, {space.size(rung.levels):.3g} at that level"),  # type: ignore[attr-defined]
        ("strategy", f"{kind}: {count}"),
        (
            "each",
            f"{rung.epochs} epochs of {cost.images(rung)} images, {rung.filters} filters, {rung.cells} cells",
        ),
        (
            "then",
            f"the best {search.final.top if search.final else 0} from scratch: {rung.final_epochs} epochs,"
            f" {rung.final_filters} filters, {rung.final_cells} cells; the best of them on all but test",
        ),
        ("machine", f"{search.device}, {search.engine.slots} at a time"),
        ("time", f"about {duration(total)}; budget: {search.budget}"),
    ]


def duration(seconds: float) -> str:
    """
    >>> duration(50), duration(200), duration(9000)
    ('50 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _architecture(answers: Mapping[str, Any]) -> Any:
    from cambrian.architecture import Architecture

    return Architecture(answers)


def _unused() -> Any:
    from cambrian.randomness import stream

    return stream(0, "plan")
