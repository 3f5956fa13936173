"""The networks of a portfolio, each trained alone for the same processor time on one thread.

    python benchmarks/portfolio.py DATA --seconds 120 --filters 16

Each network gets about the multiply-accumulates of the first one with `--filters`, and the last training of
the main job: images that grow, a rate that falls to 0; networks for texts are learned by AdamW. Prints the
test score, of a running text in bits per character, the parameters, the steps. Other processes on the machine
cost none of the time.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

import cambrian
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.networks.training.recipe import OPTIMISERS, PRECISIONS
from cambrian.outcome import ENDLESS, Fidelity
from cambrian.search.planning.optimisers import TEXT
from cambrian.search.planning.race.amounts import match_filters
from cambrian.search.planning.race.space import choose_race_space
from cambrian.search.planning.race.speed import count_work
from cambrian.spaces import SPACES

RECIPE: dict[str, Any] = {
    "learning_rate": 0.3,
    "batch_size": 128,
    "label_smoothing": 0.1,
    "schedule": "linear",
    "warmup": 0.1,
    "epoch_steps": 200,
    "first_resolution": 0.5,
}
TEXTS: dict[str, Any] = {**RECIPE, "batch_size": 32, "first_resolution": 1.0}
FEW = {"batch_size": 32, "weight_decay": 2e-3, "first_resolution": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--target", help="the column of a .csv")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--optimiser", choices=OPTIMISERS, help="default: muon, of texts adamw")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--rate", type=float, help="the learning rate")
    parser.add_argument("--space", help="default: the one that is raced")
    parser.add_argument("--few", action="store_true", help="the settings for few images, seen often")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = cambrian.load(arguments.data, **({"target": arguments.target} if arguments.target else {}))
    space = SPACES.parse(arguments.space or choose_race_space(task))
    texts = getattr(space, "causal", False)
    macs = {name: count_work(space, task, network) for name, network in space.portfolio.items()}
    names = [name for name in macs if not arguments.only or name in arguments.only.split(",")]
    for name in names:
        filters = match_filters(arguments.filters, next(iter(macs.values())), macs[name])
        fidelity = Fidelity(ENDLESS, skeleton={"filters": filters}, seconds=arguments.seconds)
        job = Job.of(space, space.portfolio[name], fidelity, task, stage="deliver")
        few = {**FEW, "cutout": min(task.height, task.width) * 3 // 8} if arguments.few else {}
        recipe = {**(TEXTS if texts else RECIPE), **few, "precision": arguments.precision}
        recipe["optimiser"] = arguments.optimiser or ("adamw" if texts else "muon")
        if recipe["optimiser"] == "adamw":
            recipe |= TEXT
        if task.causal:  # as the plan has it
            recipe["label_smoothing"] = 0.0
        if recipe["optimiser"] == "sgd":  # whose rate goes with the batch
            recipe["learning_rate"] *= recipe["batch_size"] / RECIPE["batch_size"]
        recipe["learning_rate"] = arguments.rate or recipe["learning_rate"]
        outcome = run(Train(**recipe), job)
        metrics = outcome.metrics
        score = outcome.value if task.causal else 100 * outcome.value
        print(
            f"{name:15s} {filters:3d} filters, {metrics['params']:9,.0f} parameters,"
            f" {metrics['steps']:6.0f} steps: {score:.{3 if task.causal else 2}f}",
            flush=True,
        )


def run(estimator: Train, job: Job) -> cambrian.Done:
    estimate = estimator.run(job)
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            outcome: cambrian.Done = end.value
            return outcome


if __name__ == "__main__":
    main()
