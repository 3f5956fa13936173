"""The time of one first-order DARTS step: `python benchmarks/step_speed.py`.

A supernet of DARTS's space on images of CIFAR's shape (C = 16, 8 cells, batch 16, 2 threads): the step of the
method `darts` against a plain transcription of the published algorithm (Liu et al. 2019, Algorithm 1, xi = 0;
Sec. 2.2 for the mixed operation, 3.1.1 for the cells), written from the paper, in torch's default layout and
with channels last. Both have the same weights, so that losses and gradients are equal (see
tests/networks/test_step_speed.py). They take turns; the figures are medians of the wall clock's time and of
the processor's, that of all threads together. Neither is right everywhere: what else runs on a machine
distorts the first, and the second counts the spinning of a thread that waits for another. On an idle machine
the first counts, on a busy one the second with one thread. Beside them stands the peak of the tensors that
are alive in a step, beside the weights: the process's own peak says nothing, since to make the networks takes
as much as a step. Goals: 3 times as fast as the plain one, and 1.5 times as fast as that with channels last,
with no more memory.

Memory is kept from step to step, as in a trial, for the transcription in the same process too.

The transcription has this library's operations: normalisations with weights, which those of the candidates do
not learn, and none after pooling.

`--nni` adds the step of NNI 3.0, of its own supernet of that space, in a process and an environment of its
own, which is installed at the first time. Goal: ours is 4 times as fast.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peers import CACHE, install_peer
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.architecture import sample
from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import make_supernet
from cambrian.memory_reuse import reuse_memory
from cambrian.networks.measure.memory import LiveBytes
from cambrian.networks.training.step import Moment
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.request import TrainSupernet
from cambrian.spaces.cells.darts import DARTS
from cambrian.testing import toy_task

REQUIREMENTS = ("nni==3.0", "torch==2.13.0", "pytorch-lightning<2", "numpy<2", "setuptools<81")
OPERATIONS = ("none", "max3x3", "avg3x3", "skip", "sep3x3", "sep5x5", "dilsep3x3", "dilsep5x5")
NODES, MULTIPLIER = 4, 4


class Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class FactorizedReduce(nn.Module):
    """Two strided 1x1 convolutions, the second of the image without its first row and column."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, out // 2, 1, 2, bias=False)
        self.other = nn.Conv2d(channels, out - out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        y: Tensor = self.norm(torch.cat([self.one(x), self.other(F.pad(x, (-1, 0, -1, 0)))], 1))
        return y


def depthwise(channels: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, bias=False)
    return [nn.ReLU(), conv, nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)]


def project(channels: int, out: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))


def make_operation(name: str, channels: int, stride: int) -> nn.Module:
    makers: dict[str, Callable[[], nn.Module]] = {
        "none": lambda: Zero(stride),
        "max3x3": lambda: nn.MaxPool2d(3, stride, 1),
        "avg3x3": lambda: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
        "skip": lambda: nn.Identity() if stride == 1 else FactorizedReduce(channels, channels),
        "sep3x3": lambda: nn.Sequential(*depthwise(channels, 3, stride, 1), *depthwise(channels, 3, 1, 1)),
        "sep5x5": lambda: nn.Sequential(*depthwise(channels, 5, stride, 1), *depthwise(channels, 5, 1, 1)),
        "dilsep3x3": lambda: nn.Sequential(*depthwise(channels, 3, stride, 2)),
        "dilsep5x5": lambda: nn.Sequential(*depthwise(channels, 5, stride, 2)),
    }
    return makers[name]()


