"""`cambrian draw`, drawings in notebooks, and files: what a user sees of pictures."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import cambrian
from cambrian.benchmarks.planted import Planted
from cambrian.cli import commands  # noqa: F401  (registers `draw`)
from cambrian.cli.app import app
from cambrian.errors import UsageError
from cambrian.pictures.difference import changes
from cambrian.reports.contents import Story
from cambrian.reports.report import report_html
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.published import find_published
from cambrian.testing.gallery import evolve
from report_cases import Nested, nested


def run(*arguments):
    """What the command prints; its mistakes are raised."""
    return CliRunner().invoke(app, ["draw", *map(str, arguments)], catch_exceptions=False).output


@pytest.fixture(scope="module")
def evolution(tmp_path_factory):
    """The directory of a search by evolution, kept to a second."""
    place = tmp_path_factory.mktemp("draw") / "run"
    cambrian.Search("pnas", "evolution", Planted(), budget=40).run(place)
    return place


def test_a_drawing_shows_itself_and_saves_itself(tmp_path):
    """In a notebook as SVG, printed as text; .svg and .png by the name, another one refused by name."""
    drawing = cambrian.draw(PNAS(), evolve(1)[0].architecture)
    assert drawing._repr_svg_().startswith("<svg")
    assert str(drawing) == repr(drawing)
    assert str(drawing).splitlines()[-1].endswith("concat")
    assert drawing.save(tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg()
    with Image.open(drawing.save(tmp_path / "a.png")) as image:
        assert image.format == "PNG"
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        drawing.save(tmp_path / "a.bmp")
    with pytest.raises(UsageError, match="No such file"):
        drawing.save(tmp_path / "nowhere" / "a.png")


def test_two_architectures_are_compared(tmp_path):
    """As text, as JSON and as a picture: the six answers DARTS's two cells differ in."""
    old, new = (find_published(name).architecture for name in ("darts-v1", "darts-v2"))
    assert run("darts-v1", "darts-v2") == str(cambrian.draw(PNAS(), new, before=old)) + "\n"
    told = json.loads(run("darts-v1", "darts-v2", "--json"))
    assert [entry["path"] for entry in told] == [entry.path for entry in changes(old, new)]
    for name in ("a.svg", "a.png"):
        assert name in run("darts-v1", "darts-v2", "--out", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000


def test_two_trials_of_a_run_are_compared(evolution):
    """Of one run named once or twice; a run beside a published cell."""
    trials = cambrian.Result.open(evolution).trials
    expected = str(cambrian.draw(PNAS(), trials[9].architecture, before=trials[3].architecture)) + "\n"
    assert run(evolution, "--trial", 3, "--trial", 9) == expected
    assert run(evolution, evolution, "--trial", 3, "--trial", 9) == expected
    assert "the same" in run("pnasnet-5", evolution, "--trial", 9)


def test_a_runs_family_is_drawn(evolution, tmp_path):
    """The line of the best trial, and all trials with their parents as JSON."""
    result = cambrian.Result.open(evolution)
    assert run(evolution, "--family").splitlines()[-1].startswith(f"trial {result.best.number}: ")
    told = json.loads(run(evolution, "--family", "--json"))
    assert [t["parent"] for t in told] == [t.parent for t in result.trials]
    run(evolution, "--family", "--out", tmp_path / "tree.png")
    with Image.open(tmp_path / "tree.png") as image:
        assert image.width > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pnasnet-5", "darts-v2"], "PNAS and DARTS"),
        (["pnasnet-5", "--trial", "3"], "1 trials for 0 run directories"),
        (["RUN", "darts-v2", "--family"], "the whole of one run"),
        (["RUN", "--trial", "99"], "no trial 99"),
    ],
)
def test_mistakes_are_a_sentence(evolution, arguments, words):
    """Of two spaces, of trials of no run, of a family of two."""
    with pytest.raises(UsageError, match=words):
        run(*(evolution if a == "RUN" else a for a in arguments))


def test_a_result_shows_itself(evolution):
    """How many trials, the best value, and the best cell's picture."""
    result = cambrian.Result.open(evolution)
    html = result._repr_html_()
    assert "40 trials" in html
    assert f"best {result.best.value:.4g}" in html
    assert cambrian.draw(result.space, result.best.architecture).svg() in html


def test_a_report_draws_descent_where_there_is_one():
    """Of trials with parents; of trials without there is no such section."""
    trials = evolve(30)
    assert "Descent" in report_html(Story("with", PNAS(), trials))
    assert "Descent" not in report_html(Story("without", PNAS(), trials[:10]))


def test_answers_without_a_graph_are_compared(tmp_path):
    """A space that has none shows its answers in every form."""
    drawing = cambrian.draw(Nested(), nested(), before=nested("conv"))
    assert Path(drawing.save(tmp_path / "a.png")).stat().st_size > 1000
    assert "~" in drawing.svg()
