"""The section on several objectives: the trials by the first two of them, and those that none dominates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cambrian.counts import counted
from cambrian.hypervolume import measure_front
from cambrian.outcome import Done, Trial
from cambrian.pictures import charts
from cambrian.problem import Objective
from cambrian.recommendation import find_front
from cambrian.reports.contents import Story
from cambrian.reports.evidence import search_trials
from cambrian.reports.naming import architecture_text
from cambrian.reports.page import Html, chart, element, section, table
from cambrian.reports.verdict import baselines
from cambrian.search.delivery.front_choice import describe_hypervolume, find_reference, name_begun
from cambrian.search.parts.conditions import write_value

_ROWS_SHOWN = 50
_Points = Sequence[tuple[float, float]]


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
    caption = f"{counted(len(points), 'trial')}, {len(story.front):,} on the front"
    return section(
        "Front",
        element("p", _note(story, missing), "note"),
        *(element("p", line, "note") for line in _describe_volume(story)),
        chart(partial(_chart, story, points), caption),
        _final_chart(story),
        _front_table(story),
    )


def _describe_volume(story: Story) -> list[str]:
    trials = search_trials(story.trials)
    volume, point = measure_front(trials, story.objectives), find_reference(trials, story.objectives)
    return describe_hypervolume(story.objectives, point, volume)


def _final_chart(story: Story) -> Html:
    """The networks of the final stage with those they are compared with, by the scores on the test part."""
    second = story.objectives[1]
    finals = [t for t in story.trials if t.kind == "final" and t.role != "finalist"]
    handed = [p for t in finals if not _is_baseline(t) and (p := _point(t, second)) is not None]
    others = [p for t in finals if _is_baseline(t) and (p := _point(t, second)) is not None]
    if not handed or len(handed) + len(others) < 2:
        return Html("")
    names = ("handed over", "beside them: " + ", ".join(name for name, _ in baselines(story)))
    draw = partial(_draw_points, story, others, handed, "final networks and baselines", names=names)
    return chart(draw, "after the final training, on the test part")


def _is_baseline(trial: Trial) -> bool:
    return trial.role.startswith("baseline")


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
    chosen = [points[t.number] for t in story.chosen if t.number in points]
    dominated = [p for n, p in points.items() if n not in on_front]
    best = [p for n, p in points.items() if n in on_front]
    begun = {name_begun(t): points[t.number] for t in _list_begun(story) if t.number in points}
    return _draw_points(
        story,
        dominated,
        best,
        "trials and their front",
        width,
        chosen=chosen,
        begun=begun,
        line=_find_random_front(story, points),
    )


def _find_random_front(story: Story, points: dict[int, tuple[float, float]]) -> tuple[str, _Points]:
    """What random search has in so many trials as the strategy drew at random, where it did not draw all."""
    measured = [t for t in story.drawn if isinstance(t.outcome, Done)]
    if len(measured) == len([t for t in search_trials(story.trials) if isinstance(t.outcome, Done)]):
        return "", ()
    front = [points[t.number] for t in find_front(measured, story.objectives) if t.number in points]
    return f"the front of the {counted(len(measured), 'random network')} among them", sorted(front)


def _list_begun(story: Story) -> list[Trial]:
    """The networks that the search began with, such as the user's own."""
    return [t for t in search_trials(story.trials) if name_begun(t) and isinstance(t.outcome, Done)]


def _draw_points(
    story: Story, others: _Points, best: _Points, title: str, width: float, **settings: Any
) -> str:
    second = str(story.objectives[1])
    return charts.front(title, others, best, second, story.unit, y_format=story.axis, width=width, **settings)


def _front_table(story: Story) -> Html:
    header = ["trial", story.searched, *(o.name for o in story.objectives[1:]), "", "architecture"]
    # The networks that the search began with are what the others are compared with, dominated or not.
    begun = [t for t in _list_begun(story) if t not in story.front[:_ROWS_SHOWN]]
    rows = [_front_row(story, t) for t in (*begun, *story.front[:_ROWS_SHOWN])]
    more = len(story.front) - _ROWS_SHOWN
    text = table(header, rows)
    return Html(text + element("p", f"and {more} more", "note")) if more > 0 else text


def _front_row(story: Story, trial: Trial) -> list[object]:
    metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
    # Of a table the numbers stand as they are: its columns have units of their own.
    write = write_value if story.task else lambda name, number: charts.plain(number)
    others = [write(o.name, metrics[o.name]) if o.name in metrics else "–" for o in story.objectives[1:]]
    chosen = trial.number in {t.number for t in story.chosen}
    marks = [name_begun(trial), "chosen" if chosen else ""]
    return [
        trial.number,
        story.value_of(trial),
        *others,
        ", ".join(filter(None, marks)),
        architecture_text(story, trial.architecture),
    ]
