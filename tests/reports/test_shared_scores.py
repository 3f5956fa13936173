"""Scores with a supernet's weights stand beside those of the same networks trained alone."""

from __future__ import annotations

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.reports.shared_scores import compare_orders, find_shared_scores
from cambrian.weights import Shared


def trial(name: str, value: float, number: int = 1, role: str = "") -> Trial:
    """A child scored with shared weights or, with a role, the same network trained alone."""
    kind, weights = ("final", None) if role else ("trial", Shared(0))
    more = {} if weights is None else {"weights": weights}
    architecture = Architecture({"name": name})
    return Trial(number, architecture, Fidelity(), kind=kind, role=role, outcome=Done(value), **more)


CHILDREN = [trial("a", 0.9, 1), trial("b", 0.8, 2), trial("c", 0.7, 3)]


def test_each_architecture_has_its_shared_score() -> None:
    """The last of several."""
    scores = find_shared_scores([*CHILDREN, trial("a", 0.5, 4), trial("d", 0.1, 5, role="finalist")])
    assert {a["name"]: t.value for a, t in scores.items()} == {"a": 0.5, "b": 0.8, "c": 0.7}


def test_pairs_in_the_same_order_are_counted() -> None:
    """Alone a is below b, and c below both: two of three pairs have the order of the shared scores."""
    finals = [trial(n, v, role="finalist") for n, v in (("a", 0.6), ("b", 0.65), ("c", 0.5))]
    sentence = compare_orders([*CHILDREN, *finals])
    assert sentence.startswith("Of 3 pairs of networks that were also trained alone, shared weights order 2 ")


def test_nothing_is_said_of_one_finalist() -> None:
    assert compare_orders([*CHILDREN, trial("a", 0.6, role="finalist")]) == ""
    assert compare_orders([]) == ""
