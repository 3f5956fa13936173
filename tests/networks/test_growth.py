"""Images that grow in the course of a training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.batches import Images, images
from cambrian.networks.training.growth import Growth
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.trainer import Training

GROWING = Recipe(batch_size=8, learning_rate=0.05, first_resolution=0.5, epoch_steps=5)


def some_images(height: int = 20, width: int = 20, n: int = 24) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(n, height, width, 2), dtype=np.uint8)
    return images(pixels, rng.integers(0, 3, n), (0.5,) * 2, (0.3,) * 2)


def training(epochs: int, recipe: Recipe = GROWING) -> Training:
    torch.manual_seed(0)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4, 3)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *pooled)
    network = network.to(memory_format=torch.channels_last)
    return Training(network, some_images(), recipe, Augment(2, True, 4), epochs)


def test_sides_by_hand() -> None:
    """Half, three quarters and all of 32 pixels, for .375, .375 and .25 of the time: as steps cost 1/4, 9/16
    and 1, these are 1.5, .667 and .25 parts of the steps."""
    growth = Growth(32, 0.5, 0.75)
    assert growth.sides == (16, 24, 32)
    parts = np.array([1.5, 2 / 3, 0.25])
    ends = np.cumsum(parts / parts.sum())
    assert [growth.side(end + shift) for end in ends[:2] for shift in (-1e-9, 1e-9)] == [16, 24, 24, 32]
    assert Growth(28, 0.25, 0.5).sides == (8, 16, 28)
    assert Growth(8, 0.25, 0.5).sides == (8,)
    assert Growth(100, 0.5, 0.5).sides == (48, 72, 100)
    assert Growth(32, 0.5, 0.0).side(0.0) == 32


def test_time_by_hand() -> None:
    """The stretches end after .375, .75 and all of the time; time is linear in steps within each."""
    growth = Growth(32, 0.5, 0.75)
    parts = np.array([1.5, 2 / 3, 0.25])
    ends = np.cumsum(parts / parts.sum())
    assert [growth.elapsed(end) for end in (0.0, *ends)] == pytest.approx([0, 0.375, 0.75, 1])
    assert growth.elapsed((ends[0] + ends[1]) / 2) == pytest.approx((0.375 + 0.75) / 2)
    assert Growth(8, 0.25, 0.5).elapsed(0.3) == pytest.approx(0.3)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(8, 300),
    st.floats(0.05, 1.0),
    st.floats(0.0, 1.0),
    st.integers(1, 400),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_sides_and_their_pixels(
    full: int, first: float, full_from: float, span: int, done: float, least: float
) -> None:
    """Sides never shrink, the last stretch has its share of the time, and the pixels ahead are the sum over
    the steps, up to one step at each change of side."""
    growth = Growth(full, first, full_from)
    sides = [growth.side(k / span) for k in range(span)]
    assert all(one <= other for one, other in pairwise(sides))
    assert min(sides) >= 8
    costs = [(side / full) ** 2 for side in sides]
    if len(growth.sides) > 1:
        at_full = sum(cost for side, cost in zip(sides, costs) if side == full)
        assert at_full == pytest.approx((1 - full_from) * sum(costs), abs=2)
    step, smallest = int(done * span), growth.side(least)
    summed = sum((max(side, smallest) / full) ** 2 for side in sides[step:])
    assert growth.pixels_ahead(step, span, span, smallest) == pytest.approx(summed, abs=1.01)


def test_smaller_batches_hold_the_same_examples() -> None:
    """A batch of scaled images has the same targets; without augmentation it is the batch, scaled; the
    longer side of images that are not square is scaled alike."""
    data = some_images(20, 30)
    for augment in (Augment(), Augment(2, True, 4)):
        small, whole = (BatchStream(data, augment, 3, (0, "pass")) for _ in range(2))
        small.resize(12)
        for step in range(3):
            (inputs, targets), (_, expected) = small.batch(1, step), whole.batch(1, step)
            assert inputs.shape == (8, 2, 12, 18)
            assert torch.equal(targets, expected)
    plain = BatchStream(data, Augment(), 3, (0, "pass"))
    plain.resize(12)
    scaled = data.resize((12, 18))
    assert torch.equal(plain.batch(0, 1)[0], scaled.inputs(scaled.pixels[plain.draws(0).order[8:16]]))
    plain.resize(20)
    assert torch.equal(plain.batch(0, 1)[0], BatchStream(data, Augment(), 3, (0, "pass")).batch(0, 1)[0])


@pytest.mark.parametrize("side", [8, 12, 16, 20])
def test_draws_scale_with_the_side(side: int) -> None:
    """Corners stay within twice the scaled shift, and holes within the image, over all of their range."""
    stream = BatchStream(some_images(n=2000), Augment(4, True, 4), 1, (0, "pass"))
    stream.resize(side)
    draws, crop = stream.draws(0), round(4 * side / 20)
    assert set(draws.corner.unique().tolist()) == set(range(2 * crop + 1))
    assert set(draws.hole.unique().tolist()) <= set(range(side))
    assert draws.hole.max() > 0.8 * side


def test_images_grow_and_do_not_shrink() -> None:
    """Over 20 steps of images of 20 pixels: .737 of them of 8, .184 of 16, .079 of 20; a length fitted anew
    to three times as many steps leaves the side as it is."""
    one = training(4)
    sides: list[int] = []
    while not one.finished:
        one.run_epoch(lambda: sides.append(one.batches.side))
    assert sides == [8] * 12 + [16] * 4  # after each step but the last of an epoch of five
    assert one.batches.side == 20
    other = training(12)
    other.fit(20)
    for _ in range(3):
        other.run_epoch()
    assert other.batches.side == 8
    other.run_epoch(lambda: other.fit(60) if other.step == 2 else None)
    assert other.batches.side == 16


def test_restored_at_any_step() -> None:
    """Also within a pass, an epoch and a stretch of sides, bit for bit."""
    whole, states = training(3), []

    def keep() -> None:
        tensors, place = whole.state()
        states.append(({k: v.detach().clone().contiguous() for k, v in tensors.items()}, place))

    while not whole.finished:
        whole.run_epoch(keep)
    expected = whole.state()[0]
    for tensors, place in states:
        again = training(3)
        again.restore(tensors, place)
        while not again.finished:
            again.run_epoch()
        assert all(torch.equal(v, expected[k]) for k, v in again.state()[0].items())


def test_growth_by_the_length_is_no_prefix() -> None:
    """It needs a horizon to be one, as drop path does."""
    recipe = {"schedule": "constant", "warmup": 0.0, "first_resolution": 0.5}
    assert not Recipe(**recipe).prefix  # type: ignore[arg-type]
    assert Recipe(**recipe, decay_epochs=3.0).prefix  # type: ignore[arg-type]
