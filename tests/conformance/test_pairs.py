"""Every strategy on every space under every estimator that is not refused: killed once, resumed, nothing
lost; and the published table of them is the current one."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from test_ours import SKELETONS, STRATEGY_SETTINGS

from cambrian.outcome import Fidelity
from cambrian.search.compatibility import trains_supernets
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.testing import PAIR, PairCase, toy_task
from cambrian.testing.matrix import page
from cambrian.testing.suite import NotApplicable

ESTIMATORS: dict[str, Any] = {
    "free": {"name": "function", "arguments": {"function": "measures:guess", "builds": False}},
    "built": {"name": "function", "arguments": {"function": "measures:parameters"}},
    "train": "train",
    "shared": {"name": "one-shot", "arguments": {"batch_size": 16, "paths": 1, "statistics_batches": 1}},
}
EACH = 1
"""Of so many strategies each space is tried with in `make test`, in turn."""
PAIRS = list(product(SPACES.names(), STRATEGIES.names()))
SOME = [
    (space, STRATEGIES.names()[(EACH * n + k) % len(STRATEGIES.names())])
    for n, space in enumerate(SPACES.names())
    for k in range(EACH)
]


def case(space: str, strategy: str, estimator: str) -> PairCase:
    """Small settings, and a task of 96 noisy images."""
    return PairCase(
        space,
        {"name": strategy, "arguments": STRATEGY_SETTINGS.get(strategy, {})},
        ESTIMATORS[estimator],
        task=None if estimator == "free" else toy_task(),
        fidelity=Fidelity(epochs=1, skeleton=SKELETONS.get(space, {})),
    )


def tried(space: str, strategy: str, estimator: str) -> None:
    if estimator == "shared" and not trains_supernets(STRATEGIES.make(strategy)):
        raise NotApplicable("it has no supernet to score anything with")
    for check in PAIR.checks:
        check(case(space, strategy, estimator))


@pytest.mark.parametrize(("space", "strategy"), SOME)
def test_some_pairs(space: str, strategy: str) -> None:
    """With an estimator that costs nothing."""
    tried(space, strategy, "free")


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
