"""Rules for choosing one of the measured architectures, where validation is quiet and where it is noisy.

    python benchmarks/recommendation.py [--file recommendation.jsonl] [--random 100] [--bayes 10] [TABLE ...]
    python benchmarks/recommendation.py --report [--file recommendation.jsonl]

Each search is played once for 150 trials; each rule then chooses after 20, 50 and 150 trials, and is judged
by the test score of its choice. The report has the mean difference of each rule from "best measured", search
by search, with its 95 % interval. A play that is in the file is not played again.

Tables "of 500 images" add the sampling error of a validation part of so many images, sqrt(p (1 - p) / n), to
a published table, anew for each measurement: the noise of small data, around a known truth.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from noisy_tables import Table, list_tables, make_table, sampling_error
from scipy.stats import t as student

from cambrian.architecture import Architecture
from cambrian.benchmarks import play
from cambrian.predictors import PREDICTORS
from cambrian.predictors.predictor import make_trials

BUDGETS = (20, 50, 150)
Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Course:
    """The first trials of a search: different architectures, and their values float[n]."""

    table: Table
    seed: int
    architectures: tuple[Architecture, ...]
    values: Values

    def cut(self, count: int) -> Course:
        return replace(self, architectures=self.architectures[:count], values=self.values[:count])

    @cached_property
    def surrogate(self) -> tuple[Values, Values, float]:
        """By a Gaussian process: each architecture's mean given all values, its mean given all others'
        (Rasmussen & Williams 2006, Eq. 5.12), and the standard deviation of the noise."""
        # Broken networks must not set the scale: nothing is further below the median than thrice the best
        # is above it.
        middle = float(np.median(self.values))
        values = np.maximum(self.values, middle - 3.0 * (self.values.max() - middle))
        learner = PREDICTORS.make("gp").start(self.table.benchmark.space, self.seed, "recommend")
        fitted = learner.fit(make_trials(self.architectures, values))
        described = fitted.predictor.describe(self.table.benchmark.space, fitted.architectures)
        among = fitted.signal * fitted.predictor.correlation(fitted.kernel, described, described)
        inverse = np.linalg.inv(among + fitted.noise * np.eye(len(values)))
        targets = np.array(fitted.targets)
        weights = inverse @ targets
        without = fitted.unit.stretch(targets - weights / np.diag(inverse))
        return fitted.unit.stretch(among @ weights), without, math.sqrt(fitted.noise) * fitted.unit.one

    @property
    def sampling(self) -> float:
        """The sampling error of the best value."""
        return sampling_error(float(self.values.max()), self.table.images)


def choose_best(course: Course) -> Architecture:
    """The best measured: the house's rule."""
    return course.architectures[int(np.argmax(course.values))]


def choose_mean(course: Course) -> Architecture:
    """The highest posterior mean."""
    return course.architectures[int(np.argmax(course.surrogate[0]))]


def choose_shrunk(course: Course) -> Architecture:
    """Values shrunk towards the surrogate by the noise that it estimates."""
    return shrink(course, course.surrogate[2])


def choose_sampled(course: Course) -> Architecture:
    """Values shrunk towards the surrogate by the sampling error of the validation images."""
    return shrink(course, course.sampling)


def shrink(course: Course, noise: float) -> Architecture:
    """The architecture with the highest m + s^2 / (s^2 + noise^2) (value - m): m is the surrogate's mean
    without this value, s^2 what is left of its squared residuals once the noise is taken off."""
    _, without, _ = course.surrogate
    # Among those foretold to be good: residuals of bad networks are larger, and of no interest. By the
    # forecast and not by the value, which would choose residuals above 0.
    good = without >= np.median(without)
    signal = max(float(np.mean((course.values - without)[good] ** 2)) - noise**2, 0.0)
    kept = signal / (signal + noise**2) if signal else 0.0
    return course.architectures[int(np.argmax(without + kept * (course.values - without)))]


def choose_tied(course: Course) -> Architecture:
    """Of all within a standard error of the best, the surrogate's."""
    near = course.values >= course.values.max() - math.sqrt(2.0) * course.sampling
    return course.architectures[int(np.argmax(np.where(near, course.surrogate[0], -np.inf)))]


