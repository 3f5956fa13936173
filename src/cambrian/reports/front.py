"""The section on several objectives: the trials by the first two of them, and those that none dominates."""

from __future__ import annotations

from functools import partial

from cambrian.outcome import Done, Trial
from cambrian.pictures import charts
from cambrian.problem import Objective
from cambrian.reports.contents import Story
from cambrian.reports.evidence import search_trials
from cambrian.reports.naming import architecture_text
from cambrian.reports.page import Html, chart, element, section, table

_ROWS_SHOWN = 50


def front_section(story: Story) -> Html | None:
    """Drawn where a search has several objectives and some trial was measured by the first two."""
    if len(story.objectives) < 2:
        return None
    measured = [t for t in search_trials(story.trials) if isinstance(t.outcome, Done)]
    # A metric that was not measured counts as the worst possible: such a trial has no place on the axis.
    points = {t.number: p for t in measured if (p := _point(t, story.objectives[1])) is not None}
    if not points:
        return None
    missing = len(measured) - len(points)
    return section(
        "Front",
        element("p", _note(story, missing), "note"),
        chart(partial(_chart, story, points), f"{len(points):,} trials, {len(story.front):,} on the front"),
        _front_table(story),
    )


def _note(story: Story, missing: int) -> str:
    second = story.objectives[1]
    parts = [
        "Marked is the front: no other trial is at least as good as one of these in every objective, and"
        " better in one."
    ]
    if len(story.objectives) > 2:
        parts.append("The chart shows the first two of them, in which a marked trial may look dominated.")
    if missing:
        parts.append(f"{missing:,} measured without {second.name} left out of the chart.")
    return " ".join(parts)


def _point(trial: Trial, second: Objective) -> tuple[float, float] | None:
    """The second objective across, the value upwards, both in the user's own direction."""
    if not isinstance(trial.outcome, Done) or second.name not in trial.outcome.metrics:
        return None
    return trial.outcome.metrics[second.name], trial.outcome.value


def _chart(story: Story, points: dict[int, tuple[float, float]], width: float) -> str:
    on_front = {t.number for t in story.front}
    return charts.front(
        "trials and their front",
        [p for n, p in points.items() if n not in on_front],
        [p for n, p in points.items() if n in on_front],
        str(story.objectives[1]),
        story.unit,
        y_format=story.axis,
        width=width,
    )


def _front_table(story: Story) -> Html:
    header = ["trial", story.metric, *(o.name for o in story.objectives[1:]), "architecture"]
    rows = [_front_row(story, t) for t in story.front[:_ROWS_SHOWN]]
    more = len(story.front) - len(rows)
    text = table(header, rows)
    return Html(text + element("p", f"and {more} more", "note")) if more else text


def _front_row(story: Story, trial: Trial) -> list[object]:
    metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
    others = [charts.plain(metrics[o.name]) if o.name in metrics else "–" for o in story.objectives[1:]]
    return [trial.number, story.value(trial.value), *others, architecture_text(story, trial.architecture)]
