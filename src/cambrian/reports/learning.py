"""The learning curve of the winner: its training, and the training in which it was chosen on validation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cambrian.outcome import Curve, Done, Trial
from cambrian.pictures import charts
from cambrian.reports.contents import Story
from cambrian.reports.page import Html, chart, element, section
from cambrian.search.display.lengths import find_unit, read_length

Line = tuple[str, list[tuple[float, float]]]


def learning_section(story: Story) -> Html | None:
    """None where there is no winner, or where no more than a point of its training was recorded."""
    if story.winner is None:
        return None
    chosen = _finalist(story, story.winner)
    along = find_unit([*_list_points(story.winner), *_list_points(chosen)])
    losses = [
        *_line("training", story.winner, "train_loss", along),
        *_line("training, as finalist", chosen, "train_loss", along),
        *_line("validation, as finalist", chosen, "loss", along),
    ]
    values = _line("validation, as finalist", chosen, "value", along)
    final = "" if chosen is None else chosen.estimator
    unit, axis = story.unit_of(final), partial(story.axis, estimator=final)
    pictures = [
        *_chart("loss", along, losses, "loss", charts.plain, 2 if values else 1),
        *_chart(story.metric, along, values, unit, axis, 2 if losses else 1),
    ]
    if not pictures:
        return None
    note = (
        "The final network learns from the training and the validation part together, so that its own curve"
        " has no validation; that of the same architecture as a finalist, by which it was chosen, has."
    )
    kind = "charts" if len(pictures) > 1 else ""
    parts = [element("p", note, "note")] if chosen is not None else []
    return section("How it learned", *parts, element("div", Html("".join(pictures)), kind))


def _finalist(story: Story, winner: Trial) -> Trial | None:
    same = [t for t in story.trials if t.role == "finalist" and t.architecture == winner.architecture]
    return same[-1] if same else None


def _list_points(trial: Trial | None) -> Curve:
    return trial.outcome.curve if trial is not None and isinstance(trial.outcome, Done) else ()


def _line(name: str, trial: Trial | None, metric: str, along: str) -> list[Line]:
    """`along` is the unit of the training's length, across."""
    measured = [p for p in _list_points(trial) if metric in p.metrics]
    points = [(read_length(p, along), p.metrics[metric]) for p in measured]
    return [(name, points)] if len(points) > 1 else []


def _chart(
    name: str, along: str, lines: list[Line], unit: str, value_format: Callable[[float], str], columns: int
) -> list[Html]:
    if not lines:
        return []
    title = f"{name} over {along}"
    return [chart(lambda width: charts.lines(title, lines, along, unit, value_format, width), title, columns)]
