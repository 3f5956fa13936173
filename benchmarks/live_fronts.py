"""Fronts of accuracy against parameters by strategies that see several objectives, on real trainings.

    python benchmarks/live_fronts.py [--trials 60] [--seeds 3] [--strategies random nsga2 ...] [--out FOLDER]

Handwritten digits, PNAS's cells of up to three blocks, 8 filters, 3 cells, 4 epochs, validation accuracy. All
strategies have the same trainings to make. Prints for each the share of the hypervolume of the front that
all searches together have (reference: its worst less a tenth of its range), by seed. A search is kept in the
folder `--out`, resumed where it was interrupted, and not repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import cambrian
from cambrian.estimators.train import Train
from cambrian.hypervolume import Vector, choose_reference, measure_hypervolume
from cambrian.outcome import Fidelity
from cambrian.problem import Objective
from cambrian.recommendation import front_numbers
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES

OBJECTIVES = (Objective("accuracy"), Objective("params", minimize=True))


def run_search(strategy: str, trials: int, seed: int, place: Path) -> list[Vector]:
    """The accuracy and the negated parameters of all networks that were trained."""
    if (place / "ledger.jsonl").exists():
        search = Search.resume(place)
    else:
        search = Search(
            SPACES.parse("pnas(blocks=3)"),
            STRATEGIES.parse(strategy),
            Train(optimiser="muon", batch_size=64),
            cambrian.load("digits"),
            budget=trials,
            seed=seed,
            fidelity=Fidelity(4, skeleton={"filters": 8, "cells": 3}),
            objectives=OBJECTIVES[1:],
            final=None,
            workers=1,
        )
    result = search.run(place)
    return [trial.scores(OBJECTIVES) for trial in result.trials if isinstance(trial.outcome, cambrian.Done)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategies", nargs="*", default=["random", "nsga2", "popnas"])
    parser.add_argument("--out", type=Path, default=Path("runs/live-fronts"))
    asked = parser.parse_args()
    found = {
        (strategy, seed): run_search(
            strategy, asked.trials, seed, asked.out / f"{strategy}-{asked.trials}-{seed}"
        )
        for seed in range(asked.seeds)
        for strategy in asked.strategies
    }
    everything = [vector for vectors in found.values() for vector in vectors]
    numbers = front_numbers(everything)
    front = [vector for vector, number in zip(everything, numbers, strict=True) if number == 0]
    reference = choose_reference(front, OBJECTIVES)
    whole = measure_hypervolume(front, reference)
    for strategy in asked.strategies:
        shares = [measure_hypervolume(found[strategy, s], reference) / whole for s in range(asked.seeds)]
        print(f"{strategy:10} {np.mean(shares):.3f}: {', '.join(f'{share:.3f}' for share in shares)}")


if __name__ == "__main__":
    main()
