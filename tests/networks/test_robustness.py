"""Images made harder: attacks against closed forms, corruptions against hand counts, metrics of searches."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.networks.robustness import blurs, scoring, weather
from cambrian.networks.robustness.attack import PGD
from cambrian.networks.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from cambrian.networks.robustness.filtering import blur, draw_plasma
from cambrian.networks.robustness.scoring import score_attack, score_corruption, score_corruptions
from cambrian.networks.trained.metric import find_trained_metric
from cambrian.networks.trained.parts import Parts
from cambrian.networks.trained.robust import CorruptedAccuracy
from cambrian.networks.training.batches import images as make_images
from cambrian.outcome import Fidelity
from cambrian.problem import Objective
from cambrian.randomness import stream
from small_training import ARCHITECTURE, SmallConv, bars
from tiers import slow_but

EPS = 0.05


class Linear(nn.Module):
    """Logits (0, w x): the margin of class 1 is w x."""

    def __init__(self, weights: Any) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(weights, dtype=torch.float32).reshape(-1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        margin = images.flatten(1) @ self.weights
        return torch.stack([torch.zeros_like(margin), margin], 1)


def test_the_attack_on_a_linear_network_reaches_the_worst_margin() -> None:
    """The worst change of a linear network with a logistic loss is -eps y sign(w), where images are far from
    black and white: the attack finds just that margin, from any beginning, and never more."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=12)
    images = torch.as_tensor(rng.uniform(0.2, 0.8, (16, 1, 3, 4)), dtype=torch.float32)
    targets = torch.as_tensor(rng.integers(0, 2, 16))
    network = Linear(weights)
    for restarts in (1, 3):
        attack = PGD(EPS, steps=20, step=EPS / 5, restarts=restarts)
        worst = attack.attack(network, images, targets, torch.Generator().manual_seed(1))
        sign = 2 * targets.numpy() - 1
        expected = images.flatten(1).numpy() @ weights - EPS * sign * np.abs(weights).sum()
        np.testing.assert_allclose(network(worst)[:, 1].detach(), expected, atol=1e-5)
        assert float((worst - images).abs().max()) <= EPS + 1e-6


class Halves(nn.Module):
    """Of three classes the second is taken where an image is dark, at a loss of log(1 + e^.2) = .8, and the
    first where it is bright, barely, at a loss of nearly log 3 = 1.1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        brightness = images.flatten(1)
        dark = brightness < 0.5
        zero = 0 * brightness
        return torch.cat([zero, torch.where(dark, 0.2, -0.01), torch.where(dark, -9.0, -0.01)], 1)


def test_an_attack_has_won_where_one_restart_is_taken_for_another_class() -> None:
    """Of twenty beginnings about half are dark, and wrong: an image of which all are bright is one of a
    million, and a right answer does not count for its higher loss."""
    images, targets = torch.full((64, 1, 1, 1), 0.5), torch.zeros(64, dtype=torch.int64)
    attack = PGD(0.1, steps=1, step=0.001, restarts=20)
    worst = attack.attack(Halves(), images, targets, torch.Generator().manual_seed(0))
    assert (Halves()(worst).argmax(1) == 1).all()


def test_the_accuracy_under_attack_is_that_of_the_margins() -> None:
    """A linear network gets right what it had right by more than eps |w|_1, in the unit of the pixels,
    whatever normalisation stands before it; mode, gradients and flags of the network stay."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(60, 190, (200, 2, 3, 1)).astype(np.uint8)
    weights = rng.normal(size=6)
    weights -= weights.mean()
    mean, std = 0.5, 0.25
    margins = ((pixels.reshape(200, 6) / 255 - mean) / std) @ weights
    targets = (margins + rng.normal(scale=0.5, size=200) > 0).astype(np.int64)
    images = make_images(pixels, targets, (mean,), (std,))
    network = Linear(weights).train()
    given = score_attack(network, images, PGD(EPS, steps=10, step=EPS / 4), seed=0, batch=64)
    right = (2 * targets - 1) * margins > EPS / std * np.abs(weights).sum()
    assert given == pytest.approx(right.mean(), abs=1e-9)
    assert 0 < given < np.mean((margins > 0) == targets)
    assert network.training
    assert network.weights.requires_grad
    assert network.weights.grad is None


