"""Every strategy on every space under every estimator that is not refused: killed once, resumed, nothing
lost; and the published table of them is the current one."""

from __future__ import annotations

from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import pytest
from test_ours import SKELETONS, STRATEGY_SETTINGS

from cambrian.architecture import sample
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.search.parts.compatibility import trains_supernets
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.strategies.bayesian.model_based import ModelBased
from cambrian.testing import PAIR, PairCase, toy_task
from cambrian.testing.matrix import page
from cambrian.testing.suite import NotApplicable

ESTIMATORS: dict[str, Any] = {
    "free": {"name": "function", "arguments": {"function": "measures:guess", "builds": False}},
    "built": {"name": "function", "arguments": {"function": "measures:parameters"}},
    "train": "train",
    "shared": {"name": "one-shot", "arguments": {"batch_size": 16, "paths": 1, "statistics_batches": 1}},
}
SCORES_NETWORKS = ("filtered",)
"""Strategies that bring an estimator of networks, whatever the other one is."""
PAIRS = list(product(SPACES.names(), STRATEGIES.names()))


def count_questions(space: str) -> int:
    """The size of a random architecture of it, with which a model's work grows."""
    return len(sample(SPACES.make(space), stream(0, "pairs")))


def asks_a_model(strategy: str) -> bool:
    """Whether it compares hundreds of architectures for each proposal."""
    return isinstance(STRATEGIES.make(strategy), ModelBased)


def choose_some() -> list[tuple[str, str]]:
    """Pairs in which each space and each strategy is, as few as there can be. Strategies that think long
    about an architecture are there once, each with a small space; the others share the large ones."""
    spaces = sorted(SPACES.names(), key=count_questions)
    models = [name for name in STRATEGIES.names() if asks_a_model(name)]
    others = [name for name in STRATEGIES.names() if name not in models]
    count = max(len(spaces), len(models) + len(others))
    chosen = [*models, *islice(cycle(others), count - len(models))]
    return list(zip(islice(cycle(spaces), count), chosen))


SOME = choose_some()


def choose_quick() -> list[tuple[str, str]]:
    """Of those, the first of each package of strategies."""
    packages: dict[str, tuple[str, str]] = {}
    for space, strategy in SOME:
        package = type(STRATEGIES.make(strategy)).__module__.rpartition(".")[0]
        packages.setdefault(package, (space, strategy))
    return list(packages.values())


QUICK = choose_quick()


def case(space: str, strategy: str, estimator: str, **more: int) -> PairCase:
    """Small settings, and a task of 96 noisy images."""
    return PairCase(
        space,
        {"name": strategy, "arguments": STRATEGY_SETTINGS.get(strategy, {})},
        ESTIMATORS[estimator],
        task=None if estimator == "free" and strategy not in SCORES_NETWORKS else toy_task(),
        fidelity=Fidelity(
            epochs=9 if getattr(STRATEGIES.get(strategy), "axes", ()) else 1,
            skeleton=SKELETONS.get(space, {}),
        ),
        **more,
    )


def tried(space: str, strategy: str, estimator: str, **more: int) -> None:
    if estimator == "shared" and not trains_supernets(STRATEGIES.make(strategy)):
        raise NotApplicable("it has no supernet to score anything with")
    for check in PAIR.checks:
        check(case(space, strategy, estimator, **more))


@pytest.mark.parametrize(
    ("space", "strategy"),
    [pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow) for pair in SOME],
)
def test_some_pairs(space: str, strategy: str) -> None:
    """With an estimator that costs nothing; where a model is asked, few trials after the random ones."""
    tried(space, strategy, "free", **({"trials": 12, "killed": 9} if asks_a_model(strategy) else {}))


def test_some_are_of_each() -> None:
    """No space and no strategy is left out of them."""
    assert {s for s, _ in SOME} == set(SPACES.names())
    assert {s for _, s in SOME} == set(STRATEGIES.names())


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("space", "strategy"), PAIRS)
def test_all_pairs(space: str, strategy: str, estimator: str) -> None:
    """With each estimator."""
    tried(space, strategy, estimator)


def test_the_published_table_is_current() -> None:
    """`python -m cambrian.testing.matrix > docs/matrix.md` would change nothing."""
    assert (Path(__file__).parents[2] / "docs" / "matrix.md").read_text() == page()
