"""The section on gates: the course of each supernet that learned some, whether it collapsed, and what the
architectures derived from it are worth with its weights and alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cambrian.outcome import Done, Trial
from cambrian.pictures import charts
from cambrian.reports.contents import Story
from cambrian.reports.page import Html, chart, element, section, table


def gates_section(story: Story) -> Html | None:
    """None where no supernet has learned gates."""
    supernets = _list_last(story.trials)
    if not supernets:
        return None
    parts = [_describe(t) for t in supernets]
    return section("Gates", *parts, *_compare(story))


def describe_collapse(trial: Trial) -> str:
    """The sentence of a supernet whose gates collapsed; "" where they did not."""
    collapse = _read(trial, "collapse")
    if not collapse:
        return ""
    before = f"the last epoch before it is {collapse['before']}" if collapse["before"] else "from the start"
    return f"collapsed in epoch {collapse['epoch']}: {collapse['sign']}; {before}"


def _list_last(trials: Sequence[Trial]) -> list[Trial]:
    """The supernets with a course; of a training in chunks, which tells it whole, the last one."""
    courses = [t for t in trials if t.kind == "supernet" and _read(t, "course")]
    last: dict[tuple[str, int], Trial] = {}
    for trial in sorted(courses, key=lambda t: t.number):
        last[str(sorted(trial.method.items())), trial.replicate] = trial
    return list(last.values())


def _describe(trial: Trial) -> Html:
    course = _read(trial, "course")
    verdict = describe_collapse(trial) or "no sign of a collapse"
    lines = [
        ("mean validation loss", course["loss"], "loss"),
        ("largest eigenvalue of its Hessian", course["eigenvalue"], "eigenvalue"),
        ("skip connections of the derived architecture", course.get("skips", []), "skips"),
        ("mean weight of skip connections", course.get("skip_weight", []), "weight"),
    ]
    pictures = [_draw(title, series, unit) for title, series, unit in lines if _count(series) > 1]
    heading = element("h3", f"supernet {trial.number}, {trial.method.get('name', '')}: {verdict}")
    return Html(heading + element("div", Html("".join(pictures)), "charts"))


def _draw(title: str, series: list[float | None], unit: str) -> Html:
    points = [(float(epoch), value) for epoch, value in enumerate(series, 1) if value is not None]
    return chart(
        lambda width: charts.lines(title, [(title, points)], "epochs", unit, charts.plain, width), title, 2
    )


def _compare(story: Story) -> list[Html]:
    """The derived architectures' shared values beside their own."""
    derived = [t for t in story.trials if "shared" in t.reason and t.value is not None]
    if not derived:
        return []
    rows: list[list[object]] = [
        [t.number, t.reason.get("supernet", "–"), story.value(t.reason["shared"]), story.value(t.value)]
        for t in derived
    ]
    note = "The value with a supernet's weights chose nothing here: the one alone is the architecture's."
    header = ["trial", "supernet", "with its weights", "alone"]
    return [element("h3", "derived architectures"), element("p", note, "note"), table(header, rows)]


def _count(series: list[float | None]) -> int:
    return sum(value is not None for value in series)


def _read(trial: Trial, name: str) -> dict[str, Any]:
    data = trial.outcome.data.get(name) if isinstance(trial.outcome, Done) else None
    return data if isinstance(data, dict) else {}
