"""The checks and the figures that need a GPU, in one command of at most nine minutes, written to one file.

    python benchmarks/gpu.py [PART ...] [--out gpu.json] [--device cuda]

The parts, all of them if none is named:

- `tests`: the tests that need a CUDA device.
- `children`: images a second and peak memory of a training, for a network of each of several spaces.
- `population`: images a second of so many different cells of PNAS, one by one and as one network.
- `supernet`: the same for a supernet of NAS-Bench-201's space, by sampled paths (SPOS) and by gates (DARTS).
- `resume`: a training in bfloat16 that is saved and continued, against one without a break.
- `memory`: a training beyond the device's memory is an outcome ("oom"), and the next one trains as before.
- `workers`: two trainings at a time on one device, against one at a time.

Each part is written to the file as soon as it is measured, and one that fails is written with its reason.
With `--device cpu --seconds 0.2` it runs anywhere, which tries the script and measures nothing of use.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cambrian.architecture import sample
from cambrian.errors import NothingSucceeded
from cambrian.estimators.build import build_network
from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernet_cost import measure_supernet
from cambrian.networks.pointwise import memory_format
from cambrian.networks.population.training import Population
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images, images
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.trainer import Training
from cambrian.outcome import Fidelity, Infeasible, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.tasks import load
from cambrian.tasks.task import Task

SIDE, CLASSES = 32, 10
CHILDREN = {
    "stages": {"filters": 32},
    "nasbench201": {"filters": 16, "cells": 5},
    "pnas": {"filters": 24, "cells": 2},
    "darts": {"filters": 16, "cells": 8},
}
"""Spaces and the skeletons of their networks: CIFAR-10's sizes in the papers, or near them."""
POPULATIONS = (1, 4, 8, 16)
CELLS = {"filters": 8, "cells": 2}
"""Small networks of PNAS, whose steps leave a GPU idle."""


