"""Whether the best network of a search for a table is worth training anew, on train and validation, where the
time is too short for a whole training: on five kinds of data, networks that a search begins with and random
ones.

    python benchmarks/last_training.py

Prints for each network its score on the test part as the search trained it; trained on from there, and
trained anew, for an eighth, a quarter and a half of the epochs; and trained anew for all of them; and at last
the means.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets
from tables import run_to_end

import cambrian
from cambrian.architecture import Architecture, sample
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.search.parts.components import space_for
from cambrian.search.planning.optimisers import choose_optimiser
from cambrian.weights import AS_TRAINED, FRESH, Inherit, Weights

EPOCHS, FILTERS = 16, 16
PARTS = (8, 4, 2)


def load_data() -> dict[str, tuple[Any, Any]]:
    clusters = {"n_informative": 8, "n_redundant": 4, "n_classes": 3, "n_clusters_per_class": 3}
    return {
        "digits": datasets.load_digits(return_X_y=True),
        "friedman": datasets.make_friedman1(1500, 10, noise=1.0, random_state=1),
        "breast-cancer": datasets.load_breast_cancer(return_X_y=True),
        "clusters": datasets.make_classification(6000, 20, random_state=3, **clusters),
        "diabetes": datasets.load_diabetes(return_X_y=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--random", type=int, default=4, help="random networks of each kind of data")
    args = parser.parse_args()
    names = ["as trained", *(f"{how} 1/{part}" for part in PARTS for how in ("on", "anew")), "anew"]
    print("data, network:", ", ".join(names), flush=True)
    scores = []
    for name, (inputs, targets) in load_data().items():
        task = cambrian.load((np.asarray(inputs), np.asarray(targets)), test=0.25, features=True)
        space = space_for("tabular", task)
        networks = dict(space.begins)  # type: ignore[attr-defined]
        networks |= {f"random {n}": sample(space, stream(n, "networks")) for n in range(args.random)}
        for called, architecture in networks.items():
            scores.append(measure(task, space, architecture))
            print(f"{name}, {called}:", *(f"{score:.2%}" for score in scores[-1]), flush=True)
    print("mean:", *(f"{score:.2%}" for score in np.mean(scores, axis=0)))


def measure(task: Any, space: Any, architecture: Architecture) -> list[float]:
    """The scores on the test part, in the order of the columns."""
    train = Train(**{**choose_optimiser(task, {}, space), "batch_size": 64})

    def run(epochs: int, weights: Weights = FRESH, stage: str = "deliver", **more: Any) -> Done:
        fidelity = Fidelity(epochs, skeleton={"filters": FILTERS})
        return run_to_end(
            train.run(Job.of(space, architecture, fidelity, task, weights=weights, stage=stage, **more))
        )

    with tempfile.TemporaryDirectory() as folder:
        run(EPOCHS, stage="search", keep=Path(folder))
        files = {"artifacts": {path.name: path for path in Path(folder).iterdir()}}
        outcomes = [run(EPOCHS, Inherit(0, AS_TRAINED), **files)]
        for part in PARTS:
            outcomes += [run(EPOCHS // part, Inherit(0), **files), run(EPOCHS // part)]
        outcomes.append(run(EPOCHS))
    return [outcome.value for outcome in outcomes]


if __name__ == "__main__":
    main()
