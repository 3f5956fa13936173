"""Semantic segmentation: masks as labels, from the file to the exported network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score
from torch import nn

import cambrian
from cambrian.errors import DataError, Unbuildable, UsageError
from cambrian.exports.predict import predict, predict_files
from cambrian.goal import Goal
from cambrian.networks.training.batches import images
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Fidelity
from cambrian.search.planning.forked import Failed
from cambrian.search.planning.race import speed as race_speed
from cambrian.search.planning.race.speed import Favourite, measure_favourite
from cambrian.search.search import Search
from cambrian.spaces.branches.encoder_decoder.space import EncoderDecoder
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.multifidelity.race import Race
from remembered import fix_race_speed

SIDE, CLASSES = 8, ("ground", "red", "blue")


def draw_shapes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Squares of two colours on noise, and the classes of their pixels."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 60, (count, SIDE, SIDE, 3), dtype=np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for n in range(count):
        top, left, kind = (*rng.integers(0, 5, 2), rng.integers(1, 3))
        place = (n, slice(top, top + 4), slice(left, left + 4))
        masks[place] = kind
        pictures[place][..., 2 * (kind - 1)] += 180
    return pictures, masks


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("masks") / "shapes.npz"
    pictures, masks = draw_shapes(80)
    np.savez(path, images=pictures, labels=masks, names=np.array(CLASSES))
    return path


def test_masks_are_recognised(file: Path, tmp_path: Path) -> None:
    """Labels of the images' shape; it is said, and kept on disk."""
    task = cambrian.load(file)
    assert (task.goal.kind, task.metric, task.labels, task.answer) == (
        *("pixels", "miou", CLASSES),
        "3 classes of pixels",
    )
    assert task.targets.shape == (80, SIDE, SIDE)
    assert any("each pixel has a class" in note for note in task.warnings)
    task.save(tmp_path)
    again = cambrian.Task.open(tmp_path)
    assert again.dense
    assert np.array_equal(again.targets, task.targets)
    assert np.array_equal(cambrian.load(file, size=4).targets, task.targets[:, 1::2, 1::2])


@pytest.mark.usefixtures("clean_is_forked")
def test_a_search_ends_with_a_network_for_pixels(file: Path, tmp_path: Path) -> None:
    """Its value is scikit-learn's Jaccard score of the test part, better than all ground; the export gives
    the same masks and names the classes of a file, and the report has the IoU of each class."""
    task = cambrian.load(file)
    fabric = Fabric(layers=2, scales=2)
    fidelity = Fidelity(16, skeleton={"filters": 8})
    search = Search(fabric, "random", "train", task, 2, seed=1, fidelity=fidelity, device="cpu")
    result = search.run(tmp_path / "run", quiet=True)
    winner = result.winner
    assert winner is not None
    found = result.predict(task.inputs[task.test])
    truth = task.targets[task.test]
    assert found.masks is not None
    wanted = jaccard_score(truth.ravel(), found.masks.ravel(), average="macro")
    assert winner.value == pytest.approx(wanted, abs=1e-6)
    assert winner.value > 0.6 > jaccard_score(truth.ravel(), 0 * truth.ravel(), average="macro")
    exported = cambrian.export(result, tmp_path / "out")
    assert np.allclose(predict(exported, task.inputs[task.test]), found.probabilities, atol=1e-5)
    Image.fromarray(task.inputs[task.test][0]).save(tmp_path / "one.png")
    (row,) = predict_files(exported, [tmp_path / "one.png"], tmp_path / "drawn")
    assert row.label.startswith("ground ")
    with Image.open(tmp_path / "drawn" / "one.png") as drawn:
        assert np.array_equal(np.asarray(drawn), found.masks[0])
    other = tmp_path / "deeper" / "one.png"  # an image that is still to be read, or a mask that somebody drew
    other.parent.mkdir()
    other.write_bytes((tmp_path / "one.png").read_bytes())
    for folder in (tmp_path, other.parent):
        before = (folder / "one.png").read_bytes()
        with pytest.raises(UsageError, match=r"would be written over .*one.png: name another folder"):
            predict_files(exported, [tmp_path / "one.png"], folder)
        assert (folder / "one.png").read_bytes() == before
    text = cambrian.report(result, tmp_path / "report.html").read_text()
    assert "IoU" in text
    assert all(name in text for name in CLASSES)


def test_a_fine_fabric_ends_at_the_resolution_of_the_image() -> None:
    """Each network has an answer for each pixel, odd sides included; the other fabric stays what it was."""
    shape = Shape(3, 9, 7, 4, dense=True)
    fine = Fabric(layers=3, scales=3).for_task(shape)
    assert isinstance(fine, Fabric)
    network = fine.build(fine.find_all(), shape, filters=4)
    assert network(torch.zeros(2, 3, 9, 7)).shape == (2, 4, 9, 7)
    assert fine.for_task(Shape()) == Fabric(layers=3, scales=3)


