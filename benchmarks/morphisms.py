"""What a child gains from its parent's weights: `python benchmarks/morphisms.py RUN [DATA]`.

In the space of network morphisms, for each seed: a random parent is trained; a child of it by random
morphisms is trained for as many epochs from the parent's weights, and from scratch, and from scratch for
twice as many, which is what parent and child had together. The results are validation accuracies, and the
mean of the paired differences with its interval of 95 % (Student's t).

    python benchmarks/morphisms.py /tmp/morphisms digits --epochs 3
    python benchmarks/morphisms.py /tmp/morphisms digits --searches --seconds 60

With --searches: NASH against random search in the same space, at equal seconds, by the best validation
accuracy of the networks that were finished in --seconds. They are seconds of the processor in trainings,
which another load on the machine does not change. Random search trains every network for --full epochs, NASH
every child for --epochs. A search that was interrupted goes on.

Every result is a line of --out, RUN/children.jsonl or RUN/searches.jsonl where none is given: the same
command goes on where it was stopped, over as many nights as it needs. `--share 2/4` measures the second of
four shares of the seeds; give each share an --out of its own, and join the lines.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.stats import t as student

from cambrian.architecture import Architecture, sample
from cambrian.estimators.estimator import Estimate
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.files import write_file
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.search import Search
from cambrian.spaces.branches.network_morphism.space import NetworkMorphism
from cambrian.strategies.morphing.children import apply_morphs, morphs_of
from cambrian.strategies.morphing.nash import NASH
from cambrian.strategies.random import Random
from cambrian.strategies.strategy import Stop
from cambrian.tasks import load
from cambrian.tasks.task import Task
from cambrian.weights import FRESH, MORPHISM, Inherit, Weights

SPACE = NetworkMorphism()
Facts = dict[str, Any]
PROCESSOR = "processor_seconds"
CLOCK = 20
"""Seconds by the clock for one of the processor, after which a search ends in any case."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--limit", type=int, help="read at most so many images")
    parser.add_argument("--size", type=int, help="pixels a side")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--full", type=int, default=12)
    parser.add_argument("--morphisms", type=int, default=2)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--searches", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path, help="the file of rows; RUN/children.jsonl or RUN/searches.jsonl")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="the seeds of share K of N")
    asked = parser.parse_args()
    seeds = share_seeds(asked.seeds, asked.share)
    asked.run.mkdir(parents=True, exist_ok=True)
    task = load(asked.data, limit=asked.limit, **({"size": asked.size} if asked.size else {}))
    if asked.searches:
        path = asked.out or asked.run / "searches.jsonl"
        rows = collect(path, seeds, lambda seed: compare_searches(asked, task, seed))
        report(rows, "nash", "random")
        return
    path = asked.out or asked.run / "children.jsonl"
    rows = collect(path, seeds, lambda seed: compare_children(asked, task, seed))
    report(rows, "inherited", "scratch")
    report(rows, "inherited", "twice")


def share_seeds(count: int, share: str) -> range:
    """The seeds of one share.

    >>> list(share_seeds(10, "2/4"))
    [1, 5, 9]
    """
    which, of = map(int, share.split("/"))
    if not 1 <= which <= of:
        raise SystemExit(f"--share {share}: expected K/N with 1 <= K <= N, such as 1/4")
    return range(which - 1, count, of)


def collect(path: Path, seeds: Collection[int], measure: Callable[[int], Facts]) -> list[Facts]:
    """The facts of every seed, those that the file does not have being measured and added to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]  # a line that was cut off is measured again
    if whole != text:
        write_file(path, whole.encode())
    rows = [json.loads(line) for line in whole.splitlines()]
    for seed in sorted(set(seeds) - {row["seed"] for row in rows}):
        rows.append({"seed": seed, **measure(seed)})
        with path.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(rows[-1], flush=True)
    return [row for row in rows if row["seed"] in seeds]


def compare_children(asked: argparse.Namespace, task: Task, seed: int) -> Facts:
    """A child from its parent's weights and from scratch."""
    rng = stream(seed, "morphisms")
    parent, morphing = sample(SPACE, rng), morphs_of(SPACE)
    child, applied = apply_morphs(morphing, morphing.morphs, parent, asked.morphisms, rng)
    fidelity = Fidelity(asked.epochs, skeleton={"filters": asked.filters})
    twice = Fidelity(2 * asked.epochs, skeleton={"filters": asked.filters})
    with tempfile.TemporaryDirectory() as folder:
        before = train(parent, fidelity, task, seed, keep=Path(folder))
        kept = {path.name: path for path in Path(folder).iterdir()}
        after = train(child, fidelity, task, seed, weights=Inherit(0, MORPHISM), artifacts=kept)
    return {
        "parent": before.value,
        "inherited": after.value,
        "scratch": train(child, fidelity, task, seed).value,
        "twice": train(child, twice, task, seed).value,
        "morphisms": applied,
        "exact": after.data["inherited"]["exact"],
        "difference": after.data["inherited"]["difference"],
    }


