"""A step of each network of the portfolio in 32 bits and in bfloat16: `python benchmarks/precisions.py`; or
of random networks of other spaces: `--spaces nasbench201 metaqnn --draws 3`.

The time is the processor's, on one thread, of batches of 128 images of CIFAR's shape; the two precisions take
turns, and the figures are medians. Where bfloat16 is slower, trainings stay in 32 bits (see
`networks/training/precision.py`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import torch

from cambrian.architecture import sample
from cambrian.memory_reuse import reuse_memory
from cambrian.networks.depthwise import quicken_depthwise
from cambrian.networks.pointwise import avoid_strided_pointwise
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.precision import choose_precision
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment
from cambrian.randomness import stream
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.spaces import SPACES
from cambrian.testing import toy_task

PRECISIONS = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--spaces", nargs="+", default=[], help="random networks of these, in place of all")
    parser.add_argument("--draws", type=int, default=3, help="of each of the spaces")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("network            float32  bfloat16  times as fast  used", flush=True)
    for name, network in list_networks(asked):
        module = network.to(memory_format=torch.channels_last)
        avoid_strided_pointwise(module)
        quicken_depthwise(module)
        with reuse_memory():
            whole, half = measure(module.train(), asked)
        used = choose_precision(module, "bfloat16", torch.device("cpu"))
        print(f"{name:17s} {whole:5.0f} ms  {half:5.0f} ms  {whole / half:13.2f}  {used}", flush=True)


def list_networks(asked: argparse.Namespace) -> Iterator[tuple[str, torch.nn.Module]]:
    task = toy_task(40, asked.side, 3, 10)
    for name in asked.spaces:
        space = SPACES.make(name)
        known = {"filters": asked.filters} if "filters" in SpaceFacts(space).size(0) else {}
        for number in range(asked.draws):
            architecture = sample(space, stream(0, "precisions", number))
            yield f"{name} {number}", space.build(architecture, task, **known)
    if not asked.spaces:
        space = SPACES.make("stages")
        for name, architecture in space.portfolio.items():
            if not asked.only or name in asked.only.split(","):
                yield name, space.build(architecture, task, filters=asked.filters)


def measure(network: torch.nn.Module, asked: argparse.Namespace) -> list[float]:
    """The median milliseconds of a step in each precision."""
    inputs = torch.randn(asked.batch, 3, asked.side, asked.side).contiguous(memory_format=torch.channels_last)
    targets, recipe = torch.randint(10, (asked.batch,)), Recipe(optimiser="muon")
    steps = [GradientStep(network, recipe, HeadsLoss(make_loss(recipe), 0.0, p)) for p in PRECISIONS]
    times: list[list[float]] = [[], []]
    for turn in range(asked.turns + 2):  # the first two allocate
        for step, spent in zip(steps, times, strict=True):
            began = time.process_time()
            step.take(inputs, targets, Moment(0, turn, 100, 10_000))
            spent.append(time.process_time() - began)
    return [1000 * median(each[2:]) for each in times]


if __name__ == "__main__":
    main()