class MixedOperation(nn.Module):
    """The sum of all operations, weighted by the softmax of an edge's logits (Eq. 2)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(make_operation(name, channels, stride) for name in OPERATIONS)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        mixed: Tensor = sum(w * f(x) for w, f in zip(weights, self.operations, strict=True))
        return mixed


class Cell(nn.Module):
    """Each node is the sum of the mixed operations on all states before it; the nodes are concatenated."""

    def __init__(self, before: int, last: int, channels: int, reduces: bool, reduced: bool) -> None:
        super().__init__()
        self.reduces = reduces
        self.first = FactorizedReduce(before, channels) if reduced else project(before, channels)
        self.second = project(last, channels)
        self.edges = nn.ModuleList(
            MixedOperation(channels, 2 if reduces and state < 2 else 1)
            for node in range(NODES)
            for state in range(node + 2)
        )

    def forward(self, before: Tensor, last: Tensor, weights: Sequence[Tensor]) -> Tensor:
        states, begin = [self.first(before), self.second(last)], 0
        for node in range(NODES):
            edges = zip(states, self.edges[begin:], weights[begin:])
            states.append(sum(edge(x, w) for x, edge, w in edges))
            begin += node + 2
        return torch.cat(states[-MULTIPLIER:], 1)


class Transcription(nn.Module):
    """The network of the search, with the logits of its normal and its reduction cell, one row an edge."""

    def __init__(self, channels: int, filters: int, cells: int, classes: int, stem: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem))
        self.cells, widths, reduced = nn.ModuleList(), (stem, stem), False
        for n in range(cells):
            reduces = n in (cells // 3, 2 * cells // 3)
            filters *= 1 + reduces
            self.cells.append(Cell(*widths, filters, reduces, reduced))
            widths, reduced = (widths[1], MULTIPLIER * filters), reduces
        self.classifier = nn.Linear(widths[1], classes)
        edges = sum(range(2, NODES + 2))
        self.logits = [torch.zeros(edges, len(OPERATIONS), requires_grad=True) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        for cell in self.cells:
            weights = self.logits[int(cell.reduces)].softmax(1)  # type: ignore[arg-type]
            before, last = last, cell(before, last, list(weights))
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits


class TranscribedStep:
    """Algorithm 1 with xi = 0: the logits learn from a validation batch, then the weights from a training
    batch."""

    def __init__(self, network: Transcription, recipe: OneShot) -> None:
        self._network, self._clip = network, recipe.gradient_clip or 5.0
        self._by_weights = torch.optim.SGD(network.parameters(), 0.025, 0.9, weight_decay=3e-4)
        self._by_logits = torch.optim.Adam(network.logits, 3e-4, (0.5, 0.999), weight_decay=1e-3)

    def take(self, training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> None:
        self._by_logits.zero_grad()
        F.cross_entropy(self._network(validation[0]), validation[1]).backward()  # type: ignore[no-untyped-call]
        self._by_logits.step()
        self._by_weights.zero_grad()
        F.cross_entropy(self._network(training[0]), training[1]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._by_weights.step()


def make_ours(filters: int, cells: int, side: int, batch: int) -> tuple[Any, Any, OneShot]:
    """The supernet, the step of the method `darts`, and its recipe."""
    recipe = OneShot(batch_size=batch, gradient_clip=5.0)
    space = DARTS(nodes=NODES, operations=OPERATIONS)
    fidelity = Fidelity(100, skeleton={"skeleton": "search", "filters": filters, "cells": cells})
    # A quarter of the images is the validation part: two batches, of as many images as the transcription's.
    task = toy_task(8 * batch, side, 3)
    outer = sample(space, stream(0, "outer"))
    request = TrainSupernet(outer, {"name": "darts", "arguments": {"epochs": 100}}, fidelity)
    job = replace(Job.of(space, outer, fidelity, task), request=request)
    supernet = make_supernet(job, task, outer)
    return supernet.train(), recipe.make_method(job, task, supernet), recipe


def transcribe(supernet: Any, filters: int, cells: int, channels: int = 3) -> Transcription:
    """The transcription with the weights of a supernet."""
    stem, classes = supernet.network.stem[0].out_channels, supernet.network.linear.full.out_features
    network = Transcription(channels, filters, cells, classes, stem)
    ours = match_parameters(supernet, dict(supernet.named_parameters()), network)
    for one, other in zip(ours, network.parameters(), strict=True):
        other.data = one.detach().clone()
        other.requires_grad_(one.requires_grad)
    epsilon = next(m.eps for m in supernet.modules() if isinstance(m, nn.BatchNorm2d))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon
    return network


def match_parameters(supernet: Any, tensors: Mapping[str, Tensor], network: Transcription) -> list[Tensor]:
    """Of tensors by the names of the supernet's parameters, those of the transcription's, in its order: made
    in the same one. A supernet's cells could also pass their inputs on, for which its projections have
    columns and modules of their own, the columns before the others."""
    used = [tensor for name, tensor in tensors.items() if ".ends." not in name]
    pairs = zip(used, network.parameters(), strict=True)
    return [one[:, -other.shape[1] :] if one.shape != other.shape else one for one, other in pairs]


def list_gates(logits: Mapping[str, Tensor]) -> list[list[Tensor]]:
    """The gates of a supernet as the rows of both of the transcription's matrices."""
    kinds = ("normal", "reduction")
    return [[gate for name, gate in logits.items() if name.startswith(kind)] for kind in kinds]


