"""What a child gains from its parent's weights: `python benchmarks/morphisms.py RUN [DATA]`.

In the space of network morphisms, for each seed: a random parent is trained; a child of it by random
morphisms is trained for as many epochs from the parent's weights, and from scratch, and from scratch for
twice as many, which is what parent and child had together. The results are validation accuracies, and the
mean of the paired differences with its interval of 95 % (Student's t).

    python benchmarks/morphisms.py /tmp/morphisms digits --epochs 3
    python benchmarks/morphisms.py /tmp/morphisms digits --searches --seconds 60

With --searches: NASH against random search in the same space, at equal seconds, by the best validation
accuracy. Random search trains every network for --full epochs, NASH every child for --epochs.

Every result is a line of RUN/children.jsonl or RUN/searches.jsonl: the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from cambrian.architecture import Architecture, sample
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.search.search import Search
from cambrian.spaces.branches.network_morphism.space import NetworkMorphism
from cambrian.strategies.morphing.children import apply_morphs, morphs_of
from cambrian.strategies.morphing.nash import NASH
from cambrian.tasks import load
from cambrian.tasks.task import Task
from cambrian.weights import FRESH, MORPHISM, Inherit, Weights

SPACE = NetworkMorphism()
Facts = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--limit", type=int, help="read at most so many images")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--full", type=int, default=12)
    parser.add_argument("--morphisms", type=int, default=2)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--searches", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    asked.run.mkdir(parents=True, exist_ok=True)
    task = load(asked.data, limit=asked.limit)
    if asked.searches:
        rows = collect(
            asked.run / "searches.jsonl", asked.seeds, lambda seed: compare_searches(asked, task, seed)
        )
        report(rows, "nash", "random")
        return
    rows = collect(
        asked.run / "children.jsonl", asked.seeds, lambda seed: compare_children(asked, task, seed)
    )
    report(rows, "inherited", "scratch")
    report(rows, "inherited", "twice")


def collect(path: Path, seeds: int, measure: Callable[[int], Facts]) -> list[Facts]:
    """The facts of every seed, those that the file does not have being measured and added to it."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    for seed in set(range(seeds)) - {row["seed"] for row in rows}:
        rows.append({"seed": seed, **measure(seed)})
        with path.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(rows[-1], flush=True)
    return [row for row in rows if row["seed"] < seeds]


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


def compare_searches(asked: argparse.Namespace, task: Task, seed: int) -> Facts:
    """The best validation accuracy of either search, and the networks that it trained."""
    facts: Facts = {}
    skeleton = {"filters": asked.filters}
    searches = {"nash": (NASH(), asked.epochs), "random": ("random", asked.full)}
    for name, (strategy, epochs) in searches.items():
        fidelity = Fidelity(epochs, skeleton=skeleton)
        search = Search(
            SPACE, strategy, Train(), task, f"{asked.seconds:g}s", fidelity=fidelity, seed=seed, final=None
        )
        result = search.run(asked.run / f"{name}-{seed}", quiet=True)
        values = [t.value for t in result.trials if t.value is not None]
        facts |= {name: max(values, default=0.0), f"{name}_networks": len(values)}
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
