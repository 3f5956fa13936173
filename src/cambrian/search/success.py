"""The check that a search has succeeded at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.errors import NothingSucceeded
from cambrian.outcome import Crashed, describe_failure

if TYPE_CHECKING:
    from cambrian.search.result import Result


def check_success(result: Result) -> None:
    """Raise NothingSucceeded, with the first reason, where trials have ended and none of them has a value."""
    trials = [*result.trials, *result.finals]
    failed = [t for t in trials if t.outcome is not None]
    # A search whose budget ended before any trial did is not a failure: it can be resumed.
    if failed and all(t.value is None for t in trials):
        first = failed[0]
        sentence = f"no trial succeeded; the first of {len(failed)}: {describe_failure(first)}"
        trace = first.outcome.traceback.strip() if isinstance(first.outcome, Crashed) else ""
        raise NothingSucceeded(f"{sentence}\n{trace}".strip(), result)
