"""Cost of sampling an architecture of a user's function, against the same program written by hand.

    python benchmarks/sampling.py [--samples 500] [--repeats 40]

By hand means `random` and a dictionary, no questions, no checks. Both take turns in one run, in seconds of
the processor; the ratio is the median over the turns. A function whose body makes modules is sampled on the
meta device and given in milliseconds. At the end the canonical texts of random PNAS cells, one by one and as
arrays.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from cambrian.architecture import Architecture, sample
from cambrian.randomness import stream
from cambrian.spaces.cells.isomorphism import canonical_codes
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.program.function_space import space

OPERATIONS = ("conv3", "conv5", "pool", "skip")
CELLS = 100_000


@space
def layer_stack(pick: Any, task: Any) -> Any:
    """Up to eight layers of an operation and a width each, after a stem and before a classifier."""
    pick("stem", [8, 16, 32])
    for i in range(pick.depth("depth", 1, 8)):
        pick(f"layer{i}/operation", OPERATIONS)
        pick(f"layer{i}/width", [1, 2, 4])
    pick.integer("hidden", 16, 256)
    return lambda: nn.Flatten()


def draw_layer_stack(rng: random.Random) -> dict[str, Any]:
    answers: dict[str, Any] = {"stem": rng.choice([8, 16, 32])}
    answers["depth"] = depth = rng.randint(1, 8)
    for i in range(depth):
        answers[f"layer{i}/operation"] = rng.choice(OPERATIONS)
        answers[f"layer{i}/width"] = rng.choice([1, 2, 4])
    answers["hidden"] = rng.randint(16, 256)
    return answers


@space
def block_graph(pick: Any, task: Any) -> Any:
    """Four blocks, each an operation on one or two of the blocks before; numbers; a module fork."""
    pick.fork("stem", {"small": nn.Identity, "large": nn.Identity})
    for i in range(4):
        pick(f"block{i}/operation", OPERATIONS)
        pick.some(f"block{i}/inputs", range(i + 1), 1, min(2, i + 1))
    pick.integer("hidden", 16, 256)
    pick.real("train.lr", 1e-4, 1e-1, log=True)
    return lambda: nn.Flatten()


def draw_block_graph(rng: random.Random) -> dict[str, Any]:
    answers: dict[str, Any] = {"stem": rng.choice(["small", "large"])}
    for i in range(4):
        answers[f"block{i}/operation"] = rng.choice(OPERATIONS)
        sets = [math.comb(i + 1, k) for k in (1, 2)[: i + 1]]
        # By the number of subsets of each size, so that all subsets are equally likely, as in the space.
        many = rng.choices((1, 2)[: i + 1], sets)[0]
        answers[f"block{i}/inputs"] = tuple(sorted(rng.sample(range(i + 1), many)))
    answers["hidden"] = rng.randint(16, 256)
    answers["train.lr"] = math.exp(rng.uniform(math.log(1e-4), math.log(1e-1)))
    return answers


@space
def modules(pick: Any, task: Any) -> nn.Module:
    """Three to eight layers, made in the body that asks for them."""
    width = 8 * pick("widen", [1, 2, 4])
    layers: list[nn.Module] = [nn.Conv2d(task.channels, width, 3, padding=1)]
    for i in range(pick.depth("depth", 3, 8)):
        layers.append(
            pick.module(f"layer{i}", {"conv": lambda: nn.Conv2d(width, width, 3), "skip": nn.Identity})
        )
        layers.append(nn.BatchNorm2d(width))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, task.classes))


def microseconds(work: Callable[[], object], times: int) -> float:
    # The processor's seconds: other programs do not lengthen them.
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times * 1e6


def compare(program: Any, by_hand: Callable[[random.Random], object], samples: int, repeats: int) -> str:
    rng, plain = stream(0, "sampling"), random.Random(0)
    turns = []
    for _ in range(repeats):
        ours = microseconds(lambda: sample(program, rng), samples)
        # In turns: another load on the machine then slows both.
        turns.append((ours, microseconds(lambda: by_hand(plain), samples)))
    one, other = (statistics.median(side) for side in zip(*turns, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in turns)
    return f"{one:6.1f} us, by hand {other:6.1f} us: {ratio:.2f}x"


def canonical(cells: list[Architecture]) -> tuple[float, float]:
    """Seconds for the canonical texts one by one, and for the forms of all as arrays."""
    pnas = PNAS()
    alone = microseconds(lambda: [pnas.canonical(cell) for cell in cells], 1)
    tokens = pnas.tokens(cells)
    # Arrays take cells of one size: those with all blocks, scaled up to the number of all.
    same = (tokens >= 0).all(axis=(1, 2))
    together = microseconds(lambda: canonical_codes(tokens[same], len(pnas.operations)), 1)
    return alone / 1e6, together / 1e6 * len(cells) / max(1, int(np.sum(same)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=40)
    args = parser.parse_args()
    print(f"layers           {compare(layer_stack, draw_layer_stack, args.samples, args.repeats)}")
    print(f"subsets, numbers {compare(block_graph, draw_block_graph, args.samples, args.repeats)}")
    rng = stream(0, "modules")
    times = [
        microseconds(lambda: sample(modules, rng), max(1, args.samples // 50)) for _ in range(args.repeats)
    ]
    print(f"body of modules  {statistics.median(times) / 1e3:6.2f} ms")
    cells = [sample(PNAS(), rng) for _ in range(CELLS)]
    alone, together = canonical(cells)
    print(f"canonical texts  {alone:6.2f} s for {CELLS:,} cells of PNAS, as arrays {together:.2f} s")


if __name__ == "__main__":
    main()
