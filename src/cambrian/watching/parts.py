"""The parts of the page, each a piece of HTML that is replaced as a whole. All texts are escaped, since names
of data, classes and architectures are anybody's."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from cambrian.counts import seconds_text
from cambrian.outcome import Trial
from cambrian.reports.contents import Story
from cambrian.reports.evidence import best_trials, search_trials
from cambrian.reports.front import front_section
from cambrian.reports.gates import gates_section
from cambrian.reports.page import (
    Html,
    drop_empty,
    element,
    join,
    section,
    table,
    tiles,
)
from cambrian.reports.report import failures_section, final_section, progress_section, surrogate_section
from cambrian.reports.verdict import verdict
from cambrian.search.display.progress import (
    RUNNING,
    Progress,
    describe_level,
    describe_progress,
)
from cambrian.search.identity.settings import explain_resuming
from cambrian.search.ledger.lock import held_since
from cambrian.watching.run_view import View
from cambrian.watching.trial_views import describe_trial, list_cells, name_trial, show_picture, show_trial

ROWS = 200
"""Trials in the table, the newest: more would make each change long, and nobody reads them."""
DRAWN = 3
"""New architectures that are drawn beside the best."""


def make_parts(view: View, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The HTML of each part by its name, "" where the run has nothing for it yet. `known` are the parts of
    the same story a moment ago, of which only those are made again that go by the clock."""
    parts = dict(known) if known else {name: "" for name in PARTS}
    parts["state"] = _make_safely(_state, view)
    if view.story is not None:
        names = CLOCKED if known else _OF_VIEW
        parts |= {name: _make_safely(_OF_VIEW[name], view) for name in names}
    if view.story is not None and not known:
        parts |= {name: _make_safely(make, view.story) for name, make in _OF_STORY.items()}
    return parts


def describe_failed(error: Exception) -> str:
    """What is shown instead of what could not be made."""
    return element("p", f"This cannot be shown: {type(error).__name__}: {error}", "note")


def _make_safely(make: Callable[[Any], Html | str | None], subject: object) -> str:
    # A user's space draws and names its architectures itself: its mistake must not end the page.
    try:
        return make(subject) or ""
    except Exception as error:
        return describe_failed(error)


def make_detail(view: View, number: int, final: bool) -> str:
    """All of one trial, for the window that opens on it; "" where there is no such trial."""
    rows = () if view.story is None else view.story.trials
    trial = next((t for t in rows if t.number == number and (t.kind == "final") == final), None)
    story = view.story
    return "" if trial is None or story is None else _make_safely(lambda t: show_trial(story, t), trial)


# -- where the run stands -----------------------------------------------------------------------------


def _state(view: View) -> str:
    """One sentence, which changes when the run does, and not each second."""
    if view.trouble or view.story is None:
        return element("p", view.trouble, "lead")
    sentence = verdict(view.story)
    if view.progress is not None and view.progress.state == "interrupted":
        assert view.result is not None
        way = explain_resuming(shlex.quote(str(view.place)), view.result.facts)
        sentence = f"Interrupted; {way}. {sentence}"
    return element("p", sentence, "lead")


def _clock(view: View) -> str:
    progress = view.progress
    if progress is None:
        return ""
    line = describe_progress(progress)
    if progress.level is not None and progress.stage == "search" and progress.state == RUNNING:
        line += f"; {describe_level(progress)}"
    return join([_bar(progress), element("p", line, "note")])


def _bar(progress: Progress) -> Html:
    if progress.share is None:
        return Html("")
    share = f"{100 * progress.share:.0f}"
    return Html(f'<progress max="100" value="{share}" aria-label="done">{share} %</progress>')


def _tiles(view: View) -> str:
    story = view.story
    assert story is not None
    trials = search_trials(story.trials)
    ended = [t for t in trials if t.outcome is not None]
    best = best_trials(ended, 1)
    rows = [("trials ended", f"{len(ended):,}"), ("running", f"{len(_list_running(view)):,}")]
    rows.append((f"best {story.searched} so far", story.value_of(best[0]) if best else "–"))
    rows.append(("failed", f"{sum(t.value is None for t in ended):,}"))
    if story.winner is not None:
        rows.append(("of the final network", story.value_of(story.winner)))
    return tiles(rows)


def _list_running(view: View) -> list[Trial]:
    """The trials under way. Those that time cut off stay open in the ledger of a run that has ended."""
    if view.progress is None or view.progress.state != RUNNING or view.result is None:
        return []
    return [row.trial for row in view.result.rows if row.state == "running"]


def _running(view: View) -> str:
    running = {(t.kind, t.number) for t in _list_running(view)}
    if not running or view.result is None:
        return ""
    # What an earlier session claimed was begun once more by this one.
    now, since = time.time(), held_since(view.place) or 0.0
    rows = [
        [
            name_trial(row.trial),
            seconds_text(max(0.0, now - max(row.claimed, since))),
            describe_trial(view.result.space, row.trial),
        ]
        for row in view.result.rows
        if (row.trial.kind, row.trial.number) in running
    ]
    return section("Under way", table(["trial", "for", "architecture"], rows))


# -- the trials ---------------------------------------------------------------------------------------


def _cells(view: View) -> str:
    """The best architecture, and the newest ones as they come."""
    story = view.story
    assert story is not None
    newest = [t for t in search_trials(story.trials) if t.cached is None][-DRAWN:][::-1]
    best = story.winner or next(iter(best_trials(story.trials, 1)), None)
    shown = ([("best: ", best)] if best is not None else []) + [("", t) for t in newest if t != best]
    pictures = [show_picture(story, t, first) for first, t in shown]
    return section("Architectures", element("div", join(pictures), "row cells")) if pictures else ""


def _trials(view: View) -> str:
    story = view.story
    assert story is not None
    trials = sorted((t for t in story.trials if t.kind != "final"), key=lambda t: -t.number)
    if not trials:
        return ""
    header = [
        "trial",
        story.searched,
        "level",
        "epochs",
        "steps",
        "params",
        "macs",
        "seconds",
        "architecture",
    ]
    rows = [list_cells(story, t) for t in trials[:ROWS]]
    newest = f"The newest {ROWS} of {len(trials):,}. " if len(trials) > ROWS else ""
    note = element("p", f"{newest}A heading sorts; a trial opens.", "note")
    return section("Trials", note, table(*drop_empty(header, rows)))


_OF_VIEW: Mapping[str, Callable[[View], str]] = {
    "clock": _clock,
    "tiles": _tiles,
    "running": _running,
    "cells": _cells,
    "trials": _trials,
}
_OF_STORY: Mapping[str, Callable[[Story], Html | None]] = {
    "anytime": progress_section,
    "final": final_section,
    "front": front_section,
    "surrogate": surrogate_section,
    "gates": gates_section,
    "failures": failures_section,
}
CLOCKED = ("clock", "tiles", "running")
"""The parts that change though no trial has begun or ended."""
PARTS = (
    *("state", "clock", "tiles", "anytime", "final", "running", "cells"),
    *("front", "gates", "surrogate", "trials", "failures"),
)
"""The parts in the order of the page."""
