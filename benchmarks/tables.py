"""Searches among networks for tables beside scikit-learn's gradient boosting and a random forest.

    python benchmarks/tables.py [--budget 60s] [--seeds 3] [--data breast-cancer,wine,...]
    python benchmarks/tables.py --portfolio [--seeds 1]

With `--portfolio` nothing is searched: the networks of the space's portfolio are trained as a search would,
for a quarter of the longest training and for the whole, and their validation scores are printed.

The data are those that come with scikit-learn, and two that are made: four classes in clusters
(`clusters`), and an exclusive or of signs, products and sizes (`xor`); by its name alone, `large`: 20,000
rows of three classes in clusters. The test part is a fifth, another one for each seed. A row is printed for
each; at the end the mean test accuracies, and that of the paired difference to the better of the two forests,
with its 95 % interval. Of `diabetes`, whose target is a number, and of `friedman` (Friedman 1991,
"Multivariate Adaptive Regression Splines", Sec. 4.3), the figures are the shares r2 of explained variance, in
percent."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import cambrian
from cambrian.architecture import Architecture
from cambrian.cli.scikit_models import fit_scikit
from cambrian.estimators.estimator import Estimate
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.search.planning.table_plan import FILTERS, MOST_EPOCHS
from cambrian.spaces.chains.tabular.space import TabularNetworks
from cambrian.tasks import Task


def read_data(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    rng = np.random.default_rng(0)
    if name == "clusters":
        pair: tuple[Any, Any] = datasets.make_classification(
            2000, 20, n_informative=8, n_redundant=4, n_classes=4, flip_y=0.1, random_state=1
        )
        return pair
    if name == "large":
        rows: tuple[Any, Any] = datasets.make_classification(
            20_000, 20, n_informative=8, n_redundant=4, n_classes=3, n_clusters_per_class=3, random_state=3
        )
        return rows
    if name == "friedman":
        numbers: tuple[Any, Any] = datasets.make_friedman1(1000, noise=1.0, random_state=1)
        return numbers
    if name == "xor":
        x = rng.normal(size=(3000, 8))
        return x, ((x[:, 0] > 0) ^ (x[:, 1] * x[:, 2] > 0.2) ^ (np.abs(x[:, 3]) > 1)).astype(int)
    load = {
        "breast-cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "digits": datasets.load_digits,
        "diabetes": datasets.load_diabetes,
    }[name]
    data = load()
    return data.data, data.target


def plant_forest(task: Task, seed: int) -> float:
    """The test score of a random forest of 300 trees: the accuracy, or of numbers r2."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    rows = task.inputs.reshape(len(task.inputs), -1)
    learned = np.concatenate([task.train, task.validation])
    model = RandomForestRegressor if task.goal.kind == "numbers" else RandomForestClassifier
    forest = model(300, random_state=seed).fit(rows[learned], task.targets[learned])
    return float(forest.score(rows[task.test], task.targets[task.test]))


def measure(name: str, budget: str, seed: int) -> tuple[float, float, float]:
    """Test scores of the found network, of boosting and of the forest, in percent."""
    task = cambrian.load(read_data(name), features=True, seed=seed, name=name)
    with tempfile.TemporaryDirectory() as place:
        result = cambrian.plan(task, budget, seed=seed).run(Path(place) / "run", quiet=True)
        found = float(result.winner.value or 0.0) if result.winner else 0.0
    return 100 * found, 100 * fit_scikit(task), 100 * plant_forest(task, seed)


def train_portfolio(name: str, seeds: int) -> dict[str, float]:
    """The mean validation score, in percent, of each network of the portfolio after each length."""
    space, scores = TabularNetworks(), {}
    recipe = Train(optimiser="adamw", batch_size=64)
    for network, architecture in space.portfolio.items():
        for length in (0.25, 1.0):
            asked = Architecture({**architecture, "train.length": length})
            values = []
            for seed in range(seeds):
                task = cambrian.load(read_data(name), features=True, seed=seed, name=name)
                job = Job.of(space, asked, Fidelity(MOST_EPOCHS, skeleton={"filters": FILTERS}), task)
                values.append(run_to_end(recipe.run(job)).value)
            scores[f"{network} {length:g}"] = 100 * float(np.mean(values))
    return scores


def run_to_end(estimate: Estimate) -> Done:
    while True:
        try:
            next(estimate)
        except StopIteration as ended:
            outcome: Done = ended.value
            return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default="breast-cancer,wine,digits,clusters,xor,diabetes,friedman")
    parser.add_argument("--portfolio", action="store_true")
    asked = parser.parse_args()
    for name in asked.data.split(","):
        if asked.portfolio:
            scores = train_portfolio(name, asked.seeds)
            print(
                f"{name:14}", *(f"{each} {score:.2f}" for each, score in scores.items()), sep="  ", flush=True
            )
            continue
        rows = []
        for seed in range(asked.seeds):
            rows.append(measure(name, asked.budget, seed))
            print(f"{name:14} seed {seed}: found %.2f, boosting %.2f, forest %.2f" % rows[-1], flush=True)
        means = np.mean(rows, axis=0)
        gains = np.array([found - max(others) for found, *others in rows])
        half = 1.96 * gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
        print(f"{name:14} mean: found %.2f, boosting %.2f, forest %.2f" % tuple(means), end="")
        print(f"; to the better of each pair {gains.mean():+.2f} +- {half:.2f}", flush=True)


if __name__ == "__main__":
    main()
