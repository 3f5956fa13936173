"""How one trial is shown: in a row, in a picture, and with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

from cambrian.architecture import Architecture
from cambrian.effort import find_epochs
from cambrian.outcome import Done, Trial, describe_failure
from cambrian.pictures import charts, draw
from cambrian.pictures.markup import escape
from cambrian.reports.contents import Story
from cambrian.reports.formats import integer_text
from cambrian.reports.naming import describe_operations, published_name
from cambrian.reports.page import (
    Html,
    chart,
    definitions,
    element,
    figure,
    join,
)
from cambrian.search.display.lengths import STEPS, find_unit, read_length
from cambrian.spaces.space import Space


def show_picture(story: Story, trial: Trial, first: str) -> Html:
    """The trial's architecture, below it `first`, the trial, and its value."""
    value = "running" if trial.outcome is None else story.value_of(trial)
    caption = join([first, name_trial(trial), f": {describe_failure(trial)[:80] or value}"])
    return figure(_draw(story.space, trial.architecture), caption)


@lru_cache(maxsize=64)
def _draw(space: Space, architecture: Architecture) -> str:
    return draw.svg(space, architecture, title=f"architecture {architecture.key}")


@lru_cache(maxsize=4096)
def _describe(space: Space, architecture: Architecture) -> str:
    name = published_name(space, architecture) or describe_operations(space, architecture)
    return f"{name} ({architecture.key})" if name else architecture.key


def describe_trial(space: Space, trial: Trial) -> str:
    """What was tried, in words."""
    return "a supernet" if trial.kind == "supernet" else _describe(space, trial.architecture)


def name_trial(trial: Trial) -> Html:
    """The button that opens all of a trial."""
    final = trial.kind == "final"
    place, text = f"{'final' if final else 'trial'}/{trial.number}", f"trial {trial.number}"
    return Html(
        f'<button type="button" class="open" data-open="{place}">{escape(trial.role) if final else text}'
        "</button>"
    )


def _count_lengths(trial: Trial) -> tuple[float | None, float | None]:
    """The epochs, where they are passes over the data, and the steps of a training, where they are known."""
    curve = getattr(trial.outcome, "curve", ())
    steps = trial.outcome.metrics.get(STEPS) if isinstance(trial.outcome, Done) else None
    return (None, steps) if find_unit(curve) == STEPS else (find_epochs(trial), steps)


def list_cells(story: Story, trial: Trial) -> list[object]:
    """The cells of the trial's row in the table."""
    outcome = trial.outcome
    metrics = outcome.metrics if isinstance(outcome, Done) else {}
    failed = "" if outcome is None or isinstance(outcome, Done) else f"failed: {_reason(trial)}"
    value = failed or ("running" if outcome is None else story.value_of(trial))
    return [
        name_trial(trial),
        value,
        trial.reason.get("level", "–"),
        *map(integer_text, _count_lengths(trial)),
        integer_text(metrics.get("params")),
        integer_text(metrics.get("macs")),
        f"{outcome.seconds:,.1f}" if outcome is not None and trial.cached is None else "–",
        describe_trial(story.space, trial)
        + (f", repeats trial {trial.cached}" if trial.cached is not None else ""),
    ]


def _reason(trial: Trial) -> str:
    return getattr(trial.outcome, "reason", "") or describe_failure(trial).partition("\n")[0][:60]


def show_trial(story: Story, trial: Trial) -> str:
    """All of the trial."""
    title = trial.role if trial.kind == "final" else f"trial {trial.number}"
    parts: list[object] = [element("h2", title), definitions(_facts(story, trial)), *_curve(story, trial)]
    picture = figure(_draw(story.space, trial.architecture), f"architecture {trial.architecture.key}")
    answers = definitions((k, v) for k, v in trial.architecture.items())
    return join([*parts, picture, element("h3", "Answers"), answers])


def _facts(story: Story, trial: Trial) -> Iterator[tuple[str, str]]:
    yield story.name_of(trial.estimator), "running" if trial.outcome is None else story.value_of(trial)
    if failure := describe_failure(trial):
        yield "failed", failure
    if isinstance(trial.outcome, Done):
        yield from ((name, charts.plain(value)) for name, value in trial.outcome.metrics.items())
    if trial.outcome is not None:
        yield "seconds", f"{trial.outcome.seconds:,.1f}"
    yield from (
        (f"because of {k}", str(v)) for k, v in trial.reason.items() if isinstance(v, str | int | float)
    )
    if trial.parent is not None:
        yield "made of", f"trial {trial.parent}"


def _curve(story: Story, trial: Trial) -> Iterator[Html]:
    """The learning curve, where it has two points that are scored."""
    curve = getattr(trial.outcome, "curve", ())
    along = find_unit(curve)
    points = [(read_length(p, along), p.metrics["value"]) for p in curve if "value" in p.metrics]
    if len(points) > 1:
        series = [(f"{story.name_of(trial.estimator)} on validation", points)]
        unit, axis = story.unit_of(trial.estimator), partial(story.axis, estimator=trial.estimator)
        yield chart(
            lambda width: charts.lines("learning curve", series, along, unit, axis, width),
            f"over {along}",
            2,
        )
