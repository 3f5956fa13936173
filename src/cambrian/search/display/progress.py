"""How far a run is: its state, stage and level, the share that is done, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.counts import seconds_text
from cambrian.outcome import Trial
from cambrian.search.ledger.lock import held_since
from cambrian.search.ledger.rows import CLOCK, read_spent
from cambrian.search.planning.budget import Budget

if TYPE_CHECKING:
    from cambrian.search.result import Result

RUNNING, FINISHED, INTERRUPTED = "running", "finished", "interrupted"
FEWEST = 3
"""Ended trials from which on their pace tells the time that is left."""


class Progress(msgspec.Struct, frozen=True):
    """`state` is running, finished or interrupted; `stage` search or final. `level` of `levels` is that of
    the latest trial, `level_trials` of `level_planned` are its ended trials. `share` is from 0 to 1, of the
    budget or of the trials planned; `elapsed` and `left` are seconds. None is not known."""

    state: str
    stage: str
    share: float | None
    elapsed: float
    left: float | None
    level: int | None = None
    levels: int | None = None
    level_trials: int = 0
    level_planned: int | None = None


def read_progress(result: Result, now: float | None = None) -> Progress:
    """The progress of a run, read without a lock; `now` is a Unix time."""
    since = held_since(result.directory) if result.directory is not None else None
    state = RUNNING if since is not None else FINISHED if is_finished(result) else INTERRUPTED
    elapsed = _elapsed(result, since, time.time() if now is None else now)
    budget = msgspec.convert(result.facts.get("budget") or {}, Budget)
    stage = _stage(result)
    share = 1.0 if state == FINISHED else _share(result, budget, elapsed)
    left = _time_left(result, budget, elapsed, stage) if state == RUNNING else None
    return Progress(state, stage, share, elapsed, left, *_level(result))


def is_finished(result: Result) -> bool:
    """Whether nothing is left to do under the run's budget: a network was chosen, or, where none is to be
    trained, the search has stopped. Trials that their time cut off stay open in the ledger; a final training
    that is open was interrupted, as one of another choice may be."""
    name = "final" if _trains(result) else "stop"
    end = _last_event(result, name)
    if end is None or end.get("failing") or not _is_of_budget(result, end):
        return False
    if any(row.final and row.trial.outcome is None for row in result.rows):
        return False
    return result.winner is not None or not _trains(result)


def _last_event(result: Result, name: str) -> dict[str, Any] | None:
    return next((value for _, n, value in reversed(result.events) if n == name), None)


def _is_of_budget(result: Result, event: dict[str, Any]) -> bool:
    """Whether an end was one under the present budget: a run that is continued under a larger one has more to
    do. Older runs do not say."""
    present = result.facts.get("budget")
    return bool(event.get("budget", present) == present)


def _trains(result: Result) -> bool:
    return result.facts.get("final") is not None or "train" in result.facts


def _stage(result: Result) -> str:
    if not _trains(result):
        return "search"
    training = any(row.final and row.state == "running" for row in result.rows)
    stop = _last_event(result, "stop")
    ended = stop is not None and _is_of_budget(result, stop)
    return "final" if training or ended or "train" in result.facts else "search"


def _elapsed(result: Result, since: float | None, now: float) -> float:
    """The run's seconds: as its ledger has them, and those since they were noted or the session began."""
    spent = read_spent(result.rows, result.facts)
    if since is None:
        return spent
    noted = float(result.facts.get(CLOCK, {}).get("at", 0.0))
    return spent + max(0.0, now - max(since, noted))


def _share(result: Result, budget: Budget, elapsed: float) -> float | None:
    """The larger one of the shares of seconds and of trials: whichever ends first."""
    shares = []
    if budget.seconds is not None:
        shares.append(elapsed / find_end(result, budget.seconds))
    planned = _planned(result, budget)
    if planned:
        ended = sum(t.outcome is not None for t in [*result.trials, *result.finals])
        shares.append(ended / (planned + _final_trainings(result)))
    # A run that is not finished is not done, though its last training may end after its time.
    return min(max(shares), 0.99) if shares else None


def find_end(result: Result, seconds: float) -> float:
    """The run's seconds at its end, which may be later than its budget's for another network."""
    extended = _last_event(result, "extended")
    return seconds if extended is None else max(seconds, float(extended["seconds"]))


def _planned(result: Result, budget: Budget) -> int | None:
    """The trials of the search: those of the budget, else of the plan."""
    return budget.trials or sum(result.facts.get("expected", {}).values()) or None


def _final_trainings(result: Result) -> int:
    final = result.facts.get("final")
    return int(final["top"]) + 1 + len(final["baselines"]) if final else 0


def _time_left(result: Result, budget: Budget, elapsed: float, stage: str) -> float | None:
    """Of the budget's seconds, or of its trials at the pace so far; without the final stage's, whose
    trainings are longer."""
    left = []
    if budget.seconds is not None:
        left.append(max(0.0, find_end(result, budget.seconds) - elapsed))
    ended = sum(t.outcome is not None for t in result.trials)
    if stage == "search" and budget.trials is not None and ended >= FEWEST:
        left.append(max(0.0, elapsed / ended * (budget.trials - ended)))
    return min(left, default=None)


def _level(result: Result) -> tuple[int | None, int | None, int, int | None]:
    """The level of the latest trial, the number of levels, its ended trials and those planned for it."""
    levels = [_level_of(t) for t in result.trials]
    level = next((n for n in reversed(levels) if n is not None), None)
    expected: dict[str, Any] = result.facts.get("expected", {})
    if level is None:
        return None, None, 0, None
    planned = expected.get(str(level))
    return level, max(map(int, expected), default=None), _ended(result.trials, level), planned


def _level_of(trial: Trial) -> int | None:
    level = trial.reason.get("level")
    return level if isinstance(level, int) else None


def _ended(trials: Sequence[Trial], level: int) -> int:
    return sum(t.outcome is not None and _level_of(t) == level for t in trials)


def describe_progress(progress: Progress) -> str:
    """`running: search, 38 % done, 22 s so far, about 38 s left`."""
    stage = {"search": "search", "final": "final stage"}[progress.stage]
    parts = [stage] if progress.state != "finished" else []
    if progress.share is not None and progress.state != "finished":
        parts.append(f"{100 * progress.share:.0f} % done")
    parts.append(
        f"{seconds_text(progress.elapsed)} so far" if parts else f"{seconds_text(progress.elapsed)} in all"
    )
    if progress.left is not None:
        parts.append(f"about {seconds_text(progress.left)} left")
    return f"{progress.state}: {', '.join(parts)}"


def describe_level(progress: Progress) -> str:
    """`level 2 of 5: 17 of 64 trained`."""
    of = f" of {progress.levels}" if progress.levels is not None else ""
    planned = f" of {progress.level_planned}" if progress.level_planned is not None else ""
    return f"level {progress.level}{of}: {progress.level_trials}{planned} trained"
