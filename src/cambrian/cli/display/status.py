"""The lines of `status`, from the same facts that `status --json` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cambrian.search.display.failures import describe_failures
from cambrian.search.display.progress import describe_level, describe_progress
from cambrian.search.display.tally import number_text


def status_lines(
    facts: Mapping[str, Any],
    run: str,
    resume: str,
    export: str = "",
    shares: tuple[bool, bool] = (False, False),
) -> Iterator[str]:
    """`run` is the run directory as a shell takes it; `resume` says how it goes on, and `export` how its
    network is taken home, where a command does not do that; `shares` whether the best value of the search and
    that of the final network are shares."""
    progress, best, winner = facts["progress"], facts["best"], facts["winner"]
    minimize = facts["objective"]["minimize"]

    yield describe_progress(progress)
    trials = f"{facts['trials']} trial{'' if facts['trials'] == 1 else 's'}"
    failed = describe_failures(facts["failures"]) or "0 failed"
    yield f"{trials}, {facts['running']} running, {failed}"
    if progress.level is not None and progress.stage == "search" and progress.state != "finished":
        yield describe_level(progress)
    if best is not None:
        value, better = number_text(best["value"], shares[0]), ", lower is better" if minimize else ""
        yield f"best {value} (trial {best['number']}){better}"
    if winner is not None:
        value = number_text(winner["value"], shares[1])
        yield f"final network: {value} on test; {export or f'cambrian export {run} OUT'}"
    if progress.state == "interrupted":
        # Why the search ended is not why its last training did.
        reason = "the final training is not finished" if progress.stage == "final" else facts["stopped"]
        yield f"{reason or 'not finished'}; {resume}"
    elif progress.state == "finished" and winner is None:
        yield f"{facts['stopped']}; see it: cambrian report {run}"