def train(
    architecture: Architecture,
    fidelity: Fidelity,
    task: Task,
    seed: int,
    weights: Weights = FRESH,
    **rest: Any,
) -> Done:
    """The outcome of a training as a search has it."""
    estimate = Train().run(Job.of(SPACE, architecture, fidelity, task, seed=seed, weights=weights, **rest))
    try:
        while True:
            next(estimate)
    except StopIteration as ended:
        outcome = ended.value
    assert isinstance(outcome, Done), outcome
    return outcome


class TimedTrain(Train):
    """`Train`, whose outcomes have the processor's seconds that they took."""

    def run(self, job: Job) -> Estimate:
        began = time.process_time()
        outcome = yield from super().run(job)
        metrics = {**outcome.metrics, PROCESSOR: time.process_time() - began}
        return msgspec.structs.replace(outcome, metrics=metrics)


@dataclass(frozen=True)
class Until:
    """The strategy `inner` until trainings have taken so many seconds of the processor. The state is the
    inner one, and the seconds that were learned of."""

    inner: Any
    seconds: float

    def __getattr__(self, name: str) -> Any:  # what it needs and requests is the inner strategy's
        if name == "inner" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def start(self, problem: Problem) -> tuple[Any, float]:
        return self.inner.start(problem), 0.0

    def propose(self, state: tuple[Any, float], pending: Any, rng: np.random.Generator) -> Any:
        if state[1] >= self.seconds:
            return Stop("the seconds are spent")
        return self.inner.propose(state[0], pending, rng)

    def learn(self, state: tuple[Any, float], trial: Trial) -> tuple[Any, float]:
        return self.inner.learn(state[0], trial), state[1] + read_seconds(trial)

    def keeps(self, state: tuple[Any, float]) -> Any:
        return self.inner.keeps(state[0]) if hasattr(self.inner, "keeps") else ()

    def recommend(self, state: tuple[Any, float]) -> Any:
        return self.inner.recommend(state[0]) if hasattr(self.inner, "recommend") else ()


def read_seconds(trial: Trial) -> float:
    metrics = getattr(trial.outcome, "metrics", {})
    return float(metrics.get(PROCESSOR, 0.0))


def compare_searches(asked: argparse.Namespace, task: Task, seed: int) -> Facts:
    """The best validation accuracy of either search, and the networks that it trained, within the seconds."""
    facts: Facts = {}
    skeleton = {"filters": asked.filters}
    searches = {"nash": (NASH(), asked.epochs), "random": (Random(), asked.full)}
    for name, (strategy, epochs) in searches.items():
        fidelity = Fidelity(epochs, skeleton=skeleton)
        until, clock = Until(strategy, asked.seconds), f"{CLOCK * asked.seconds:g}s"
        search = Search(SPACE, until, TimedTrain(), task, clock, fidelity=fidelity, seed=seed, final=None)
        result = search.run(asked.run / f"{name}-{seed}", quiet=True)
        spent = np.cumsum([read_seconds(t) for t in result.trials])
        values = [
            t.value for t, at in zip(result.trials, spent) if t.value is not None and at <= asked.seconds
        ]
        facts |= {name: max(values, default=0.0), f"{name}_networks": len(values)}
        facts[f"{name}_seconds"] = float(min(asked.seconds, spent[-1])) if len(spent) else 0.0
    return facts


def report(rows: list[Facts], one: str, other: str) -> None:
    """The means, and the mean difference with its interval."""
    differences = np.array([row[one] - row[other] for row in rows])
    count = len(differences)
    if count < 2:
        return
    half = student.ppf(0.975, count - 1) * differences.std(ddof=1) / count**0.5
    means = [float(np.mean([row[name] for row in rows])) for name in (one, other)]
    low, high = differences.mean() - half, differences.mean() + half
    print(
        f"{one} {means[0]:.4f}, {other} {means[1]:.4f}: difference {differences.mean():+.4f},"
        f" 95 % interval {low:+.4f} to {high:+.4f} ({count} seeds, {int((differences > 0).sum())} above 0)"
    )


if __name__ == "__main__":
    main()
