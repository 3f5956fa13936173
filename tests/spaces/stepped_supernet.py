"""Builds the supernet of a space and takes steps of training in a process of its own, and prints its peaks of
memory in GiB: when it was built, after a step as one architecture, and after a step with all states and
operations mixed, as gradient search does. Batches are 16 images of 32 x 32.

    python stepped_supernet.py pnas|darts FILTERS
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from cambrian.architecture import Architecture
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Shares, Space

TASK = Shape(channels=3, height=32, width=32, classes=10)
BATCH = 16
SKELETON = {"skeleton": "small", "cells": 3}


def full_architecture(name: str) -> tuple[Space, Architecture]:
    """The space, and a cell of all its blocks that reads both of its inputs."""
    if name == "pnas":
        return PNAS(), PNAS().architecture([(0, 1, 0, 3)] * 5)
    cell = [(0, 1, 0, 1)] * 4
    return DARTS(operations=(*DARTS().operations, "none")), DARTS().architecture(cell, cell)


def mix_everything(supernet: Supernet) -> None:
    """Every fork of operations and of states, each option as likely as the others."""
    sizes = {m.path: len(m.options) for m in supernet.modules() if isinstance(m, Fork) and m.path}
    supernet.mix({path: torch.full((size,), 1 / size, requires_grad=True) for path, size in sizes.items()})


def step(supernet: Supernet, optimiser: torch.optim.Optimizer) -> None:
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))
    loss = torch.nn.functional.cross_entropy(supernet(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def peak() -> float:
    """In GiB."""
    # Of this program alone: `ru_maxrss` begins with what the process that started it had.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    torch.manual_seed(0)
    space, architecture = full_architecture(sys.argv[1])
    shares = space.know(Shares)
    assert shares is not None
    supernet = shares.share({}, TASK, filters=int(sys.argv[2]), **SKELETON)
    optimiser = torch.optim.SGD(supernet.parameters(), 0.1)
    built = peak()
    supernet.choose(architecture)
    step(supernet, optimiser)
    chosen = peak()
    mix_everything(supernet)
    step(supernet, optimiser)
    print(f"{built:.2f} {chosen:.2f} {peak():.2f}")
