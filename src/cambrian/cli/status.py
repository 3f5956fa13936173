"""The lines of `status`, from the same facts that `status --json` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.search.progress import Progress


def status_lines(facts: Mapping[str, Any], run: str) -> Iterator[str]:
    """`run` is the run directory as a shell takes it."""
    progress, best, winner = facts["progress"], facts["best"], facts["winner"]
    yield _where(progress)
    trials = f"{facts['trials']} trial{'' if facts['trials'] == 1 else 's'}"
    yield f"{trials}, {facts['running']} running, {facts['failed']} failed"
    if progress.level is not None and progress.stage == "search" and progress.state != "finished":
        yield _level(progress)
    if best is not None:
        lower = ", lower is better" if facts["objective"]["minimize"] else ""
        yield f"best {best['value']:.4f} (trial {best['number']}){lower}"
    if winner is not None:
        yield f"final network: {winner['value']:.4f} on test; cambrian export {run} OUT"
    if progress.state == "interrupted":
        yield f"{facts['stopped'] or 'not finished'}; go on with: cambrian resume {run}"
    elif progress.state == "finished" and winner is None:
        yield f"{facts['stopped']}; see it: cambrian report {run}"


def _where(progress: Progress) -> str:
    """`running: search, 38 % done, 22 s so far, about 38 s left`."""
    stage = {"search": "search", "final": "final stage"}[progress.stage]
    parts = [stage] if progress.state != "finished" else []
    if progress.share is not None and progress.state != "finished":
        parts.append(f"{100 * progress.share:.0f} % done")
    parts.append(f"{_seconds(progress.elapsed)} so far" if parts else f"{_seconds(progress.elapsed)} in all")
    if progress.left is not None:
        parts.append(f"about {_seconds(progress.left)} left")
    return f"{progress.state}: {', '.join(parts)}"


def _level(progress: Progress) -> str:
    of = f" of {progress.levels}" if progress.levels is not None else ""
    planned = f" of {progress.level_planned}" if progress.level_planned is not None else ""
    return f"level {progress.level}{of}: {progress.level_trials}{planned} trained"


def _seconds(seconds: float) -> str:
    """
    >>> _seconds(48.2), _seconds(600), _seconds(9000)
    ('48 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