def make_steps(asked: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """The steps to compare, each on the same two batches."""
    torch.manual_seed(0)
    supernet, ours, recipe = make_ours(asked.filters, asked.cells, asked.side, asked.batch)
    plain = transcribe(supernet, asked.filters, asked.cells)
    last: Any = transcribe(supernet, asked.filters, asked.cells)
    last.to(memory_format=torch.channels_last)
    supernet.to(memory_format=torch.channels_last)
    size = (asked.batch, 3, asked.side, asked.side)
    pairs = [(torch.randn(size), torch.randint(3, (asked.batch,))) for _ in range(2)]
    channels_last = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in pairs]
    number = iter(range(1, 10_000))
    by_plain, by_last = TranscribedStep(plain, recipe), TranscribedStep(last, recipe)
    return {
        "ours": lambda: ours.take(*channels_last[0], Moment(0, next(number), 10_000, 10**6)),
        "transcription": lambda: by_plain.take(*pairs),
        "with channels last": lambda: by_last.take(*channels_last),
    }


@dataclass(frozen=True)
class Spent:
    """What another process says of its step."""

    seconds: tuple[float, ...]


class NNI:
    """NNI's step, in its own process."""

    def __init__(self, asked: argparse.Namespace) -> None:
        python = install_peer(asked.cache / "step_with_nni", REQUIREMENTS)
        program = Path(__file__).parent / "peers" / "step_with_nni.py"
        size = [asked.filters, asked.cells, asked.batch, asked.side, asked.threads]
        environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads)}
        self._process = subprocess.Popen(
            [python, program, *map(str, size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        _, parameters, gates = self._read()
        print(f"NNI's supernet: {int(parameters):,} parameters, {gates} edges", flush=True)

    def __call__(self) -> Spent:
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return Spent(tuple(map(float, self._read())))

    def _read(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("NNI's process has ended")
        return line.split()


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def measure_times(steps: Mapping[str, Callable[[], object]], turns: int) -> dict[str, dict[str, float]]:
    """The median of the seconds of each step by each clock, in turns, after one that is not counted."""
    times: dict[str, list[list[float]]] = {name: [] for name in steps}
    for _ in range(turns + 1):
        for name, step in steps.items():
            began = [clock() for clock in CLOCKS.values()]
            done = step()
            ended = [clock() - at for clock, at in zip(CLOCKS.values(), began, strict=True)]
            times[name].append(list(done.seconds) if isinstance(done, Spent) else ended)
    return {
        name: dict(zip(CLOCKS, map(median, zip(*each[1:], strict=True)), strict=True))
        for name, each in times.items()
    }


def measure_peak(step: Callable[[], object]) -> float:
    """The MiB of what a step makes that are alive at one time."""
    with LiveBytes() as live:
        step()
    return live.peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("filters", 16), ("cells", 8), ("batch", 16), ("side", 32), ("turns", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nni", action="store_true")
    parser.add_argument("--cache", type=Path, default=CACHE)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    steps = make_steps(asked) | ({"NNI 3.0": NNI(asked)} if asked.nni else {})
    with reuse_memory():
        times = measure_times(steps, asked.turns)
    for name, by_clock in times.items():
        figures = [
            f"{clock} {1000 * seconds:6.0f} ms, {seconds / times['ours'][clock]:4.2f} of ours"
            for clock, seconds in by_clock.items()
        ]
        peak = "" if name.startswith("NNI") else f"; {measure_peak(steps[name]):5.0f} MiB"
        print(f"{name:>20}: {'; '.join(figures)}{peak}", flush=True)


if __name__ == "__main__":
    main()
