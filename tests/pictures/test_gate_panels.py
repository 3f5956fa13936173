"""Pictures of gates over time: the areas and bars that a reader sees are the probabilities."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cambrian.errors import UsageError
from cambrian.pictures.gate_panels import PANEL, TALL, GatePanels, draw_movie, draw_panels, save_picture

SVG = "{http://www.w3.org/2000/svg}"
COURSE = {
    "edge1": [[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]],
    "edge2": [[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]],
}
PANELS = GatePanels("gates", COURSE, {"edge1": ["skip", "conv"], "edge2": ["skip", "conv"]})


def read_heights(path: str) -> list[float]:
    """The vertical coordinates of a path's points."""
    return [float(y) for _, y in re.findall(r"([0-9.]+) ([0-9.]+)", path)]


def test_areas_are_the_probabilities() -> None:
    """The height of the first option's area is its probability at each epoch, and the areas of a site fill
    its panel."""
    picture = ElementTree.fromstring(draw_panels(PANELS, 400.0))
    first, second = [p.attrib["d"] for p in picture.iter(f"{SVG}path")][:2]
    (above, back), (top, _) = ((read_heights(d)[:3], read_heights(d)[3:][::-1]) for d in (first, second))
    assert [b - a for a, b in zip(above, back, strict=True)] == pytest.approx(
        [TALL * gate[0] for gate in COURSE["edge1"]], abs=0.11
    )
    assert [b - a for a, b in zip(top, back, strict=True)] == pytest.approx([TALL] * 3, abs=0.11)


def test_bars_move_by_the_probabilities() -> None:
    """One value for each epoch; the strong bar is that of the option with the largest gate; one number of an
    epoch is seen at a time."""
    picture = ElementTree.fromstring(draw_movie(PANELS, 400.0))
    moves = [a.attrib for a in picture.iter(f"{SVG}animate")]
    widths = [[float(v) for v in m["values"].split(";")] for m in moves if m["attributeName"] == "width"]
    assert widths[0] == pytest.approx([PANEL * gate[0] for gate in COURSE["edge1"]], abs=0.06)
    assert len(widths) == 4
    strong = [m["values"] for m in moves if m["attributeName"] == "opacity"]
    assert strong[:3] == ["1;0;0", "0;1;0", "0;0;1"]
    assert strong[3:] == ["1;0.45;0.45", "0.45;1;1", "1;1;1", "0.45;0.45;0.45"]


def test_options_without_names_have_numbers() -> None:
    """As where the space of an older run knows other sites now."""
    assert GatePanels("gates", COURSE, {"edge1": ["skip"]}).list_legend() == ["0", "1"]


def test_a_moving_picture_is_an_svg(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a picture that moves is an \.svg"):
        save_picture("", tmp_path / "gates.png")
    assert save_picture("<svg/>", tmp_path / "gates.svg").read_text() == "<svg/>"