def test_an_attack_stays_among_images() -> None:
    """Numbers of black and white images stay within [0, 1], and an attack of no use leaves them."""
    images = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
    targets = torch.tensor([0, 1])
    worst = PGD(0.3, steps=3, step=0.2).attack(Linear([1] * 4), images, targets, torch.Generator())
    assert 0 <= float(worst.min()) <= float(worst.max()) <= 1
    same = PGD(0.3, steps=3, step=0.2).attack(Linear([0] * 4), images, targets, torch.Generator())
    assert torch.equal(same, images)


def photos(count: int = 6, side: int = 32, channels: int = 3) -> Any:
    """Smooth random images."""
    clouds = draw_plasma(count * channels, (side, side), 2.0, np.random.default_rng(0))
    return (
        np.rint(clouds * 200 + 25).astype(np.uint8).reshape(channels, count, side, side).transpose(1, 2, 3, 0)
    )


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruptions_are_seeded_and_grow(kind: str) -> None:
    """Bytes of the same shape, for images of any size and number of channels; the same for the same seed;
    the severest changes more than the mildest, and each changes something."""
    images = photos()
    changes = []
    for severity in SEVERITIES:
        once, again = (corrupt(images, kind, severity, seed=3) for _ in range(2))
        assert once.dtype == np.uint8
        assert once.shape == images.shape
        assert (once == again).all()
        changes.append(float(np.abs(once.astype(float) - images).mean()))
    # Elastic's constants trade the moves of corners for waves.
    assert changes[-1] > changes[0] or kind == "elastic"
    # The mildest glass is almost clear.
    assert min(changes[1:]) > 0
    for shape in ((2, 8, 8, 1), (1, 12, 20, 2)):
        assert corrupt(np.full(shape, 90, np.uint8), kind, 5).shape == shape


def test_noise_has_its_moments() -> None:
    """Of grey images: the deviation of Gaussian noise, the variance x / c of photons, the share of hit
    numbers; each within five standard errors (a draw in a million fails)."""
    count = 64 * 32 * 32
    grey = np.full((64, 32, 32, 1), 128, np.uint8)
    level = 128 / 255
    gaussian = corrupt(grey, "gaussian-noise", 3).astype(float) / 255 - level
    assert gaussian.std() == pytest.approx(0.08, rel=5 / math.sqrt(2 * count) + 1e-3)
    photons = corrupt(grey, "shot-noise", 1).astype(float) / 255
    assert photons.var() == pytest.approx(level / 500, rel=5 * math.sqrt(2 / count) + 0.01)
    hit = (corrupt(grey, "impulse-noise", 5) != 128).mean()
    assert abs(hit - 0.07) <= 5 * math.sqrt(0.07 * 0.93 / count)


def test_light_and_blurs_by_hand() -> None:
    """Contrast is linear about the mean, brightness adds to the value and keeps the hue; blurs, zoom and
    elastic waves leave an even image as it is; a defocused point has the mean of the image."""
    images = photos()
    scaled = images / 255
    mean = scaled.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(
        corrupt(images, "contrast", 5), np.rint(((scaled - mean) * 0.15 + mean) * 255), atol=1
    )
    dark = np.full((1, 4, 4, 3), (20, 40, 80), np.uint8)
    bright = corrupt(dark, "brightness", 5)[0, 0, 0] / 255
    np.testing.assert_allclose(bright, np.array([20, 40, 80]) * (80 / 255 + 0.3) / 80, atol=3e-3)
    even = np.full((2, 16, 16, 1), 77, np.uint8)
    for kind in ("defocus-blur", "glass-blur", "motion-blur", "zoom-blur", "elastic", "pixelate", "jpeg"):
        assert np.abs(corrupt(even, kind, 4).astype(int) - 77).max() <= 1, kind
    point = np.zeros((1, 32, 32, 1), np.uint8)
    point[0, 16, 16] = 255
    assert corrupt(point, "defocus-blur", 5).astype(float).sum() == pytest.approx(255, rel=0.05)