def make_pixels(count: int) -> tuple[Any, Any]:
    """Noise in the shape of CIFAR-10: the time of a step does not depend on the pixels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8), rng.integers(0, CLASSES, count)


def make_images(count: int, device: str) -> Images:
    return images(*make_pixels(count), (0.5,) * 3, (0.25,) * 3, device)


def make_task(count: int) -> Task:
    return load(make_pixels(count))


def build(space: str, skeleton: dict[str, Any], number: int = 0) -> nn.Module:
    """A random network of the space, with seeded weights."""
    made = SPACES.make(space)
    job = Job.of(made, sample(made, stream(number, "gpu")), Fidelity(skeleton=skeleton), make_task(200))
    network = build_network(job)
    assert not isinstance(network, Infeasible)  # there are no limits
    return network


def synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def run_tests(asked: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    return {"passed": done.returncode == 0, "summary": done.stdout.strip().splitlines()[-1]}


def measure_children(asked: argparse.Namespace) -> dict[str, Any]:
    return {space: measure_training(space, skeleton, asked) for space, skeleton in CHILDREN.items()}


def measure_training(space: str, skeleton: dict[str, Any], asked: argparse.Namespace) -> dict[str, float]:
    """Images a second after a first epoch, and the peak bytes of the allocator."""
    network = build(space, skeleton)
    network = network.to(asked.device, memory_format=memory_format(network))  # type: ignore[call-overload]
    data = make_images(asked.images, asked.device)
    recipe = Recipe(batch_size=128, schedule="constant", warmup=0.0)
    training = Training(network, data, recipe, Augment(4, flip=True), epochs=10_000)
    training.run_epoch()
    if asked.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(asked.device)
    synchronise(asked.device)
    began, seen = time.perf_counter(), 0
    while time.perf_counter() - began < asked.seconds:
        training.run_epoch()
        synchronise(asked.device)
        seen += len(data)
    rate = seen / (time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated(asked.device) if asked.device.startswith("cuda") else 0
    parameters = sum(p.numel() for p in network.parameters())
    return {"images_a_second": rate, "peak_bytes": peak, "parameters": parameters}


def measure_populations(asked: argparse.Namespace) -> dict[str, Any]:
    """Images a second, summed over the networks, of trainings one by one and of one population."""
    figures: dict[str, Any] = {}
    for size in POPULATIONS:
        seconds = asked.seconds / len(POPULATIONS)
        alone = measure_rate(begin_alone(size, asked), size, seconds, asked)
        together = measure_rate([begin_population(size, asked)], size, seconds, asked)
        figures[f"{size} cells"] = {"one_by_one": alone, "together": together, "ratio": together / alone}
    return figures


def begin_alone(size: int, asked: argparse.Namespace) -> list[Training]:
    data = make_images(asked.images // 10, asked.device)
    networks = [build("pnas", CELLS, n).to(asked.device) for n in range(size)]
    networks = [n.to(memory_format=memory_format(n)) for n in networks]  # type: ignore[call-overload]
    return [Training(n, data, Recipe(batch_size=128), Augment(4, flip=True), 10_000) for n in networks]


def begin_population(size: int, asked: argparse.Namespace) -> Training:
    data = make_images(asked.images // 10, asked.device)
    networks = [build("pnas", CELLS, n).to(asked.device) for n in range(size)]
    return Population(networks, data, Recipe(batch_size=128), Augment(4, flip=True), 10_000).training


def measure_rate(
    trainings: list[Training], networks: int, seconds: float, asked: argparse.Namespace
) -> float:
    """Images a second over all networks, in whole epochs of each training, after a first one."""
    images, epochs = len(trainings[0].batches.images), 0
    for training in trainings:
        training.run_epoch()
    synchronise(asked.device)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for training in trainings:
            training.run_epoch()
        synchronise(asked.device)
        epochs += 1
    return epochs * images * networks / (time.perf_counter() - began)


def measure_supernets(asked: argparse.Namespace) -> dict[str, Any]:
    """Images a second of a step, children scored a second, and the bytes of tensors at the peak of a step."""
    space, task = SPACES.make("nasbench201"), make_task(asked.images)
    figures = {}
    for name in ("spos", "darts"):
        strategy = STRATEGIES.make(name)
        fidelity = Fidelity(epochs=50, skeleton={"filters": 16, "cells": 2})
        problem = Problem(space, fidelity=fidelity, trials=100)
        request = strategy.propose(strategy.start(problem), (), stream(0, "gpu"))
        job = Job(request, problem, task, device=asked.device)
        cost = measure_supernet(OneShot(batch_size=64), job)
        figures[name] = {
            "images_a_second": 1 / cost.step,
            "children_a_second": 1 / cost.score,
            "peak_bytes": cost.bytes,
        }
    return figures


def check_resume(asked: argparse.Namespace) -> dict[str, Any]:
    """The largest difference of weights between six epochs at once and three, a save, and three more."""
    data = make_images(512, asked.device)

    def begin() -> Training:
        network = build("nasbench201", {"filters": 8, "cells": 1}).to(asked.device)
        return Training(network, data, Recipe(batch_size=64), Augment(4, flip=True), epochs=6)

    whole, first, second = begin(), begin(), begin()
    for _ in range(6):
        whole.run_epoch()
    for _ in range(3):
        first.run_epoch()
    second.restore(*first.state())
    for _ in range(3):
        second.run_epoch()
    pairs = zip(whole.network.parameters(), second.network.parameters(), strict=True)
    return {"largest_difference": max(float((a - b).detach().abs().max()) for a, b in pairs)}


def check_memory(asked: argparse.Namespace) -> dict[str, Any]:
    """The reason of a trial that is given too little memory, and the bytes held before and after it."""
    if not asked.device.startswith("cuda"):
        return {"skipped": "needs a CUDA device"}
    held = torch.cuda.memory_allocated()
    task = make_task(2_000)
    search = Search(
        "nasbench201", "random", "train", task, 2, device=asked.device, memory=64 << 20, final=None
    )
    reasons = [t.outcome.reason if isinstance(t.outcome, Infeasible) else "none" for t in run_trials(search)]
    return {"reasons": reasons, "held_before": held, "held_after": torch.cuda.memory_allocated()}


def run_trials(search: Search) -> list[Trial]:
    try:
        return list(search.run(quiet=True).trials)
    except NothingSucceeded as error:
        return list(error.result.trials)


def measure_workers(asked: argparse.Namespace) -> dict[str, Any]:
    """Seconds of four short trainings with one worker and with two, on the one device."""
    task, figures = make_task(asked.images), {}
    for workers in (1, 2):
        began = time.perf_counter()
        fidelity = Fidelity(epochs=2, skeleton={"filters": 16, "cells": 2})
        more = {"device": asked.device, "workers": workers, "fidelity": fidelity, "final": None}
        Search("nasbench201", "random", "train", task, 4, **more).run(quiet=True)
        figures[f"{workers} workers"] = time.perf_counter() - began
    return figures


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "tests": run_tests,
    "children": measure_children,
    "population": measure_populations,
    "supernet": measure_supernets,
    "resume": check_resume,
    "memory": check_memory,
    "workers": measure_workers,
}


def describe_machine(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor()
    return {
        "device": name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "date": time.strftime("%F"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", default=list(PARTS))
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement")
    parser.add_argument("--images", type=int, default=12_800)
    asked = parser.parse_args()
    unknown = [part for part in asked.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here; --device cpu tries the script")
    figures: dict[str, Any] = {"machine": describe_machine(asked.device)}
    for part in asked.parts:
        began = time.perf_counter()
        try:
            figures[part] = PARTS[part](asked)
        except Exception as error:  # the other parts are worth having
            figures[part] = {"failed": f"{type(error).__name__}: {error}"}
        figures[part]["seconds"] = round(time.perf_counter() - began, 1)
        asked.out.write_text(json.dumps(figures, indent=1))
        print(part, json.dumps(figures[part]), flush=True)


if __name__ == "__main__":
    main()
