"""The final network on the test images, and the other sections on the winner."""

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cambrian.errors import RunChanged
from cambrian.networks.training.batches import images
from cambrian.networks.training.scoring import scores
from cambrian.outcome import Done, Fidelity, Point, Trial
from cambrian.pictures import charts
from cambrian.pictures.draw import family_tree
from cambrian.pictures.matrix import matrix
from cambrian.pictures.shapes import Text
from cambrian.reports import tested as accounts
from cambrian.reports.contents import Story
from cambrian.reports.mistakes import mistakes_section
from cambrian.reports.naming import architecture_text, published_name
from cambrian.reports.report import report_html
from cambrian.reports.tested import WORST, _judge, draw_image, look_at_test_images
from cambrian.search.ledger.rows import Row
from cambrian.search.result import Result
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.published import find_published
from cambrian.testing import toy_task
from report_cases import cells, finals, full_story

TASK = toy_task()


class Fixed(Result):
    """A run whose winner is the network given, of normalised inputs: all else is a run's own, so that inputs
    that are normalised twice are seen."""

    network: nn.Module

    def _load(self, trial):
        return self.network


def run_with(network, directory, metrics, resolution=None, task=TASK):
    fidelity = Fidelity(2, resolution=resolution)
    winner = Trial(10**9, cells(1)[0], fidelity, "final", "winner", outcome=Done(0.5, metrics))
    result = Fixed(PNAS(), task, [Row(winner, "a", "done", 1, 0)], {"settings": {}}, [], directory)
    result.events.append((1.0, "final", {"winner": 10**9}))
    result.network = network
    return result


