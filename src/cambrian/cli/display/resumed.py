"""The reason why a finished run that was resumed under another budget has measured nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cambrian.search.display.progress import is_finished
from cambrian.search.ledger.rows import read_spent
from cambrian.search.loop.final import Final
from cambrian.search.planning.budget import Budget
from cambrian.weights import FINAL, FRESH, Inherit

if TYPE_CHECKING:
    from cambrian.search.result import Result


def explain_standstill(before: Result, after: Result) -> str:
    """A sentence; "" where the run went on, or had not been finished."""
    if not is_finished(before) or _measured(after) > _measured(before):
        return ""
    if "train" in after.facts:
        return "nothing more was done: the run trains one architecture, which a budget does not change"
    old, new = (msgspec.convert(r.facts.get("budget") or {}, Budget) for r in (before, after))
    if not new.exceeds(old):
        return f"nothing more was done: the run had its budget of {old}; give a larger one than that"
    reason = next((v["reason"] for _, n, v in reversed(after.events) if n == "stop"), "it has ended")
    if _count_trained(after) > _count_trained(before):
        return f"the search had ended ({reason}): {_tell_final(after)}, in the time left of {new}"
    if new.seconds is None or not reason.startswith("the budget of"):
        return f"nothing more was measured: {reason}"
    spent = read_spent(before.rows, before.facts)
    final = msgspec.convert(after.facts.get("final"), Final | None)
    share = 1.0 if final is None else 1 - final.share
    return (
        f"nothing more was measured: of {new} the search has {share * new.seconds:.0f} s, and {spent:.0f} s"
        f" were spent before; give more than {_enough(spent, share)}"
    )


def _tell_final(after: Result) -> str:
    weights = after.winner.weights if after.winner is not None else FRESH
    if isinstance(weights, Inherit) and weights.move.startswith(FINAL):
        return "the final network was trained on from its weights"
    return "the final stage alone was done anew"


def _enough(spent: float, share: float) -> Budget:
    """The time whose share for the search is what was spent, in whole minutes."""
    return Budget(seconds=60.0 * max(1, -(-spent // (60 * share))))


def _measured(result: Result) -> int:
    return sum(t.outcome is not None for t in result.trials)


def _count_trained(result: Result) -> int:
    """The trainings of the final stage that have ended."""
    return sum(t.outcome is not None for t in result.finals)