def measure_again(count: int) -> Callable[[Course], Architecture]:
    """The rule that measures the best few again, at the cost of as many trials, and takes the best mean."""

    def choose(course: Course) -> Architecture:
        known = course.cut(len(course.values) - count)
        top = np.argsort(-known.values, kind="stable")[:count]
        pairs = [(known.architectures[n], float(known.values[n])) for n in top]
        means = [(value + course.table.repeat(a, value, course.seed)) / 2 for a, value in pairs]
        return pairs[int(np.argmax(means))][0]

    return choose


RULES: dict[str, Callable[[Course], Architecture]] = {
    "best": choose_best,
    "posterior mean": choose_mean,
    "shrunk, own noise": choose_shrunk,
    "shrunk, sampling": choose_sampled,
    "tied, surrogate": choose_tied,
    "3 again": measure_again(3),
    "5 again": measure_again(5),
}


def judge(name: str, strategy: str, seed: int) -> dict[str, Any]:
    """One search, and the test score of each rule's choice after each budget."""
    table = make_table(name)
    trials = play(table.benchmark, strategy, max(BUDGETS), seed).trials
    measured = [t for t in trials if t.value is not None and t.cached is None]
    values = np.array([t.value for t in measured], np.float64)
    whole = Course(table, seed, tuple(t.architecture for t in measured), values)
    scores = {
        str(n): {rule: table.benchmark.test(choose(whole.cut(n))) for rule, choose in RULES.items()}
        for n in BUDGETS
    }
    return {"table": name, "strategy": strategy, "seed": seed, "scores": scores}


def read_plays(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def play_missing(file: Path, tables: Sequence[str], seeds: dict[str, int]) -> None:
    known = {(p["table"], p["strategy"], p["seed"]) for p in read_plays(file)}
    # Seed by seed: a run that is stopped has judged all tables equally.
    for seed in range(max(seeds.values())):
        for strategy in (s for s, count in seeds.items() if seed < count):
            for name in (t for t in tables if (t, strategy, seed) not in known):
                with file.open("a") as out:
                    out.write(json.dumps(judge(name, strategy, seed)) + "\n")


def report(file: Path) -> Iterator[str]:
    plays = read_plays(file)
    yield f"{'table':28} {'search':8} {'n':>3} {'seeds':>5} {'best':>7}  " + "  ".join(
        f"{rule:^22}" for rule in list(RULES)[1:]
    )
    for name in dict.fromkeys(p["table"] for p in plays):
        for strategy in dict.fromkeys(p["strategy"] for p in plays if p["table"] == name):
            some = [p["scores"] for p in plays if (p["table"], p["strategy"]) == (name, strategy)]
            for n in map(str, BUDGETS):
                yield write_row(f"{name:28} {strategy:8} {n:>3}", [scores[n] for scores in some])


def write_row(head: str, scores: Sequence[dict[str, float]]) -> str:
    best = np.array([s["best"] for s in scores])
    cells = [write_interval(np.array([s[rule] for s in scores]) - best) for rule in list(RULES)[1:]]
    return f"{head} {len(scores):5} {best.mean():7.3f}  " + "  ".join(cells)


def write_interval(differences: Values) -> str:
    """The mean and its 95 % interval; "+" or "-" where that is on one side of 0."""
    count, mean = len(differences), float(differences.mean())
    half = math.inf if count < 2 else float(student.ppf(0.975, count - 1) * differences.std(ddof=1))
    half /= math.sqrt(count)
    sign = "+" if mean > half else "-" if mean < -half else " "
    return f"{mean:+6.3f} [{mean - half:+6.2f},{mean + half:+6.2f}]{sign}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="*", default=list_tables())
    parser.add_argument("--file", type=Path, default=Path("recommendation.jsonl"))
    parser.add_argument("--random", type=int, default=100)
    parser.add_argument("--bayes", type=int, default=10)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        seeds = {"random": arguments.random, "bayes": arguments.bayes}
        play_missing(arguments.file, arguments.tables, seeds)
    print("\n".join(report(arguments.file)))


if __name__ == "__main__":
    main()
