"""The lines of `status`, from the same facts that `status --json` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cambrian.search.display.failures import describe_failures
from cambrian.search.display.progress import describe_level, describe_progress
from cambrian.search.display.tally import number_text


def status_lines(facts: Mapping[str, Any], run: str, resume: str, export: str = "") -> Iterator[str]:
    """`run` is the run directory as a shell takes it; `resume` says how it goes on, and `export` how its
    network is taken home, where a command does not do that."""
    progress, best, winner = facts["progress"], facts["best"], facts["winner"]
    minimize = facts["objective"]["minimize"]

    def text(value: float) -> str:
        return number_text(value, minimize)

    yield describe_progress(progress)
    trials = f"{facts['trials']} trial{'' if facts['trials'] == 1 else 's'}"
    failed = describe_failures(facts["failures"]) or "0 failed"
    yield f"{trials}, {facts['running']} running, {failed}"
    if progress.level is not None and progress.stage == "search" and progress.state != "finished":
        yield describe_level(progress)
    if best is not None:
        yield f"best {text(best['value'])} (trial {best['number']}){', lower is better' if minimize else ''}"
    if winner is not None:
        yield f"final network: {text(winner['value'])} on test; {export or f'cambrian export {run} OUT'}"
    if progress.state == "interrupted":
        # Why the search ended is not why its last training did.
        reason = "the final training is not finished" if progress.stage == "final" else facts["stopped"]
        yield f"{reason or 'not finished'}; {resume}"
    elif progress.state == "finished" and winner is None:
        yield f"{facts['stopped']}; see it: cambrian report {run}"
