"""The best network under a device's latency limit, against the exact one: figures of RESULTS.md.

    python benchmarks/limits.py [lat_pixel2 lat_titan_rtx_256 ...] [--seeds 30] [--out runs/limits]

NAS-Bench-201 with the latency limits of HELP (Lee et al., NeurIPS 2021) and NASFLAT (Akhauri & Abdelfattah,
MLSys 2024). A search has 150 proposals by CIFAR-10's validation accuracy after 200 epochs; a network over
the limit is refused before it is trained, and spends a proposal. Prints for each limit the exact optimum
among the table's networks that keep it, and of each strategy the mean regret to it in points of accuracy
with its standard error, the largest regret of the seeds, and the mean share of proposals that were refused.
A search that was computed is kept in the folder `--out`, and not computed again.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cambrian.benchmarks import benchmark
from cambrian.files import write_file
from cambrian.outcome import Infeasible
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES

PROPOSALS = 150
FIRST_SEED = 100
"""Of the seeds here; those below served to choose the strategies' settings."""
LIMITS = {
    "lat_pixel2": (14.4, 22.2, 34.0),
    "lat_titan_rtx_256": (18.0, 19.0, 25.0),
    "lat_gold_6226": (8.0, 11.0, 14.0),
}
"""Milliseconds, by the table's column of the device."""
STRATEGY_NAMES = ("random", "evolution", "nsga2", "bayes")


@dataclass(frozen=True)
class Limited:
    """The estimator `inner`, a table's, for networks whose `column` is at most `most`; others are refused."""

    inner: Any
    column: str
    most: float
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    leaves: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Any) -> Any:
        table = self.inner.open()
        latency = float(table.column(self.column).values[table.row(job.space, job.architecture)])
        if latency > self.most:
            return Infeasible("limit", f"{latency:g} ms", metrics={self.column: latency})
        return (yield from self.inner.run(job))


@dataclass(frozen=True)
class Contest:
    """The search for the most accurate network whose `column` is at most `most`."""

    column: str
    most: float

    @cached_property
    def table(self) -> Any:
        return benchmark("nb201-cifar10")

    @cached_property
    def optimum(self) -> float:
        """The highest validation accuracy of the networks that keep the limit."""
        estimator = self.table.estimator
        rows = estimator.open()
        kept = rows.column(self.column).values <= self.most
        return float((rows.column(estimator.objective).values[:, -1] * estimator.scale)[kept].max())

    def play(self, strategy: str, seed: int) -> dict[str, float]:
        """The regret of one search in points, and the share of its proposals that were refused."""
        search = Search(
            self.table.space,
            STRATEGIES.parse(strategy),
            Limited(self.table.estimator, self.column, self.most),
            budget=PROPOSALS,
            seed=seed,
            fidelity=self.table.fidelity,
            engine="serial",
        )
        trials = search.run(quiet=True).trials
        best = max(t.value for t in trials if t.value is not None)
        refused = sum(t.value is None for t in trials) / len(trials)
        return {"regret": 100 * (self.optimum - best), "refused": refused}


def find_figures(contest: Contest, strategy: str, seed: int, out: Path) -> dict[str, float]:
    """The figures of one search, as they were kept or else computed."""
    kept = out / contest.column / f"{contest.most:g}" / strategy / f"{seed}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_file(kept, json.dumps(contest.play(strategy, seed)).encode())
    figures: dict[str, float] = json.loads(kept.read_text())
    return figures


def describe(figures: list[dict[str, float]]) -> str:
    regret = np.array([each["regret"] for each in figures])
    refused = np.mean([each["refused"] for each in figures])
    error = regret.std(ddof=1) / len(regret) ** 0.5 if len(regret) > 1 else 0.0
    return f"regret {regret.mean():.3f} ± {error:.3f}, largest {regret.max():.3f}; {refused:.0%} refused"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("devices", nargs="*", default=list(LIMITS), metavar="DEVICE")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--strategies", nargs="*", default=list(STRATEGY_NAMES))
    parser.add_argument("--out", type=Path, default=Path("runs/limits"))
    arguments = parser.parse_args()
    unknown = [device for device in arguments.devices if device not in LIMITS]
    if unknown:
        parser.error(f"no limits for {', '.join(unknown)}: choose among {', '.join(LIMITS)}")
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.seeds)
    for device in arguments.devices:
        for most in LIMITS[device]:
            contest = Contest(device, most)
            print(f"{device} <= {most:g} ms: optimum {100 * contest.optimum:.3f} %", flush=True)
            for name in arguments.strategies:
                figures = [find_figures(contest, name, seed, arguments.out) for seed in seeds]
                print(f"  {name:30} {describe(figures)}", flush=True)


if __name__ == "__main__":
    main()
