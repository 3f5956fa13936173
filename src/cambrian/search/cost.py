"""What a search costs on this machine, measured before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.randomness import stream
from cambrian.search.ladder import LADDER, Rung
from cambrian.spaces.cells.pnas import PNAS

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


class Cost:
    """What a rung costs here: seconds per image of sample cells of 1, 3 and 5 blocks, measured once in
    the smallest skeleton and scaled by multiply-accumulates to the others."""

    def __init__(self, task: Task, device: str, workers: int) -> None:
        self.task, self.workers = task, workers
        self._space = PNAS()
        self._small = {"filters": LADDER[0].filters, "cells": LADDER[0].cells}
        self._sizes: dict[tuple[int, int, int], float] = {}
        with _threads(1 if workers > 1 else None):
            self._speed = {b: self._measured(b, device) for b in (1, 3, 5)}

    def trials(self, rung: Rung) -> dict[int, int]:
        first = len(self._space.grow((), stream(0, "plan")))
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
                cell = self._sample(blocks)
                network = self._space.build(cell, self.task, filters=filters, cells=cells)
            shape = (self.task.channels, self.task.height, self.task.width)
            self._sizes[blocks, filters, cells] = float(macs(network, shape))
        return self._sizes[blocks, filters, cells]

    def _sample(self, blocks: int) -> Architecture:
        """A cell of middling cost: every block a 5x5 separable convolution beside a pooling."""
        inputs = ["previous-previous", "previous"]
        answers: dict[str, Any] = {"blocks": blocks}
        for b in range(1, blocks + 1):
            answers |= {f"block{b}/input1": inputs[b % 2], f"block{b}/operation1": "sep5x5"}
            answers |= {f"block{b}/input2": inputs[(b + 1) % 2], f"block{b}/operation2": "max3x3"}
        return Architecture(answers)

    def _measured(self, blocks: int, device: str) -> float:
        import torch
        from torch.nn import functional as F

        network = self._space.build(self._sample(blocks), self.task, **self._small)
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


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """torch with so many threads, as a worker has; None leaves it as it is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
