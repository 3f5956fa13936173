"""Failures in words: why a trial failed, on one line, and how many trials failed for which reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cambrian.outcome import Crashed, Trial, describe_failure, failure_reason

LONGEST = 160
"""Signs of a failure's sentence on a line; the report has all of it."""


def failure_text(trial: Trial) -> str:
    """Why the trial failed, in brackets: its reason and the first line of what happened.

    >>> from cambrian import Architecture, Fidelity
    >>> from cambrian.outcome import Infeasible
    >>> outcome = Infeasible("unbuildable", "layer '2' ...")
    >>> failure_text(Trial(0, Architecture({}), Fidelity(), outcome=outcome))
    "failed (unbuildable: layer '2' ...)"
    """
    sentence = _first_line(trial)
    if isinstance(trial.outcome, Crashed):  # its error says what it is
        return f"failed ({sentence or 'crashed'})"
    return f"failed ({': '.join(filter(None, dict.fromkeys((failure_reason(trial), sentence))))})"


def count_failures(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """The failed trials by reason, the commonest first: how many, and the number and the sentence of the
    first."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if reason := failure_reason(trial):
            groups.setdefault(reason, []).append(trial)
    return [
        {
            "reason": reason,
            "count": len(group),
            "first": group[0].number,
            "sentence": describe_failure(group[0]),
        }
        for reason, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def describe_failures(failures: Sequence[Mapping[str, Any]]) -> str:
    """What `count_failures` counted, as a line; "" where no trial failed.

    >>> describe_failures([{"reason": "oom", "count": 2, "first": 4, "sentence": "no memory"}])
    '2 failed: 2 oom (trial 4: no memory)'
    """
    if not failures:
        return ""
    groups = [
        f"{group['count']} {group['reason']} (trial {group['first']}: {_shorten(group['sentence'])})"
        for group in failures
    ]
    return f"{sum(group['count'] for group in failures)} failed: {', '.join(groups)}"


def _first_line(trial: Trial) -> str:
    return _shorten(describe_failure(trial))


def _shorten(sentence: str) -> str:
    line = (sentence.strip().splitlines() or [""])[0]
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
