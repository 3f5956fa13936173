"""The section on the test part: the confusion matrix, and the examples classified wrongly most surely."""

from __future__ import annotations

import numpy as np

from cambrian.goal import write_number
from cambrian.pictures import charts
from cambrian.pictures.matrix import matrix
from cambrian.reports.contents import Story
from cambrian.reports.page import Html, chart, element, image, join, section, table
from cambrian.reports.tested import Tested

_MATRIX = 24
"""Classes up to which a matrix is legible."""
_PAIRS = 10


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
    true, predicted = zip(*tested.pairs, strict=True)
    caption = "each test example: its number, and the predicted one; on the line they agree"
    picture = chart(
        lambda width: charts.scatter("predicted and true", true, predicted, "true", "predicted", width=width),
        caption,
    )
    worst = sorted(tested.pairs, key=lambda pair: -abs(pair[0] - pair[1]))[:_PAIRS]
    rows = [[write_number(a), write_number(b), f"{b - a:+.4g}"] for a, b in worst]
    return [picture, element("h3", "Largest errors"), table(["true", "predicted", "error"], rows)]


def _note(tested: Tested, noun: str) -> str:
    wrong = int(tested.confusion.sum() - np.trace(tested.confusion))
    looked = f"{tested.count:,} test {noun}"
    if tested.count < tested.total:
        looked = f"{tested.count:,} of {tested.total:,} test {noun}, evenly over them"
    return f"The final network on {looked}: {wrong:,} are classified wrongly. They decided nothing."


def _confusion(tested: Tested) -> list[Html]:
    """The matrix, where it is legible, and the commonest confusions."""
    parts = []
    if len(tested.labels) <= _MATRIX:
        caption = "rows: the true class; columns: the class it was taken for"
        parts.append(
            chart(
                lambda width: matrix("confusion matrix", tested.labels, tested.confusion.tolist(), width),
                caption,
            )
        )
    rows = _pairs(tested)
    if rows:
        parts.append(element("h3", "Most often confused"))
        parts.append(table(["true class", "taken for", "times", "of its class"], rows))
    return parts


def _pairs(tested: Tested) -> list[list[object]]:
    wrong = tested.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    rows: list[list[object]] = []
    for place in order:
        i, j = divmod(int(place), len(tested.labels))
        if wrong[i, j]:
            share = 100 * wrong[i, j] / tested.confusion[i].sum()
            rows.append([tested.labels[i], tested.labels[j], f"{wrong[i, j]:,}", f"{share:.1f} %"])
    return rows


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
