"""Which cases of a parametrised test stand in `make test`; the others are slow: `make evidence` runs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(quick: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Parameters of one name, of which only the `quick` ones are not slow."""
    listed = _list(cases, quick)
    return [pytest.param(case, marks=() if case in quick else pytest.mark.slow) for case in listed]


def slow_for(dear: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Parameters of one name, of which only the `dear` ones are slow: what is new stands in `make test`."""
    listed = _list(cases, dear)
    return [pytest.param(case, marks=pytest.mark.slow if case in dear else ()) for case in listed]


def _list(cases: Iterable[Any], named: Collection[Any]) -> list[Any]:
    # A case that was renamed would change sides without a word.
    listed = list(cases)
    missing = [case for case in named if case not in listed]
    assert not missing, f"no such cases: {missing}"
    return listed
