"""Drawings: well-formed, escaped, complete, in all three forms."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cambrian.architecture import Architecture
from cambrian.errors import IllegalArchitecture, UnknownName
from cambrian.pictures import draw
from cambrian.pictures.markup import escape
from cambrian.pictures.sketches import tree_rows
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.published import find_published
from report_cases import EVIL, STAGES, Named, Nested, cells, nested

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_cell_is_drawn_with_all_its_operations_and_blocks():
    """Every operation, both inputs, an add and a frame per block, concat, and the stages are there."""
    (cell,) = cells(1, blocks=5)
    shown = texts(draw.svg(PNAS(), cell, stages=[("stem", "16x8x8"), ("linear", "10")]))
    operations = sorted(cell[f"block{b}/operation{k}"] for b in range(1, 6) for k in (1, 2))
    expected = [*operations, *(f"block {b}" for b in range(1, 6)), *["add"] * 5]
    expected += ["previous-previous", "previous", "concat", "stem", "16x8x8", "linear", "10"]
    assert sorted(shown) == sorted(expected)


def test_a_drawing_has_a_title_and_a_size():
    """Screen readers get a name; the paper covers the view box."""
    root = ElementTree.fromstring(draw.svg(PNAS(), cells(1)[0], title="a & b"))
    assert root.find(f"{SVG}title").text == "a & b"
    assert root.get("role") == "img"
    paper = root.find(f"{SVG}rect")
    assert root.get("viewBox").split() == ["0", "0", paper.get("width"), paper.get("height")]


@pytest.mark.parametrize("space", [Nested(), Named()])
def test_names_in_a_drawing_are_inert(space):
    """A script in an option, a group, a stage or a title is shown, not run."""
    svg = draw.svg(space, nested(), stages=STAGES, title=EVIL)
    tags = {e.tag.removeprefix(SVG) for e in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "style", "g", "rect", "path", "text"}
    assert "<script" not in svg


@given(st.text())
def test_any_text_survives_xml(text):
    """Whatever is printable in XML comes back; control characters and lone surrogates do not break it."""
    found = ElementTree.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    if re.fullmatch(r"[\x20-\ud7ff\ue000-\ufffd]*", text):
        assert (found.text or "") == text
        assert found.get("b") == text


def test_a_cell_in_words_is_what_was_answered():
    """One line per block, as the answers say it, and the inputs and the output."""
    for cell in [*cells(20, blocks=4), find_published("pnasnet-5").architecture]:
        lines = [re.sub(r"^[●│├┤╰╯┴┼─ ]+", "", line) for line in draw.text(PNAS(), cell).splitlines()]
        expected = ["previous-previous", "previous"]
        for b in range(1, cell["blocks"] + 1):
            first, second = (
                f"{cell[f'block{b}/operation{k}']}({cell[f'block{b}/input{k}'].replace('block', 'block ')})"
                for k in (1, 2)
            )
            expected.append(f"block {b} = {first} + {second}".replace("block  ", "block "))
        assert lines == [*expected, "concat"]


def test_the_rails_join_what_is_joined():
    """A small drawing, checked by eye."""
    cell = {"blocks": 2}
    for b, (i, j) in {1: ("previous", "previous"), 2: ("previous-previous", "block1")}.items():
        cell |= {f"block{b}/input1": i, f"block{b}/operation1": "sep3x3"}
        cell |= {f"block{b}/input2": j, f"block{b}/operation2": "max3x3"}
    assert draw.text(PNAS(), Architecture(cell)).splitlines() == [
        "●   previous-previous",
        "│ ● previous",
        "│ ● block 1 = sep3x3(previous) + max3x3(previous)",
        "●─┤ block 2 = sep3x3(previous-previous) + max3x3(block 1)",
        "╰─● concat",
    ]


def test_every_feeding_rail_is_drawn():
    """In the row of a part there is a corner for each part that feeds it, its own column aside."""
    for cell in cells(50, blocks=5, seed=7):
        graph = PNAS().graph(cell)
        part = {v: g if g.startswith("block") else graph.labels[v] for v, g in enumerate(graph.groups)}
        for line in draw.text(PNAS(), cell).splitlines():
            rails, name = re.fullmatch(r"([●│├┤╰╯┴┼─ ]+) (.*)", line).groups()
            name = name.split(" = ")[0]
            feeding = {part[u] for u, v in graph.edges if part[v] == name} - {name}
            corners = len(re.findall("[├┤╰╯┴┼]", rails))
            assert rails.count("●") == 1
            assert corners in (len(feeding), len(feeding) - 1)
            assert corners or len(feeding) <= 1


def test_a_space_without_a_graph_is_drawn_as_its_answers():
    """Parts of paths are levels; tuples are lists; names cannot move the cursor."""
    assert draw.text(Nested(), nested("a\x1b[2J")).splitlines() == [
        "stem",
        "  op: a\ufffd[2J",
        "  skips: a, b",
        "head: 2",
    ]
    assert tree_rows(Architecture({"a/b/c": (), "a/d": 1, "e/b": 2})) == [
        (0, "a", ""),
        (1, "b", ""),
        (2, "c", "(nothing)"),
        (1, "d", "1"),
        (0, "e", ""),
        (1, "b", "2"),
    ]


@pytest.mark.parametrize("space", [PNAS(), Nested(), Named()])
def test_bitmaps_have_ink(space, tmp_path):
    """The PNG opens and is neither empty nor full."""
    cell = cells(1, blocks=5)[0] if isinstance(space, PNAS) else nested("$x^2$ ok")
    draw.draw(space, cell).save(tmp_path / "cell.png")
    with Image.open(tmp_path / "cell.png") as image:
        assert image.format == "PNG"
        histogram = image.convert("L").histogram()
    assert 0.001 < 1 - sum(histogram[250:]) / sum(histogram) < 0.7


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_stack_shows_every_stage(stages):
    """Whatever the stages are called, the stack is well-formed and shows each label and detail."""
    shown = texts(draw.network_svg(stages))
    assert len(shown) == len(stages) + sum(1 for _, detail in stages if detail)


def test_a_space_and_answers_may_be_given_as_people_have_them():
    """The name of a space, and answers that were printed; those of another space are refused."""
    (cell,) = cells(1, blocks=2)
    assert str(draw.draw("pnas", dict(cell))) == str(draw.draw(PNAS(), cell))
    assert str(draw.draw("pnas", dict(cell), before=dict(cell))) == str(draw.draw(PNAS(), cell, before=cell))
    with pytest.raises(IllegalArchitecture):
        draw.draw("pnas", {"no": "answer"})
    with pytest.raises(UnknownName, match="did you mean 'pnas'"):
        draw.draw("pnass", dict(cell))