def test_a_time_for_masks_is_a_race_of_encoders_and_decoders(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The U-Net first, or the one that is named alone; the plan says why. A strategy has the same space, and
    another space the plan that it has for classes."""
    fix_race_speed(monkeypatch, lambda *arguments: 1e-4)
    task = cambrian.load(file)
    planned = cambrian.plan(task, "8m", workers=1, device="cpu")
    race, rows = planned.search.strategy, dict(planned.rows)
    assert isinstance(planned.search.space, EncoderDecoder)
    assert isinstance(race, Race)
    assert [entrant["name"] for entrant in race.entrants] == list(EncoderDecoder().portfolio)
    assert "race of unet (" in rows["strategy"]
    assert "made by hand are raced" in rows["why"]
    assert planned.search.estimator.batch_size == 16
    alone = cambrian.plan(task, "8m", workers=1, device="cpu", changes={"entrants": "fpn"})
    assert [entrant["name"] for entrant in alone.search.strategy.entrants] == ["fpn"]
    searched = cambrian.plan(task, 3, workers=1, device="cpu", strategy="random")
    assert isinstance(searched.search.space, EncoderDecoder)
    fabric = cambrian.plan(task, 3, workers=1, device="cpu", space="fabric", strategy="random")
    assert isinstance(fabric.search.space, Fabric)


def test_the_speed_of_a_network_too_wide_to_be_measured_follows_from_narrower_ones(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the powers that pixels and filters have: of masks wide networks take too long to measure in a short
    budget. Where no speed is known, it is in proportion to the multiply-accumulates."""
    task, space = cambrian.load(file), EncoderDecoder()
    late = Failed("it took longer than 2 s")
    networks = [Favourite(task, space, space.portfolio[name], {}, "cpu") for name in ("unet", "small-unet")]
    amounts = (4, None, None, 1, 2.0)
    monkeypatch.setattr(race_speed, "call_each", lambda *given: [late, 0.01, late])
    speed = measure_favourite(networks[0], *amounts)
    assert (speed.race, speed.base, speed.wide) == pytest.approx((0.0025, 0.01, 0.01 * 3**1.5))
    assert speed.notice == "the speed could not be measured and was guessed: it took longer than 2 s"
    monkeypatch.setattr(race_speed, "call_each", lambda *given: [late] * 3)
    macs = [race_speed.count_work(space, task, network.architecture) for network in networks]
    guesses = [measure_favourite(network, *amounts).base for network in networks]
    assert guesses[0] / guesses[1] == pytest.approx(macs[0] / macs[1])


def test_the_loss_is_the_mean_over_pixels() -> None:
    """Written out; and smaller images have smaller masks, of the nearest pixels."""
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    masks = torch.arange(32).reshape(2, 4, 4) % 3
    each = logits.log_softmax(1).gather(1, masks[:, None])
    loss = make_loss(Recipe(label_smoothing=0.0), Goal("pixels"))
    assert float(loss(logits, masks)) == pytest.approx(-float(each.mean()), rel=1e-5)
    pictures = np.zeros((2, 4, 4, 1), np.uint8)
    small = images(pictures, masks.numpy(), (0.0,), (1.0,), resolution=2, goal=Goal("pixels"))
    assert torch.equal(small.targets, masks[:, 1::2, 1::2])


@cambrian.space
def own(pick: Any, task: Any) -> nn.Module:
    outputs = task.classes if getattr(task, "dense", False) else 1
    pool = () if getattr(task, "dense", False) else (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    width = pick("width", [4, 8])
    last = nn.Linear(width, task.classes) if pool else nn.Conv2d(width, outputs, 1)
    return nn.Sequential(nn.Conv2d(task.channels, width, 3, padding=1), nn.ReLU(), *pool, last)


def test_own_spaces_and_models(file: Path) -> None:
    """A function that reads `task.dense`, and a network for pixels of one's own."""
    task = cambrian.load(file)
    search = Search(own, "random", "train", task, 1, fidelity=Fidelity(1), final=None, device="cpu")
    assert search.run(quiet=True).best.value >= 0
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))
    kinds = {question.kind for question in cambrian.from_model(net, task).survey.questions}
    assert kinds == {"width", "kernel", "activation"}
    with pytest.raises(Unbuildable, match="expected \\[2, 3, 8, 8\\]: a logit per class and pixel"):
        cambrian.from_model(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), task)


def test_what_does_not_fit_is_refused(file: Path) -> None:
    """Spaces with one answer for an image, scaled masks, metrics of classes, masks of other numbers."""
    task = cambrian.load(file)
    with pytest.raises(
        UsageError, match="a class for each pixel, and the networks of the space pnas one answer"
    ):
        Search("pnas", "random", "train", task, 1)
    with pytest.raises(UsageError, match="choose miou or pixel-accuracy"):
        cambrian.load(file, metric="accuracy")
    pictures, masks = draw_shapes(20)
    with pytest.raises(DataError, match="the masks hold the numbers -1 to 1"):
        cambrian.load((pictures, masks.astype(np.int64) - 1))