@pytest.mark.parametrize("resolution", [None, 5])
def test_test_images_are_looked_at_as_the_training_scored_them(tmp_path, resolution):
    """Hits, mistakes and their confidence as the trainer's own scores and a loop over images have them; the
    surest mistakes come first, with their pictures."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.LazyLinear(3))
    side = resolution or TASK.height
    network(torch.zeros(1, 2, side, side))
    tested = look_at_test_images(run_with(network, tmp_path, {"test_accuracy": 0.5}, resolution))
    batch = images(
        TASK.inputs[TASK.test], TASK.targets[TASK.test], TASK.mean, TASK.std, resolution=resolution
    )
    accuracy = scores(network, batch, 7)["accuracy"]
    assert tested.count == tested.total == len(TASK.test)
    assert sum(tested.confused.get((i, i), 0) for i in range(3)) / tested.count == pytest.approx(accuracy)
    with torch.no_grad():
        expected = network(batch.inputs(batch.pixels)).softmax(1).numpy()
    wrong = {}
    for place, row in zip(TASK.test, expected):
        label = TASK.targets[place]
        if row.argmax() != label:
            wrong[int(place)] = (TASK.labels[label], TASK.labels[row.argmax()], row.max())
    assert [m.confidence for m in tested.mistakes] == sorted((w[2] for w in wrong.values()), reverse=True)[
        :WORST
    ]
    for mistake in tested.mistakes:
        label, predicted, confidence = wrong[mistake.place]
        assert (mistake.label, mistake.predicted) == (label, predicted)
        assert mistake.confidence == pytest.approx(confidence, abs=1e-6)
        shown = np.asarray(Image.open(io.BytesIO(mistake.picture)))
        np.testing.assert_array_equal(shown, TASK.inputs[mistake.place, ..., 0])


def test_large_networks_look_at_fewer_images(tmp_path):
    """Evenly over the test part, and the report says how many of how many."""
    task = toy_task(images=4000)
    network = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    run = run_with(network, tmp_path, {"test_accuracy": 0.5, "macs": 1e9}, task=task)
    tested = look_at_test_images(run)
    assert (tested.count, tested.total) == (200, len(task.test))
    story = Story("x", PNAS(), run.finals, winner=run.winner, tested=tested)
    assert f"200 of {len(task.test):,} test images" in report_html(story)


def test_a_network_that_cannot_be_built_is_said(tmp_path):
    """The rest of the report is there."""
    run = run_with(nn.Identity(), tmp_path, {"test_accuracy": 0.5})

    def fail(trial):
        raise RunChanged("the space was edited <b>")

    run._load = fail
    story = Story("x", PNAS(), run.finals, winner=run.winner, tested=look_at_test_images(run))
    assert "could not be run on the test images: the space was edited &lt;b&gt;" in report_html(story)
    assert look_at_test_images(run_with(nn.Identity(), tmp_path, {})) is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_float_images_are_drawn_from_their_least_to_their_greatest(channels):
    """And large ones are made small, bytes of four channels lose the fourth."""
    pixels = np.random.default_rng(0).normal(size=(200, 400, channels)).astype(np.float32)
    picture = Image.open(io.BytesIO(draw_image(pixels)))
    assert picture.size == (160, 80)
    assert picture.mode == ("RGB" if channels > 2 else "L")
    small = np.array([[[-1.0], [0.0]], [[1.0], [3.0]]])
    assert np.asarray(Image.open(io.BytesIO(draw_image(small)))).tolist() == [[0, 63], [127, 255]]


@pytest.mark.parametrize(("epoch_steps", "unit"), [(None, "epochs"), (200, "steps")])
def test_the_learning_curve_is_the_winners_and_its_finalists(epoch_steps, unit):
    """Losses of both, values of the finalist; a run without curves has no such section. Over steps where
    epochs are of a number of them."""

    def point(i, **metrics):
        return Point(i, metrics | ({"steps": float(i * epoch_steps)} if epoch_steps else {}))

    story = full_story()
    assert "How it learned" not in report_html(story)
    curve = [point(i, train_loss=1 / i) for i in (1, 2, 3)]
    ended = finals(story.trials[:1] * 3)
    chosen = [point(i, train_loss=1 / i, loss=2 / i, value=i / 4) for i in (1, 2, 3)]
    finalist, winner = (
        Trial(t.number, t.architecture, t.fidelity, t.kind, t.role, outcome=Done(0.5, curve=tuple(c)))
        for t, c in zip(ended[:2], (chosen, curve))
    )
    text = report_html(replace(story, trials=[finalist, winner], winner=winner))
    assert f"loss over {unit}" in text
    assert f"accuracy over {unit}" in text
    assert (">600</text>" in text) == (unit == "steps")
    for name in ("training", "training, as finalist", "validation, as finalist"):
        assert f"<title>{name}</title>" in text


def test_names_stand_beside_hashes():
    """The literature's name where it is one; else the commonest operations; and the trial that measured
    it."""
    entry = find_published("pnasnet-5")
    assert published_name(entry.space, entry.architecture) == "pnasnet-5"
    (cell,) = cells(1)
    assert published_name(PNAS(), cell) == ""
    story = Story("x", PNAS(), [Trial(7, cell, Fidelity(), outcome=Done(0.5))])
    text = architecture_text(story, cell, trial=True)
    assert text.startswith("trial 7: ")
    assert text.endswith(f" ({cell.key})")
    operations = [str(v) for k, v in cell.items() if "operation" in k]
    commonest = max(operations, key=operations.count)
    assert operations.count(commonest) == max(
        operations.count(part.split(" x ")[0]) for part in text[9:].split(" (")[0].split(", ")
    )


def test_a_matrix_shows_every_count():
    """A number in each cell that is not empty, and all of them as hints."""
    svg = matrix("m", ["a", "b", "a name that is long"], [[5, 0, 1], [0, 7, 0], [2, 0, 9]], charts.WIDE)
    assert [int(n) for n in re.findall(r'class="small middle">(\d+)<', svg)] == [5, 1, 7, 2, 9]
    assert "a name that is long, taken for a: 2" in svg


@pytest.mark.parametrize("count", [30, 400])
def test_the_legend_of_a_descent_is_whole(count):
    """Its picture is as wide as its longest text, of few trials and of many."""
    rng = np.random.default_rng(0)
    trials = [
        Trial(n, cell, Fidelity(), parent=int(rng.integers(n)) if n else None, outcome=Done(n / 7))
        for n, cell in enumerate(cells(count, 2))
    ]
    sketch = family_tree(trials).sketch
    texts = [shape for shape in sketch.shapes if isinstance(shape, Text)]
    assert any("worst, median and best value" in t.value for t in texts)
    assert any("the latest lines" in t.value for t in texts) == (count == 400)
    for text in texts:
        if "worst" in text.value or "latest" in text.value:
            # Six tenths of eleven pixels a sign, which is generous for a sans-serif font.
            assert text.x + 6.6 * len(text.value) <= sketch.width


def test_a_chart_alone_has_a_drawing_for_a_desktop():
    """A section with a single chart draws it for a phone and as wide as the page."""
    text = report_html(full_story())
    cost = text[text.index("What it cost") :]
    assert f'viewBox="0 0 {charts.WIDTH:g} ' in cost
    assert f'viewBox="0 0 {charts.WIDE:g} ' in cost


def test_many_examples_and_many_classes_make_no_large_report():
    """A scatter of some points, the largest errors among them; of thousands of classes the commonest
    confusions, without a matrix of all."""
    numbers = [(float(n), float(n + n % 7)) for n in range(100_000)]
    numbers[5] = (5.0, 999.0)
    story = SimpleNamespace(
        noun="rows", tested=accounts.Tested(count=100_000, total=100_000, pairs=tuple(numbers))
    )
    html = mistakes_section(story)
    assert len(html) < 1_000_000
    assert "each 50th test example and the largest errors" in html
    assert "true 5, predicted 999" in html
    labels, classes = tuple(f"c{n}" for n in range(50_000)), 50_000
    task = SimpleNamespace(targets=np.arange(20) % 4, labels=labels, causal=False, rendering={"text": {}})
    probabilities = np.zeros((20, classes), np.float32)
    probabilities[:, 49_999] = 1
    story.tested = _judge(SimpleNamespace(**vars(task), test=np.arange(20)), np.arange(20), probabilities)
    html = mistakes_section(story)
    assert "20 are classified wrongly" in html
    assert re.search("c3</td><td[^>]*>c49999</td><td[^>]*>5</td><td[^>]*>100.0 %", html)