def test_a_disk_out_of_focus_is_round_at_any_size() -> None:
    """At 512 pixels a side the severest disk has a radius of 1.5 * 16 = 24: an even circle, and nothing
    beyond its edge of .1 * 16."""
    point = np.zeros((1, 512, 512, 1))
    point[0, 256, 256] = 1
    spread = blurs.defocus(point, 4, stream(0))[0, ..., 0]
    rows, columns = np.indices(spread.shape) - 256
    distance = np.hypot(rows, columns)
    np.testing.assert_allclose(spread[distance < 16], 1 / (math.pi * 24**2), rtol=0.02)
    assert spread[distance > 24 + 4 * 1.6 * math.sqrt(2)].max() == 0


def test_glass_moves_pixels_up_to_the_border() -> None:
    """As published, each pixel from the last row and column down to the third is exchanged with itself or one
    above or to its left: the first row and column alone stay."""
    images = np.arange(1024).reshape(1, 32, 32, 1) / 1024
    moved = (blurs.blur_behind_glass(images, 0, stream(0)) != blur(blur(images, 0.05), 0.05))[0, ..., 0]
    for axis in (0, 1):
        assert np.flatnonzero(moved.any(axis)).tolist() == list(range(1, 32))


@pytest.mark.parametrize("side", [32, 128])
def test_glass_moves_pixels_as_far_in_a_larger_image(side: int) -> None:
    """The mildest exchanges neighbours of one pixel at 32 pixels a side, of four at 128: that far, and no
    farther where it is one, does black come into a white half, of which the blur shows nothing."""
    halves = np.zeros((1, side, side, 1))
    halves[:, :, side // 2 :] = 1
    seen = blurs.blur_behind_glass(halves, 0, stream(1))[0, ..., 0]
    last = np.flatnonzero((seen < 0.5).any(0)).max()
    assert last == side // 2 if side == 32 else last >= side // 2 + 3


@pytest.mark.parametrize("level", range(5))
def test_the_noise_of_fog_decays_by_the_square(level: int) -> None:
    """The published program draws noise of wibble * U(-wibble, wibble) and divides wibble by its decay: the
    middles of squares are off the means of their corners by decay ** 2 times less at each halving."""
    grey = np.full((64, 32, 32, 1), 0.5)
    amount, decay = weather.FOG[level]
    foggy = weather.add_fog(grey, level, stream(0, "fog", level))[..., 0]
    clouds = (foggy * (0.5 + amount) / 0.5 - 0.5) / amount
    off = []
    for step in (8, 4, 2):
        corners = clouds[:, ::step, ::step]
        below = np.roll(corners, -1, 1)
        mean = (corners + below + np.roll(corners, -1, 2) + np.roll(below, -1, 2)) / 4
        off.append(np.square(clouds[:, step // 2 :: step, step // 2 :: step] - mean).mean((1, 2)) ** 0.5)
    # Over 64 images of 16 and 64 such places: a standard error of a hundredth.
    assert np.median(off[0] / off[1]) == pytest.approx(decay**2, rel=0.1)
    assert np.median(off[1] / off[2]) == pytest.approx(decay**2, rel=0.05)


def test_clouds_fill_their_range() -> None:
    """Diamond-square: every place is filled, from 0 to 1, and neighbours are alike where the decay is
    strong."""
    rough, smooth = (draw_plasma(8, (32, 32), decay, stream(0, "clouds")) for decay in (1.2, 3.0))
    for clouds in (rough, smooth):
        assert clouds.shape == (8, 32, 32)
        assert clouds.min() == 0
        assert clouds.max() == 1
    steps = [np.abs(np.diff(clouds, axis=1)).mean() for clouds in (rough, smooth)]
    assert steps[1] < steps[0] / 2


def test_the_accuracy_under_corruptions_is_a_mean_of_accuracies() -> None:
    """By kind and severity as counted by hand on the same corrupted images; the metric is their mean."""
    task = bars()
    torch.manual_seed(0)
    network = SmallConv().build(ARCHITECTURE, task).eval()
    scored = make_images(task.inputs[task.validation], task.targets[task.validation], task.mean, task.std)
    by_kind = score_corruptions(network, scored, ["fog", "jpeg"], [1, 4], seed=5, batch=7)
    for kind, accuracies in by_kind.items():
        for severity, accuracy in zip((1, 4), accuracies):
            pixels = corrupt(task.inputs[task.validation], kind, severity, 5).transpose(0, 3, 1, 2)
            inputs = torch.as_tensor((pixels / 255 - 0.25) / 0.15, dtype=torch.float32)
            right = network(inputs).argmax(1).numpy() == task.targets[task.validation]
            assert accuracy == pytest.approx(right.mean())


def test_images_are_corrupted_once_for_all_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search scores its networks on the same images, also where these are some of the part; a report, which
    scores one network, keeps none: 75 copies of a part may not fit into memory."""
    made: list[Any] = []

    def corrupt_noted(*arguments: Any) -> Any:
        pixels = corrupt(*arguments)
        made.append(weakref.ref(pixels))
        return pixels

    monkeypatch.setattr(scoring, "corrupt", corrupt_noted)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1)).astype(np.uint8)
    images = make_images(pixels, np.arange(9) % 2, (0.5,), (0.25,))
    network, metric = Linear(np.ones(64)), CorruptedAccuracy(("fog", "contrast"), images=4)
    first, second = (metric(network, Parts(images, images, 0, 4)) for _ in range(2))
    assert first == second
    assert len(made) == 2
    score_corruption(network, images, "fog", 3, 0, 4)
    gc.collect()
    assert made[-1]() is None


@pytest.mark.parametrize("stage", slow_but(("deliver",), ["search", "deliver"]))
def test_metrics_that_are_objectives_are_measured_after_training(stage: str) -> None:
    """In a search on the validation part alone, at delivery on the test part: the same numbers twice, and
    none of another part's images."""
    kinds = 'corrupted-accuracy(kinds=["fog", "jpeg"])'
    names = (kinds, "pgd-accuracy(eps=0.02, steps=2)", "int8-accuracy")
    one, other = (train_for(stage, n).metrics for n in (names, names[:2]))
    assert {**one, **other} == one
    assert all(0 <= one[name] <= 1 for name in names)
    clean = one["accuracy" if stage == "search" else "test_accuracy"]
    assert abs(one["int8-accuracy"] - clean) <= 0.2
    assert not {*names} & {*train_for(stage, ()).metrics}


def train_for(stage: str, names: tuple[str, ...]) -> Any:
    """The outcome of a training in a search for these objectives."""
    job = Job.of(SmallConv(), ARCHITECTURE, Fidelity(4), bars(), stage=stage)
    objectives = (Objective("accuracy"), *map(Objective, names))
    job = replace(job, problem=replace(job.problem, objectives=objectives))
    estimate = Train(batch_size=16).run(job)
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            return end.value


def test_what_has_no_robustness_is_one_sentence() -> None:
    """Float data, unknown kinds and severities, settings out of bounds."""
    floats = make_images(np.zeros((4, 2, 2, 1), np.float32), np.zeros(4, np.int64), (0.0,), (1.0,))
    with pytest.raises(UsageError, match="images in bytes"):
        score_attack(Linear([1] * 4), floats, PGD(), 0, 4)
    with pytest.raises(UnknownName, match="unknown corruption 'fogg'; did you mean 'fog'"):
        find_trained_metric('corrupted-accuracy(kinds=["fogg"])')
    with pytest.raises(UsageError, match=r"severities are 1 to 5, got \[6\]"):
        find_trained_metric("corrupted-accuracy(severities=[6])")
    with pytest.raises(UsageError, match="eps is above 0"):
        find_trained_metric("pgd-accuracy(eps=0)")
