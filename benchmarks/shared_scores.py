"""Children scored a second with shared weights: `python benchmarks/shared_scores.py`.

A supernet of NAS-Bench-201's space (4 filters, a cell a stage), 1,000 validation images of 16 x 16 x 3, one
thread. Statistics are re-estimated for each child on 512 images. Goal: at least 20 children a second; the
time is that of the process, so that other work on the machine takes nothing from it. Beside it, in turns, the
same without the outputs that children share and with torch's own pooling, and with a supernet that is built
and loaded anew for each child; the scores of the first two differ by roundings only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from cambrian.architecture import sample
from cambrian.codec import encode
from cambrian.estimators import supernets
from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import OUTER, SUPERNET, make_supernet
from cambrian.networks.checkpoint import save_weights
from cambrian.networks.sharing.memo import Memo
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.tasks import load
from cambrian.tasks.task import Task
from cambrian.weights import Shared

SPACE = NASBench201()


def make_task(side: int) -> Task:
    """Noise: the time of a score does not depend on the pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (4000, side, side, 3), dtype=np.uint8)
    task = load((pixels, rng.integers(0, 10, 4000)))
    return replace(task, train=np.arange(3000), validation=np.arange(3000, 4000))


def score(one_shot: OneShot, job: Job) -> Done:
    outcomes: list[Any] = []

    def collect() -> Any:
        outcomes.append((yield from one_shot.run(job)))

    list(collect())
    outcome = outcomes[0]
    assert isinstance(outcome, Done)
    return outcome


@contextmanager
def without_memo() -> Iterator[None]:
    """Inside, nothing is kept for other children, and pooling is torch's own."""
    used = Memo.used

    @contextmanager
    def use_nothing(memo: Memo, phase: str) -> Iterator[None]:
        yield

    Memo.used = use_nothing  # type: ignore[assignment]
    try:
        yield
    finally:
        Memo.used = used  # type: ignore[method-assign]


def measure(
    task: Task, filters: int, children: int, statistics: str, anew: bool = False
) -> tuple[float, list[float]]:
    """Children a second, of the process's own time, and their losses."""
    one_shot = OneShot(batch_size=128, statistics=statistics, statistics_batches=4)
    fidelity = Fidelity(skeleton={"filters": filters, "cells": 1})
    with TemporaryDirectory() as place:
        file = Path(place) / SUPERNET
        first = Job.of(SPACE, sample(SPACE, stream(0)), fidelity, task)
        supernet = make_supernet(first, task, first.architecture)
        save_weights(supernet, file, {OUTER: encode(supernet.outer).decode()})
        jobs = [
            Job.of(
                SPACE, sample(SPACE, stream(n)), fidelity, task, weights=Shared(0), artifacts={SUPERNET: file}
            )
            for n in range(children)
        ]
        score(one_shot, jobs[0])
        losses, started = list[float](), time.process_time()
        for job in jobs:
            if anew:
                supernets._held.clear()
            losses.append(score(one_shot, job).metrics["loss"])
        return children / (time.process_time() - started), losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--children", type=int, default=60)
    parser.add_argument("--filters", type=int, default=4)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    task = make_task(asked.side)
    for statistics in ("measured", "running", "batch"):
        shared, alone, apart = list[float](), list[float](), 0.0
        for _ in range(asked.turns):
            rate, losses = measure(task, asked.filters, asked.children, statistics)
            shared.append(rate)
            with without_memo():
                rate, plain = measure(task, asked.filters, asked.children, statistics)
            alone.append(rate)
            apart = max(apart, *(abs(a - b) / b for a, b in zip(losses, plain, strict=True)))
        print(
            f"{statistics:>9} statistics: {median(shared):6.1f} children a second, without a memo"
            f" {median(alone):6.1f}; losses agree within {apart:.0e} of them",
            flush=True,
        )
    rate, _ = measure(task, asked.filters, asked.children, "measured", anew=True)
    print(f" measured, loaded anew: {rate:6.1f} children a second")


if __name__ == "__main__":
    main()
