"""The section on gates: the course of each supernet that learned some, whether it collapsed, and what the
architectures derived from it are worth with its weights and alone."""

from __future__ import annotations

from cambrian.outcome import Trial, describe_collapse
from cambrian.pictures import charts
from cambrian.pictures.gate_panels import draw_panels
from cambrian.reports.contents import Story
from cambrian.reports.gate_courses import (
    find_entropies,
    list_courses,
    list_derived,
    make_panels,
    read_data,
)
from cambrian.reports.page import Html, chart, details, element, section, table


def gates_section(story: Story) -> Html | None:
    """None where no supernet has learned gates."""
    supernets = list_courses(story.trials)
    if not supernets:
        return None
    parts = [_describe(story, t) for t in supernets]
    return section("Gates", *parts, *_compare(story))


def _describe(story: Story, trial: Trial) -> Html:
    course = read_data(trial, "course")
    verdict = describe_collapse(trial) or "no sign of a collapse"
    lines = [
        ("mean validation loss", course["loss"], "loss"),
        ("largest eigenvalue of its Hessian", course["eigenvalue"], "eigenvalue"),
        ("skip connections of the derived architecture", course.get("skips", []), "skips"),
        ("mean weight of skip connections", course.get("skip_weight", []), "weight"),
        ("mean entropy of the gates", find_entropies(course["gates"]), "share"),
    ]
    pictures = [_draw(title, series, unit) for title, series, unit in lines if _count(series) > 1]
    heading = element("h3", f"supernet {trial.number}, {trial.method.get('name', '')}: {verdict}")
    panels = make_panels(story.space, trial)
    areas = chart(lambda width: draw_panels(panels, width), "probabilities of options, stacked, by epoch")
    return Html(
        heading + element("div", Html("".join(pictures)), "charts") + areas + _list_derived(story, trial)
    )


def _list_derived(story: Story, trial: Trial) -> Html:
    """The architectures that the gates stood for, from each epoch to the next change."""
    rows = list_derived(story.space, trial)
    if not rows:
        return Html("")
    return details("the derived architecture by epoch", table(["from epoch", "answers"], rows))


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
        [t.number, t.reason.get("supernet", "–"), story.value(t.reason["shared"]), story.value_of(t)]
        for t in derived
    ]
    note = "The value with a supernet's weights chose nothing here: the one alone is the architecture's."
    header = ["trial", "supernet", "with its weights", "alone"]
    return [element("h3", "derived architectures"), element("p", note, "note"), table(header, rows)]


def _count(series: list[float | None]) -> int:
    return sum(value is not None for value in series)
