"""Random architectures of spaces, each trained alike by several optimisers at their usual rates.

    python benchmarks/optimisers.py cifar.npz --spaces pnas --filters 8 --cells 3 --networks 4

Amounts are those of a search of some hours: four epochs of a fifth of the images. Prints the validation
accuracy of each network, and the processor seconds of all.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from portfolio import run

import cambrian
from cambrian.architecture import sample
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.networks.training.recipe import OPTIMISERS
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.spaces import SPACES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--spaces", nargs="+", default=["pnas", "nasbench201"])
    parser.add_argument("--optimisers", nargs="+", default=["sgd", "muon"], choices=OPTIMISERS)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--filters", type=int, help="of spaces that have them; else the smallest")
    parser.add_argument("--cells", type=int)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--fraction", type=float, default=0.2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = cambrian.load(arguments.data)
    for name in arguments.spaces:
        space = SPACES.parse(name).for_task(task)
        facts = SpaceFacts(space)
        named = {name: n for name in facts.settings if (n := vars(arguments).get(name)) is not None}
        fidelity = Fidelity(arguments.epochs, arguments.fraction, skeleton=facts.size(0) | named)
        for optimiser in arguments.optimisers:
            scores, began = [], time.process_time()
            for number in range(arguments.networks):
                architecture = sample(space, stream(number, "cells"))
                outcome = run(Train(optimiser=optimiser), Job.of(space, architecture, fidelity, task))
                scores.append(100 * outcome.value if isinstance(outcome, Done) else float("nan"))
            each = ", ".join(f"{score:.2f}" for score in scores)
            print(
                f"{name} by {optimiser}: {each}; mean {statistics.mean(scores):.2f},"
                f" {time.process_time() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
