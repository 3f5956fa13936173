"""A space: a sandwich of up to three fillings between two linear layers."""

from __future__ import annotations

from torch import nn

from cambrian import space

FILLINGS = {"linear": lambda: nn.Linear(8, 8), "relu": nn.ReLU, "tanh": nn.Tanh, "nothing": nn.Identity}


@space
def sandwich(pick, task):
    pixels = task.channels * task.height * task.width
    fillings = [pick.module(f"filling{i}", FILLINGS) for i in range(pick.depth("fillings", 1, 3))]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 8), *fillings, nn.Linear(8, task.classes))
