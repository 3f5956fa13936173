"""A training continued in parts is, bit for bit, the training of all its epochs at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from test_schedules import PREFIXES
from torch import nn

from cambrian.errors import UsageError
from cambrian.networks.checkpoint import serialise
from cambrian.networks.skeletons.cell_network import cell_network
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images, images
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.trainer import Training

AUGMENT = Augment(crop=1, flip=True, cutout=2)
BASE = Recipe(batch_size=8, learning_rate=0.05)


def some_images(n: int) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(n, 6, 6, 2), dtype=np.uint8)
    return images(pixels, rng.integers(0, 3, n), (0.5,) * 2, (0.3,) * 2)


class Plain(nn.Sequential):
    """Batch normalisation, dropout, and no drop path."""

    def __init__(self) -> None:
        convolution = nn.Conv2d(2, 4, 3)
        norm = nn.BatchNorm2d(4)
        super().__init__(convolution, norm, nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3))


def cells(drop_path: float = 0.0) -> nn.Module:
    """Two cells with an auxiliary head."""
    block = (0, "conv3x3", 1, "max3x3")
    known = {"filters": 2, "cells": 2, "drop_path": drop_path, "dropout": 0.2, "auxiliary": True}
    return cell_network([block], 2, 3, **known)


def training(make: type[nn.Module] | object, recipe: Recipe, epochs: int, n: int = 27) -> Training:
    torch.manual_seed(0)
    network = make().to(memory_format=torch.channels_last)  # type: ignore[operator]
    return Training(network, some_images(n), recipe, AUGMENT, epochs, 3, "what is trained")


def finish(one: Training) -> list[float]:
    losses = []
    while not one.finished:
        losses.append(one.run_epoch())
    return losses


def saved(one: Training) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    """The state as it would come from a file: contiguous copies."""
    from safetensors.torch import load

    tensors, place = one.state()
    return load(serialise(tensors)), place


def in_parts(
    make: object, recipe: Recipe, ends: tuple[int, ...], n: int = 27
) -> tuple[Training, list[float]]:
    """Trained to each of `ends` in turn, every part a new object with other first weights."""
    part = training(make, recipe, ends[0], n)
    losses = finish(part)
    for end in ends[1:]:
        state = saved(part)
        part = training(make, recipe, end, n)
        with torch.no_grad():
            for parameter in part.network.parameters():
                parameter.add_(1.0)
        part.restore(*state)
        losses += finish(part)
    return part, losses


def expect_equal(one: Training, other: Training) -> None:
    """The same state in all: weights, statistics, moments, place."""
    (mine, here), (theirs, there) = one.state(), other.state()
    assert here == there
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


NETWORKS = {"plain": Plain, "cells": cells, "cells of dropped paths": lambda: cells(0.5)}


def list_schedules() -> list[object]:
    """In `make test` each schedule with the plain network and SGD; one with AdamW, whose moments are the same
    whatever the rate, and with all that a network can draw."""
    cases = product(PREFIXES, ("sgd", "adamw"), NETWORKS)
    few = ("restarts", "adamw", "cells of dropped paths")
    return [
        pytest.param(*case, marks=[pytest.mark.slow] * (case != few and case[1:] != ("sgd", "plain")))
        for case in cases
    ]


@pytest.mark.parametrize(("name", "optimiser", "network"), list_schedules())
def test_one_and_two_and_six_epochs_are_nine(name: str, optimiser: str, network: str) -> None:
    """For every prefix schedule, with augmentation, dropout and drop path: losses, weights, statistics of
    batch normalisation and moments."""
    recipe = replace(BASE, optimiser=optimiser, **PREFIXES[name])  # type: ignore[arg-type]
    make = NETWORKS[network]
    whole = training(make, recipe, 9)
    if not whole.prefix:
        assert name == "constant"
        return
    losses = finish(whole)
    part, found = in_parts(make, recipe, (1, 3, 9))
    assert found == losses
    expect_equal(part, whole)


@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_of_any_number_of_images(n: int) -> None:
    """As a fraction of the images leaves: batches of unequal size, or one alone."""
    recipe = replace(BASE, **PREFIXES["restarts"])  # type: ignore[arg-type]
    whole = training(Plain, recipe, 5, n)
    losses = finish(whole)
    part, found = in_parts(Plain, recipe, (1, 2, 5), n)
    assert found == losses
    expect_equal(part, whole)


def test_from_within_an_epoch_too() -> None:
    """A longer training goes on from a checkpoint that a shorter one left between two steps, and a shorter
    one from a longer one's."""
    recipe = replace(BASE, **PREFIXES["cosine"])  # type: ignore[arg-type]
    whole = training(Plain, recipe, 4)
    finish(whole)
    for planned in (2, 7):
        states = []
        short = training(Plain, recipe, planned)
        finish_epoch = [short.run_epoch(lambda: states.append(saved(short))) for _ in range(2)]  # noqa: B023
        assert len(states) == 4
        assert len(finish_epoch) == 2
        for state in states:
            other = training(Plain, recipe, 4)
            other.restore(*state)
            finish(other)
            expect_equal(other, whole)


@pytest.mark.parametrize(
    ("setting", "drop_path", "said"),
    [
        ({}, 0.0, "'cosine', goes by the training's length; tell its length"),
        ({"schedule": "constant"}, 0.0, "with warmup=0"),
        ({"schedule": "constant", "warmup": 0.0}, 0.5, "decay_epochs"),
    ],
)
def test_what_goes_by_its_length_cannot_be_continued(
    setting: dict[str, object], drop_path: float, said: str
) -> None:
    """One sentence says why and how to mend it; the training is as it was."""
    recipe = replace(BASE, **setting)  # type: ignore[arg-type]
    short, longer = (training(lambda: cells(drop_path), recipe, epochs) for epochs in (1, 2))
    finish(short)
    before = saved(longer)
    with pytest.raises(UsageError, match=said):
        longer.restore(*saved(short))
    assert all(torch.equal(tensor, before[0][name]) for name, tensor in longer.state()[0].items())
    assert longer.epoch == 0


def test_a_shortened_training_is_no_beginning() -> None:
    """Its last epoch has not all its steps. Nor can more be trained than the whole."""
    recipe = replace(BASE, **PREFIXES["cosine"])  # type: ignore[arg-type]
    short = training(Plain, recipe, 3)
    short.fit(4)
    finish(short)
    with pytest.raises(UsageError, match="it took 4 steps, expected 9"):
        training(Plain, recipe, 5).restore(*saved(short))
    long = training(Plain, recipe, 3)
    finish(long)
    with pytest.raises(UsageError, match="in its epoch 3 already"):
        training(Plain, recipe, 2).restore(*saved(long))


def test_a_checkpoint_without_its_number_of_epochs() -> None:
    """One that was written before trainings could be continued is of a training of the same length."""
    whole = training(Plain, BASE, 3)
    whole.run_epoch()
    tensors, place = saved(whole)
    finish(whole)
    other = training(Plain, BASE, 3)
    other.restore(tensors, {k: v for k, v in place.items() if k != "epochs"})
    finish(other)
    expect_equal(other, whole)
