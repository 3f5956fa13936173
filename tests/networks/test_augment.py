"""Batched augmentation against the same done image by image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.goal import IGNORED, Goal
from cambrian.networks.training.augment import (
    Augment,
    Draws,
    automatic,
    cut_out,
    draw,
    find_holes,
    pad,
    windows,
)
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.batches import images
from chance import assert_even, assert_share
from reseeding import default_rng

SIDE = (5, 7)


def batch_of(augment: Augment, examples: int = 40, seed: int = 0) -> tuple[torch.Tensor, Draws, torch.Tensor]:
    """Images of `SIDE` with two channels, the draws for them, and all windows in the drawn order."""
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(1, 256, size=(examples, *SIDE, 2), dtype=np.uint8))
    draws = draw(augment, examples, SIDE, rng)
    return pixels, draws, windows(pad(pixels, augment.crop), draws, slice(0, examples), SIDE)


@settings(max_examples=30, deadline=None)
@given(crop=st.integers(0, 6), flip=st.booleans(), seed=st.integers(0, 1000))
def test_windows_equal_shifting_and_mirroring_one_by_one(crop: int, flip: bool, seed: int) -> None:
    """Oracle: NumPy's pad, slice and reverse, an image at a time."""
    pixels, draws, result = batch_of(Augment(crop, flip), 12, seed)
    for i, which in enumerate(draws.order.tolist()):
        padded = np.pad(pixels[which].numpy(), ((crop, crop), (crop, crop), (0, 0)))
        y, x = draws.corner[i].tolist()
        window = padded[y : y + SIDE[0], x : x + SIDE[1]]
        expected = window[:, ::-1] if draws.mirrored[i] else window
        assert np.array_equal(result[i].numpy(), expected)


def test_nothing_to_do_only_shuffles() -> None:
    """Without augmentation every image comes once, unchanged."""
    pixels, draws, result = batch_of(Augment())
    assert torch.equal(result, pixels[draws.order])
    assert sorted(draws.order.tolist()) == list(range(40))


@pytest.mark.statistical
def test_draws_are_uniform() -> None:
    """Each of the (2 x 2 + 1)^2 corners comes equally often, half the images are mirrored, and holes lie
    anywhere; one that came half as often again as each other would be seen."""
    draws = draw(Augment(crop=2, flip=True), 25_000, SIDE, default_rng(0))
    corners = torch.bincount(draws.corner[:, 0] * 5 + draws.corner[:, 1], minlength=25)
    assert_even(corners.tolist())
    assert_share(int(draws.mirrored.sum()), 25_000, 0.5, unlike=[0.45, 0.55])
    holes = torch.bincount(draws.hole[:, 0] * SIDE[1] + draws.hole[:, 1], minlength=35)
    assert_even(holes.tolist())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
def test_cutout_equals_slicing(size: int) -> None:
    """Oracle: a slice set to zero, cut at the border."""
    centres = torch.tensor([(y, x) for y in range(SIDE[0]) for x in range(SIDE[1])])
    inputs = torch.rand(len(centres), 3, *SIDE) + 1
    result = cut_out(inputs, find_holes(SIDE, size, centres))
    for image, (y, x), cut in zip(inputs, centres.tolist(), result, strict=True):
        expected = image.clone()
        top, left = y - size // 2, x - size // 2
        expected[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
        assert torch.equal(cut, expected)


AUGMENTS = (
    Augment(),
    Augment(flip=True),
    Augment(3),
    Augment(2, True),
    Augment(2, True, 4),
    Augment(0, False, 3),
)


@pytest.mark.parametrize("augment", AUGMENTS)
def test_masks_move_with_their_images(augment: Augment) -> None:
    """Oracle: an image whose pixels are its mask's classes plus one still is that after augmentation; the
    zeros that move in and those of a hole are ignored, as is what was, and nothing else."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 4, (40, *SIDE))
    masks[rng.random(masks.shape) < 0.1] = IGNORED
    pixels = np.where(masks == IGNORED, 9, masks + 1)[..., None].astype(np.float32)
    data = images(pixels, masks, (0.0,), (1.0,), goal=Goal("pixels"))
    stream = BatchStream(data, augment, 3, (0, "masks"))
    ignored = 0
    for step in range(3):
        inputs, targets = stream.batch(1, step)
        nothing = (inputs[:, 0] == 0) | (inputs[:, 0] == 9)
        assert torch.equal(targets == IGNORED, nothing)
        assert torch.equal((inputs[:, 0] - 1)[~nothing], targets[~nothing].float())
        ignored += int((inputs == 0).sum())
    assert (ignored > 0) == (augment.crop > 0 or augment.cutout > 0)
    order = stream.draws(1).order
    same = torch.equal(torch.cat([stream.batch(1, step)[1] for step in range(3)]), data.targets[order])
    assert same == (augment == Augment())


def test_masks_move_with_images_of_another_size() -> None:
    """The same of images of one class each, which stay that when they are scaled."""
    classes = np.arange(12) % 4
    masks = np.broadcast_to(classes[:, None, None], (12, 20, 30))
    pixels = (masks + 1.0)[..., None].astype(np.float32)
    stream = BatchStream(
        images(pixels, masks, (0.0,), (1.0,), goal=Goal("pixels")), Augment(4, True, 8), 1, (0, "masks")
    )
    stream.resize(10)
    inputs, targets = stream.batch(0, 0)
    assert targets.shape == (12, 10, 15)
    shown = inputs[:, 0] > 0.5
    assert torch.equal(targets == IGNORED, ~shown)
    torch.testing.assert_close((inputs[:, 0] - 1)[shown], targets[shown].float())


def test_the_automatic_choice() -> None:
    """An eighth of the side; mirrored only what is coloured and large; what is set stays."""
    assert automatic(8, 8, 1, None, None, 0) == Augment(1, False, 0)
    assert automatic(28, 28, 1, None, None, 0) == Augment(3, False, 0)
    assert automatic(32, 32, 3, None, None, 16) == Augment(4, True, 16)
    assert automatic(28, 32, 3, None, None, 0) == Augment(3, False, 0)
    assert automatic(32, 32, 3, 0, False, 0) == Augment()
    assert str(Augment()) == "none"
