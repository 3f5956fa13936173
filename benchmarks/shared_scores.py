"""Children scored a second with shared weights: `python benchmarks/shared_scores.py`.

A supernet of NAS-Bench-201's space (4 filters, a cell a stage), 1,000 validation images of 16 x 16 x 3, one
thread. Statistics are re-estimated for each child on 512 images. Goal: at least 20 children a second; the
time is that of the process, so that other work on the machine takes nothing from it. Beside it, the same with
a supernet that is built and loaded anew for each child.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from cambrian.architecture import sample
from cambrian.codec import encode
from cambrian.estimators import supernets
from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import OUTER, SUPERNET, make_supernet
from cambrian.networks.checkpoint import save_weights
from cambrian.outcome import Fidelity
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


def measure(task: Task, filters: int, children: int, statistics: str, anew: bool) -> float:
    """Children a second, of the process's own time."""
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
        list(one_shot.run(jobs[0]))
        started = time.process_time()
        for job in jobs:
            if anew:
                supernets._held.clear()
            list(one_shot.run(job))
        return children / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--children", type=int, default=60)
    parser.add_argument("--filters", type=int, default=4)
    parser.add_argument("--side", type=int, default=16)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    task = make_task(asked.side)
    for statistics in ("measured", "running", "batch"):
        rate = measure(task, asked.filters, asked.children, statistics, anew=False)
        print(f"{statistics:>9} statistics: {rate:6.1f} children a second")
    rate = measure(task, asked.filters, asked.children, "measured", anew=True)
    print(f" measured, loaded anew: {rate:6.1f} children a second")


if __name__ == "__main__":
    main()
