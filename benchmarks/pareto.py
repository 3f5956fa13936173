"""Fronts of accuracy against a device's latency or energy, beside Optuna's: figures of RESULTS.md.

    python benchmarks/pareto.py [lat_1080ti_1 lat_raspi4 ...] [--seeds 30] [--out runs/pareto]

NAS-Bench-201: validation accuracy on CIFAR-10 after 200 epochs, as the table has it, and one measurement on a
device; 150 evaluations. Prints the mean share of the exact front's hypervolume that each search reaches, its
standard error, the least of the seeds, and the signed-rank test against Optuna's NSGA-II (p not adjusted for
the number of strategies). The reference point is a tenth of the exact front's range below its worst values,
the same for everybody. A share that was computed is kept in the folder `--out`, and not computed again.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna

from cambrian.benchmarks import benchmark
from cambrian.files import write_file
from cambrian.hypervolume import Vector, choose_reference, measure_hypervolume
from cambrian.problem import Objective
from cambrian.recommendation import front_numbers
from cambrian.referee.statistics import wilcoxon
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.strategies.bayesian.tpe import suggest

EVALUATIONS = 150
FIRST_SEED = 100
"""Of the seeds here; those below served to choose the settings of nsga2 and of scalarised evolution."""
DEVICES = ("lat_1080ti_1", "lat_raspi4", "lat_eyeriss", "energy_mj_pi5_onnx_cifar100")
OURS = (
    "bayes",
    "nsga2",
    "scalarised",
    'scalarised(strategy="evolution(population=20, sample=10)")',
    "random",
)
RIVAL = "optuna NSGA-II"
THEIRS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    RIVAL: lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    # With as many parents as nsga2 has of 150 trials.
    "optuna NSGA-II(10)": lambda seed: optuna.samplers.NSGAIISampler(population_size=10, seed=seed),
    "optuna MOTPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
}


@dataclass(frozen=True)
class Contest:
    """Validation accuracy, and the column `device` of the table, which is to be low."""

    device: str

    @cached_property
    def table(self):
        return benchmark("nb201-cifar10")

    @property
    def objectives(self) -> tuple[Objective, Objective]:
        return Objective("c10_val"), Objective(self.device, minimize=True)

    @cached_property
    def vectors(self) -> list[Vector]:
        """Both objectives of each row, higher being better."""
        rows = self.table.estimator.open()
        accuracy = rows.column("c10_val").values[:, -1] * self.table.estimator.scale
        return list(zip(accuracy.tolist(), (-rows.column(self.device).values).tolist(), strict=True))

    @cached_property
    def front(self) -> list[Vector]:
        """The exact front."""
        # Of each distinct latency only the most accurate can be on it: the sort is of hundreds, not 15,625.
        best: dict[float, float] = {}
        for accuracy, cost in self.vectors:
            best[cost] = max(accuracy, best.get(cost, 0.0))
        left, highest = [], 0.0
        for cost in sorted(best, reverse=True):
            if best[cost] > highest:
                highest = best[cost]
                left.append((highest, cost))
        assert not any(front_numbers(left))
        return left

    def share(self, vectors: list[Vector]) -> float:
        """The share of the exact front's hypervolume that the vectors have."""
        reference = choose_reference(self.front, self.objectives)
        return measure_hypervolume(vectors, reference) / measure_hypervolume(self.front, reference)


def play_ours(contest: Contest, strategy: str, seed: int) -> float:
    search = Search(
        contest.table.space,
        STRATEGIES.parse(strategy),
        contest.table.estimator,
        budget=EVALUATIONS,
        seed=seed,
        fidelity=contest.table.fidelity,
        objectives=contest.objectives[1:],
        engine="serial",
    )
    result = search.run(quiet=True)
    return contest.share([t.scores(contest.objectives) for t in result.front])


def play_theirs(contest: Contest, strategy: str, seed: int) -> float:
    rows, space, seen = contest.table.estimator.open(), contest.table.space, []

    def evaluate(trial: optuna.Trial) -> Vector:
        seen.append(contest.vectors[rows.row(space, suggest(space, trial))])
        return seen[-1]

    study = optuna.create_study(directions=["maximize", "maximize"], sampler=THEIRS[strategy](seed))
    study.optimize(evaluate, n_trials=EVALUATIONS)
    return contest.share(seen)


def find_share(contest: Contest, strategy: str, seed: int, out: Path) -> float:
    """The share of one search, as it was kept or else computed."""
    kept = out / contest.device / strategy / f"{seed}.json"
    if not kept.exists():
        play = play_theirs if strategy in THEIRS else play_ours
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_file(kept, json.dumps(play(contest, strategy, seed)).encode())
    return float(json.loads(kept.read_text()))


def describe(shares: np.ndarray, rival: np.ndarray) -> str:
    error = shares.std(ddof=1) / len(shares) ** 0.5 if len(shares) > 1 else 0.0
    text = f"{shares.mean():.4f} ± {error:.4f}, least {shares.min():.3f}"
    difference = np.round(shares - rival, 9)
    return f"{text}, {difference.mean():+.4f} to {RIVAL}, p {wilcoxon(difference)[1]:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("devices", nargs="*", default=list(DEVICES))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--strategies", nargs="*", default=[*OURS, *THEIRS])
    parser.add_argument("--out", type=Path, default=Path("runs/pareto"))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
    for device in arguments.devices:
        contest = Contest(device)
        print(f"{device}: {len(contest.front)} on the exact front, {len(seeds)} seeds", flush=True)
        names = dict.fromkeys((RIVAL, *arguments.strategies))
        shares = {n: np.array([find_share(contest, n, s, arguments.out) for s in seeds]) for n in names}
        for name in names:
            print(f"  {name:60} {describe(shares[name], shares[RIVAL])}", flush=True)


if __name__ == "__main__":
    main()
