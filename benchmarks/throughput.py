"""Training throughput as ratios of one run: `python benchmarks/throughput.py`.

1. On one thread, against the plain way: the same network and optimiser in NCHW, fed by torch's DataLoader
   with transforms of one sample at a time. Goal: at least 1.4 times as many images a second.
2. Two processes of one thread, a trial each, against one process of two threads that trains the two
   trials one after the other. Goal: at least 1.3 times.
3. On one thread, with the memory of tensors kept from step to step, as in a trial, against glibc's own way:
   that network, and one of inverted bottlenecks on 32x32 pixels in colour.

The two sides alternate within a round; a ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from cambrian.memory_reuse import reuse_memory
from cambrian.networks.skeletons.cell_network import cell_network
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images, images
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.scoring import scores
from cambrian.networks.training.trainer import Training
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape

CROP, RECIPE = 3, Recipe(learning_rate=0.05, schedule="constant", warmup=0.0)
# The cell of the CIFAR-10 and ImageNet networks of PNAS has five such blocks; these are three of them.
BLOCKS = [(0, "sep5x5", 0, "max3x3"), (1, "sep5x5", 1, "sep3x3"), (0, "sep3x3", 1, "identity")]


def data(n: int, side: int = 28, channels: int = 1) -> Images:
    """Noise, usually in the shape of Fashion-MNIST: the time of a step does not depend on the pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(n, side, side, channels), dtype=np.uint8)
    return images(pixels, rng.integers(0, 10, n), (0.3,) * channels, (0.35,) * channels)


def network() -> nn.Module:
    return cell_network(BLOCKS, 1, 10, skeleton="small", filters=8, cells=2)


def bottlenecks() -> nn.Module:
    space = SPACES.make("stages")
    return space.build(space.portfolio["mobilenet"], Shape(3, 32, 32, 10), filters=20)


def ours(
    train: Images, validation: Images, module: nn.Module | None = None, batch: int = RECIPE.batch_size
) -> Callable[[], object]:
    module = (module or network()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = replace(RECIPE, batch_size=batch)
    training = Training(module, train, recipe, Augment(CROP, flip=True), epochs=1000)

    def epoch() -> object:
        return training.run_epoch(), scores(module, validation, 4 * batch)

    return epoch


class PerSample(Dataset[tuple[Tensor, int]]):
    """One image at a time: to float, cropped from a padded copy, mirrored, normalised."""

    def __init__(self, source: Images, augmented: bool) -> None:
        self.pixels, self.targets, self.augmented = source.pixels.numpy(), source.targets.tolist(), augmented

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.pixels[i]).permute(2, 0, 1).float() / 255
        if self.augmented:
            height, width = image.shape[1:]
            y, x = torch.randint(0, 2 * CROP + 1, (2,)).tolist()
            image = F.pad(image, (CROP,) * 4)[:, y : y + height, x : x + width]
            if torch.rand(()) < 0.5:
                image = image.flip(2)
        return (image - 0.3) / 0.35, self.targets[i]


def plain(train: Images, validation: Images) -> Callable[[], object]:
    module = network()
    optimiser = torch.optim.SGD(
        module.parameters(), RECIPE.learning_rate, RECIPE.momentum, weight_decay=5e-4, nesterov=True
    )
    loader = DataLoader(PerSample(train, True), RECIPE.batch_size, shuffle=True)
    scored = DataLoader(PerSample(validation, False), RECIPE.batch_size)

    def epoch() -> object:
        module.train()
        total = 0.0
        for inputs, targets in loader:
            optimiser.zero_grad()
            loss = F.cross_entropy(module(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), RECIPE.gradient_clip)
            optimiser.step()
            total += loss.item()
        module.eval()
        with torch.no_grad():
            right = sum(int((module(x).argmax(1) == y).sum()) for x, y in scored)
        return total, right

    return epoch


def time_action(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def against_plain(rounds: int, examples: int) -> list[tuple[float, float]]:
    torch.set_num_threads(1)
    parts = data(examples), data(examples // 5)
    fast, slow = ours(*parts), plain(*parts)
    fast(), slow()  # warm up
    return [(time_action(fast), time_action(slow)) for _ in range(rounds)]


class Worker:
    """A process of `threads` threads that trains an epoch for every line on its input."""

    def __init__(self, threads: int, examples: int, *more: str) -> None:
        command = [sys.executable, __file__, "--worker", str(threads), "--examples", str(examples), *more]
        # Set before torch is imported there: afterwards the pools of threads exist.
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def begin(self) -> None:
        _pipe(self.process.stdin).write("epoch\n")
        _pipe(self.process.stdin).flush()

    def end(self) -> None:
        _pipe(self.process.stdout).readline()

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        self.process.wait()
        _pipe(self.process.stdout).close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def work(threads: int, examples: int, wide: bool, kept: bool) -> None:
    torch.set_num_threads(threads)
    if wide:
        epoch = ours(data(examples, 32, 3), data(examples // 5, 32, 3), bottlenecks(), batch=128)
    else:
        epoch = ours(data(examples), data(examples // 5))
    for _line in sys.stdin:
        with reuse_memory() if kept else nullcontext():
            epoch()
        print("done", flush=True)


def kept_against_given_back(rounds: int, examples: int, *more: str) -> list[tuple[float, float]]:
    workers = Worker(1, examples, "--kept", *more), Worker(1, examples, *more)

    def turn(worker: Worker) -> None:
        worker.begin()
        worker.end()

    for worker in workers:
        turn(worker)  # warm up
    times = []
    for _ in range(rounds):
        fast, slow = (time_action(partial(turn, worker)) for worker in workers)
        times.append((fast, slow))
    for worker in workers:
        worker.close()
    return times


def two_against_one(rounds: int, examples: int) -> list[tuple[float, float]]:
    pair = [Worker(1, examples), Worker(1, examples)]
    single = Worker(2, examples)

    def both() -> None:
        for worker in pair:
            worker.begin()
        for worker in pair:
            worker.end()

    def one_after_the_other() -> None:
        for _ in pair:
            single.begin()
            single.end()

    both(), one_after_the_other()  # warm up
    times = [(time_action(both), time_action(one_after_the_other)) for _ in range(rounds)]
    # Idle workers wait for input and take no time from the others.
    for worker in [*pair, single]:
        worker.close()
    return times


def report(title: str, goal: float | None, times: list[tuple[float, float]]) -> None:
    ratios = sorted(slow / fast for fast, slow in times)
    fast, slow = (statistics.median(column) for column in zip(*times))
    print(
        f"{title}: {statistics.median(ratios):.2f}x ({f'goal {goal}x; ' if goal else ''}{len(times)} rounds, "
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}; medians {fast:.2f} s and {slow:.2f} s an epoch)"
    )


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=1280)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--wide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.worker:
        work(chosen.worker, chosen.examples, chosen.wide, chosen.kept)
        return
    report("one thread, against the plain way", 1.4, against_plain(chosen.rounds, chosen.examples))
    both = two_against_one(chosen.rounds, chosen.examples)
    report("two processes of one thread, against one of two", 1.3, both)
    for title, more in (("small cells", ()), ("inverted bottlenecks", ("--wide",))):
        kept = kept_against_given_back(chosen.rounds, chosen.examples, *more)
        report(f"memory kept, {title}", None, kept)


if __name__ == "__main__":
    main()
