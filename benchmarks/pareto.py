"""Fronts of accuracy against a device's latency or energy, beside Optuna's: figures of RESULTS.md.

    python benchmarks/pareto.py [lat_1080ti_1 lat_raspi4 ...] [--seeds 30] [--share 1/2]
    python benchmarks/pareto.py --seeds 0        # only prints what the rows say

NAS-Bench-201: validation accuracy on CIFAR-10 after 200 epochs, as the table has it, and one measurement on a
device; 150 evaluations. Prints the mean share of the exact front's hypervolume that each search reaches, its
standard error, the least of the seeds, and the mean difference to each rival of Optuna's over the seeds that
both have, from ten seeds on, with its 95 % interval (bootstrap). The reference point is a tenth of the exact
front's range below its worst values, the same for everybody.

Each search is a row of a file in the folder `--out`, and is not repeated while the row is there: delete the
rows of a strategy that has changed. `--share 1/2` runs every other search; processes at the same time need
different shares, since each writes a file of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna

from cambrian.benchmarks import benchmark
from cambrian.files import write_file
from cambrian.hypervolume import Vector, choose_reference, measure_hypervolume
from cambrian.problem import Objective
from cambrian.recommendation import front_numbers
from cambrian.referee.statistics import interval, wilcoxon
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.strategies.bayesian.tpe import suggest

EVALUATIONS = 150
FIRST_SEED = 100
"""Of the seeds here; those below served to choose the settings of nsga2 and of scalarised evolution."""
FEWEST = 10
"""Seeds for an interval: the bootstrap's is too narrow with fewer."""
DEVICES = ("lat_1080ti_1", "lat_raspi4", "lat_eyeriss", "energy_mj_pi5_onnx_cifar100")
OURS = (
    "bayes",
    "nsga2",
    "popnas",
    "dpp-net",
    "scalarised",
    'scalarised(strategy="evolution(population=20, sample=10)")',
    "random",
)
THEIRS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "optuna NSGA-II": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    # With as many parents as nsga2 has of 150 trials.
    "optuna NSGA-II(10)": lambda seed: optuna.samplers.NSGAIISampler(population_size=10, seed=seed),
    "optuna MOTPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
}
RIVALS = ("optuna NSGA-II", "optuna MOTPE")


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


@dataclass(frozen=True)
class Job:
    device: str
    strategy: str
    seed: int


@dataclass(frozen=True)
class Rows:
    """The share of each search that was run, and the processor's seconds that it took."""

    folder: Path
    name: str = "rows.jsonl"
    """Of the file that this process writes; it reads all."""

    def read(self) -> dict[Job, float]:
        rows = [
            json.loads(line)
            for f in sorted(self.folder.glob("*.jsonl"))
            for line in f.read_text().splitlines()
        ]
        return {Job(r["device"], r["strategy"], r["seed"]): r["share"] for r in rows}

    def add(self, job: Job, share: float, seconds: float) -> None:
        file = self.folder / self.name
        row = {**asdict(job), "share": round(share, 6), "seconds": round(seconds, 1)}
        self.folder.mkdir(parents=True, exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        write_file(file, before + json.dumps(row).encode() + b"\n")


def run(contest: Contest, job: Job) -> tuple[float, float]:
    """The share of one search, and the processor's seconds that it took."""
    play = play_theirs if job.strategy in THEIRS else play_ours
    start = time.process_time()
    return play(contest, job.strategy, job.seed), time.process_time() - start


def describe(shares: Mapping[int, float], rivals: Mapping[str, Mapping[int, float]]) -> str:
    values = np.array(list(shares.values()))
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    text = f"{values.mean():.4f} ± {error:.4f}, least {values.min():.3f} ({len(values)} seeds)"
    for name, theirs in rivals.items():
        pairs = [shares[seed] - theirs[seed] for seed in sorted(shares.keys() & theirs.keys())]
        if len(pairs) >= FEWEST and any(pairs):
            low, high = interval(np.array(pairs))
            p = wilcoxon(np.round(pairs, 9))[1]
            text += f"; {np.mean(pairs):+.4f} [{low:+.4f}, {high:+.4f}] to {name}, p {p:.2g}"
    return text


def report(devices: Sequence[str], strategies: Sequence[str], rows: Mapping[Job, float]) -> None:
    for device in devices:
        print(f"{device}:")
        shares = {
            n: {j.seed: s for j, s in rows.items() if (j.device, j.strategy) == (device, n)}
            for n in strategies
        }
        rivals = {n: shares[n] for n in RIVALS if shares.get(n)}
        for name in strategies:
            if shares[name]:
                print(f"  {name:60} {describe(shares[name], rivals)}", flush=True)


def list_jobs(arguments: argparse.Namespace, part: int, parts: int) -> list[Job]:
    """Those of one process. By seeds first: whenever it is stopped, all strategies have about as many."""
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
    jobs = product(*map(list, map(enumerate, (seeds, arguments.devices, arguments.strategies))))
    return [
        Job(device, strategy, seed)
        for (i, seed), (j, device), (k, strategy) in jobs
        if (i + j + k) % parts == part
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("devices", nargs="*", default=list(DEVICES))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--strategies", nargs="*", default=[*OURS, *THEIRS])
    parser.add_argument("--share", default="1/1")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "rows" / "pareto")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    part, parts = map(int, arguments.share.split("/"))
    rows = Rows(arguments.out, f"rows-{part}-of-{parts}.jsonl" if parts > 1 else "rows.jsonl")
    contests = {device: Contest(device) for device in arguments.devices}
    known = rows.read()
    for job in list_jobs(arguments, part - 1, parts):
        if job not in known:
            rows.add(job, *run(contests[job.device], job))
    report(arguments.devices, list(dict.fromkeys([*arguments.strategies, *RIVALS])), rows.read())


if __name__ == "__main__":
    main()
