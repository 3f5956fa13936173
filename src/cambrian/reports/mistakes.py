"""The section on the test part: the confusion matrix, and the examples classified wrongly most surely."""

from __future__ import annotations

from collections import Counter

from cambrian.goal import write_number
from cambrian.pictures import charts
from cambrian.pictures.matrix import matrix
from cambrian.reports.contents import Story
from cambrian.reports.page import Html, chart, element, image, join, section, table
from cambrian.reports.tested import Tested

_MATRIX = 24
"""Classes up to which a matrix is legible."""
_PAIRS = 10
_DRAWN = 2000
"""Points of a scatter: of a hundred thousand the report would have tens of megabytes."""


def mistakes_section(story: Story) -> Html | None:
    tested = story.tested
    if tested is None:
        return None
    if tested.reason:
        note = f"The final network could not be run on the test {story.noun}: {tested.reason}."
        return section(f"On the test {story.noun}", element("p", note, "note"))
    looked = f"{tested.count:,} of {tested.total:,} test examples. They decided nothing."
    if tested.pairs:
        return section(
            "On the test part", element("p", f"The final network on {looked}", "note"), *_scatter(tested)
        )
    if tested.each:
        header, *rows = tested.each
        note = element("p", f"The final network on {looked}", "note")
        return section("On the test part", note, table(list(map(str, header)), rows))
    if tested.written:
        note = f"The final network on {looked} A text that it writes, each character drawn and read again:"
        written = element("pre", tested.written)
        return section("On the test part", element("p", note, "note"), written, *_confusion(tested))
    note = _note(tested, story.noun)
    return section(
        f"On the test {story.noun}", element("p", note, "note"), *_confusion(tested), *_worst(tested)
    )


def _scatter(tested: Tested) -> list[Html]:
    """The predicted numbers beside the true ones, and the largest errors."""
    worst = sorted(tested.pairs, key=lambda pair: -abs(pair[0] - pair[1]))[:_PAIRS]
    drawn, which = tested.pairs, "each test example"
    if len(drawn) > _DRAWN:
        step = -(-len(drawn) // _DRAWN)
        drawn = (*drawn[::step], *worst)
        which = f"each {step:,}th test example and the largest errors"
    true, predicted = zip(*drawn, strict=True)
    caption = f"{which}: the number, and the predicted one; on the line they agree"
    picture = chart(
        lambda width: charts.scatter("predicted and true", true, predicted, "true", "predicted", width=width),
        caption,
    )
    rows = [[write_number(a), write_number(b), f"{b - a:+.4g}"] for a, b in worst]
    return [picture, element("h3", "Largest errors"), table(["true", "predicted", "error"], rows)]


def _note(tested: Tested, noun: str) -> str:
    wrong = sum(count for (i, j), count in tested.confused.items() if i != j)
    looked = f"{tested.count:,} test {noun}"
    if tested.count < tested.total:
        looked = f"{tested.count:,} of {tested.total:,} test {noun}, evenly over them"
    return f"The final network on {looked}: {wrong:,} are classified wrongly. They decided nothing."


def _confusion(tested: Tested) -> list[Html]:
    """The matrix, where it is legible, and the commonest confusions."""
    parts = []
    if len(tested.labels) <= _MATRIX:
        caption = "rows: the true class; columns: the class it was taken for"
        places = range(len(tested.labels))
        counts = [[tested.confused.get((i, j), 0) for j in places] for i in places]
        parts.append(chart(lambda width: matrix("confusion matrix", tested.labels, counts, width), caption))
    rows = _pairs(tested)
    if rows:
        parts.append(element("h3", "Most often confused"))
        parts.append(table(["true class", "taken for", "times", "of its class"], rows))
    return parts


def _pairs(tested: Tested) -> list[list[object]]:
    members: Counter[int] = Counter()
    for (i, _), count in tested.confused.items():
        members[i] += count
    wrong = sorted((-count, i, j) for (i, j), count in tested.confused.items() if i != j)
    return [
        [tested.labels[i], tested.labels[j], f"{-count:,}", f"{100 * -count / members[i]:.1f} %"]
        for count, i, j in wrong[:_PAIRS]
    ]


def _worst(tested: Tested) -> list[Html]:
    if not tested.mistakes:
        return []
    pictures = [
        image(m.picture, f"{m.label}, taken for {m.predicted} ({100 * m.confidence:.0f} %), number {m.place}")
        for m in tested.mistakes
    ]
    return [
        element("h3", "Classified wrongly with the highest confidence"),
        element("div", join(pictures), "images"),
    ]
