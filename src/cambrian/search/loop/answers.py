"""The answers of a strategy, checked before anything is made of them: what the ledger took and could not give
back would damage the run, and what fails later fails in code that is not the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from cambrian.architecture import Architecture, replay
from cambrian.codec import encode
from cambrian.errors import IllegalArchitecture, StrategyError
from cambrian.options import shorten
from cambrian.outcome import Fidelity
from cambrian.registry import name_of
from cambrian.request import Evaluate, Stop, TrainSupernet, Wait
from cambrian.search.loop.supervised import Supervised
from cambrian.spaces.space import Space
from cambrian.weights import Continue, Fresh, Inherit, Shared

EXPECTED = "Evaluate(architecture), TrainSupernet(outer), Wait() or Stop(reason)"
FIGURES: Mapping[str, tuple[type, str]] = {
    "level": (Integral, "a whole number, the level of the search"),
    "predicted": (Real, "a number, the score that was expected"),
    "shared": (Real, "a number, the value with a supernet's weights"),
}
"""The facts of a reason that are reckoned with, whose names therefore mean the same in all strategies."""
JSON = "texts, finite numbers, True, False, None, and lists and dictionaries of them"


def name_strategy(strategy: object) -> str:
    """The opening of a sentence about a strategy, supervised or not."""
    return f"strategy {name_of(strategy.inner if isinstance(strategy, Supervised) else strategy)!r}"


def check_state(strategy: object, method: str, state: Any) -> Any:
    """The state that `method` returned. Raises StrategyError for None, which a forgotten `return` leaves."""
    if state is None:
        wanted = "the first state, which is () where there is none" if method == "start" else "the next state"
        raise StrategyError(
            f"{name_strategy(strategy)}: {method} returned None, expected {wanted}: does it end without"
            " a return?"
        )
    return state


def check_proposal(strategy: object, proposal: Any, trials: int) -> None:
    """Raises StrategyError for what is no proposal, or one with a field of another type, with facts that JSON
    cannot hold or that displays cannot read, or with a number that is not one of the `trials` so far."""
    kind = type(proposal)
    if kind is Wait:
        return
    if kind not in _FIELDS:
        advice = f": return {_advise(proposal)}" if isinstance(proposal, Architecture | type) else ""
        raise StrategyError(
            f"{name_strategy(strategy)}: propose returns {EXPECTED}, got {shorten(proposal)}{advice}"
        )
    for name, (fits, wanted) in _FIELDS[kind].items():
        value = getattr(proposal, name)
        if not fits(value, trials):
            raise StrategyError(
                f"{name_strategy(strategy)}: {name} is {wanted}, got {shorten(value)}"
                f"{_explain_number(name, value, trials)}"
            )
    if kind is not Stop:
        for name in ("reason", "memory", "method"):
            _check_facts(strategy, name, getattr(proposal, name, None))
        _check_figures(strategy, proposal.reason)


def replay_proposed(strategy: object, space: Space, architecture: Architecture) -> Architecture:
    """The proposed architecture, its answers in the space's order. Raises StrategyError where the space does
    not hold it."""
    try:
        return replay(space, architecture)
    except IllegalArchitecture as error:
        raise StrategyError(
            f"{name_strategy(strategy)} proposes what the space does not hold: {error}"
        ) from None


def check_recommended(strategy: object, chosen: Any) -> Sequence[Architecture]:
    """What `recommend` returned. Raises StrategyError where that is no list of architectures."""
    if isinstance(chosen, list | tuple) and all(isinstance(each, Architecture) for each in chosen):
        return chosen
    raise StrategyError(
        f"{name_strategy(strategy)}: recommend returns a list of architectures, got {shorten(chosen)}"
    )


def _advise(proposal: object) -> str:
    if isinstance(proposal, Architecture):
        return "Evaluate(architecture)"
    return f"{getattr(proposal, '__name__', 'it')}(...)"


def _explain_number(name: str, value: Any, trials: int) -> str:
    """The end of a sentence about a number that would be right in a longer search."""
    numbers = value if name == "prefers" and isinstance(value, list | tuple) else [value]
    if name not in ("parent", "prefers") or not all(map(_is_whole, numbers)):
        return ""
    return f": there are trials 0 to {trials - 1}" if trials else ": there is no trial yet"


def _check_facts(strategy: object, name: str, facts: dict[Any, Any] | None) -> None:
    """Raise StrategyError for facts that JSON cannot hold, naming the first that is at fault."""
    if not facts or _has_json(facts):
        return
    wrong = next((k for k, v in facts.items() if not _has_json({k: v})), None)
    where = f"{name_strategy(strategy)}: {name}"
    if wrong is None or _has_json([facts[wrong]]):
        raise StrategyError(f"{where} has texts as names, got {shorten(wrong)}")
    plain = "; .tolist() makes a list of it" if hasattr(facts[wrong], "tolist") else ""
    raise StrategyError(f"{where}[{wrong!r:.80}] holds {JSON}, got {shorten(facts[wrong])}{plain}")


def _check_figures(strategy: object, reason: Mapping[str, Any]) -> None:
    """Raise StrategyError for a reason with another value than the displays and the report reckon with."""
    if not reason:
        return
    for name, (kind, wanted) in FIGURES.items():
        value = reason.get(name, 0)
        if not isinstance(value, kind) and not (value is None and kind is Real):
            raise StrategyError(
                f"{name_strategy(strategy)}: reason[{name!r}] is {wanted}, got {shorten(value)}"
            )


def _has_json(value: Any) -> bool:
    try:
        encode(value)
    except Exception:  # an object of the user's own may raise anything
        return False
    return True


def _is_whole(value: object) -> bool:
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def _is_earlier(value: Any, trials: int) -> bool:
    return _is_whole(value) and 0 <= value < trials


def _is_source(value: Any, *kinds: type) -> bool:
    """Whether it says where weights come from, in one of these ways, and of a row with a number."""
    # Whether the row exists and has weights is known to the coordinator alone.
    kind = type(value)
    if kind is Fresh:
        return True
    return kind in kinds and _is_whole(value.row) and isinstance(getattr(value, "move", ""), str)


Fits = Callable[[Any, int], bool]
_ARCHITECTURE: tuple[Fits, str] = (lambda v, n: isinstance(v, Architecture), "an Architecture")
_FACTS: tuple[Fits, str] = (lambda v, n: isinstance(v, dict), "a dictionary")
_COMMON: Mapping[str, tuple[Fits, str]] = {
    "fidelity": (
        lambda v, n: v is None or isinstance(v, Fidelity),
        "a Fidelity, such as Fidelity(epochs=3), or None",
    ),
    "replicate": (lambda v, n: _is_whole(v), "a whole number"),
    "estimator": (lambda v, n: isinstance(v, str), "the name of one of the search's estimators"),
    "reason": _FACTS,
    "memory": _FACTS,
}
_FIELDS: Mapping[type, Mapping[str, tuple[Fits, str]]] = {
    Evaluate: {
        "architecture": _ARCHITECTURE,
        "parent": (lambda v, n: v is None or _is_earlier(v, n), "the number of an earlier trial, or None"),
        "weights": (
            lambda v, n: _is_source(v, Continue, Inherit, Shared),
            "Fresh(), Continue(row), Inherit(row) or Shared(row)",
        ),
        "prefers": (
            lambda v, n: isinstance(v, list | tuple) and all(_is_earlier(each, n) for each in v),
            "a tuple of the numbers of earlier trials",
        ),
        **_COMMON,
    },
    TrainSupernet: {
        "outer": _ARCHITECTURE,
        "method": _FACTS,
        "weights": (lambda v, n: _is_source(v, Continue), "Fresh() or Continue(row)"),
        **_COMMON,
    },
    Stop: {"reason": (lambda v, n: isinstance(v, str), "a phrase that says why the search ends")},
}
