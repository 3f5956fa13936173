"""Lower fidelities against full ones at equal epochs, on tables with several: bars of RESULTS.md.

    python benchmarks/multifidelity.py [nb201-halving nb201 spikenas ...] [--seeds 50]
                                       [--out runs/multifidelity] [--workers 1]

A continued training pays the difference only, where the table holds whole curves (`spikenas`), and all of
itself where it does not (`nb201`). Every search is kept in the folder `--out`, and not played again. Prints
the mean test score of the incumbents after parts of the budget, and each strategy's difference to random
search and to others at the end, with its bootstrap interval and the signed-rank test's p-value, which is
not adjusted for the number of strategies.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cambrian.referee import Comparison, compare
from cambrian.referee.statistics import interval, wilcoxon

PARTS = (0.2, 0.4, 1.0)
RIVALS = ("random", "hyperband", "asha(form=stopping)", "bohb", "bayes")


@dataclass(frozen=True)
class Contest:
    """`epochs` for each search on `benchmark`."""

    benchmark: str
    epochs: int
    strategies: tuple[str, ...]


CONTESTS = {
    # 400 networks for 12 epochs and the best 20 of them for 200.
    "nb201-halving": Contest(
        "nb201-cifar10", 400 * 12 + 20 * 200, ("successive-halving(size=400, eta=20, passes=1)",)
    ),
    "nb201": Contest("nb201-cifar10", 8800, ("hyperband", "bohb", "asha", "pasha")),
    # As many epochs as 20 whole trainings take.
    "spikenas": Contest("spikenas", 2000, ("hyperband", "asha", "bohb", "pasha")),
    "spikenas-more": Contest("spikenas", 2000, ("successive-halving", "asha(form=stopping)", "freeze-thaw")),
    # The usual strategy of a budget of epochs, and the best of the others.
    "spikenas-usual": Contest("spikenas", 2000, ("bayes-asha", "asha(form=stopping)", "bayes")),
    "spikenas-few": Contest("spikenas", 600, ("bayes-asha", "asha(form=stopping)", "bayes")),
    "nb201-usual": Contest("nb201-cifar10", 8800, ("bayes-asha", "bohb", "bayes")),
    "nb101-usual": Contest("nb101-small", 2160, ("bayes-asha", "asha", "hyperband", "bayes")),
    "spikenas-dyhpo": Contest("spikenas", 2000, ("dyhpo", "hyperband")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("contests", nargs="*", default=list(CONTESTS))
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("runs/multifidelity"))
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    for name in arguments.contests:
        contest = CONTESTS[name]
        comparison = compare(
            contest.benchmark,
            contest.strategies,
            seeds=arguments.seeds,
            budget=f"{contest.epochs} epochs",
            directory=arguments.out / name,
            workers=arguments.workers,
        )
        print(f"{name}: {contest.epochs:,} epochs, {arguments.seeds} seeds", flush=True)
        for strategy in comparison.lines:
            print(f"  {strategy:46} {describe(comparison, strategy)}", flush=True)


def describe(comparison: Comparison, strategy: str) -> str:
    """The mean scores of a strategy after parts of the budget, and its differences to the others."""
    curves = comparison.curves
    scores = curves.scores[curves.strategies.index(strategy)]  # [seeds, budgets]
    places = [round(part * len(curves.at)) - 1 for part in PARTS]
    means = " ".join(f"{scores[:, place].mean():.3f}" for place in places)
    others = [other for other in RIVALS if other in curves.strategies and other != strategy]
    return "; ".join([means, *(compare_ends(comparison, strategy, other) for other in others)])


def compare_ends(comparison: Comparison, strategy: str, other: str) -> str:
    """The mean difference at the end of the budget, its 95 % interval, and the signed-rank test."""
    curves = comparison.curves
    ends = [curves.scores[curves.strategies.index(name), :, -1] for name in (strategy, other)]
    difference = np.round(ends[0] - ends[1], 9)
    low, high = interval(difference[:, None])
    _, p = wilcoxon(difference)
    return f"- {other} {difference.mean():+.3f} ({float(low[0]):+.3f} to {float(high[0]):+.3f}, p {p:.2g})"


if __name__ == "__main__":
    main()
