"""The settings of every space's skeleton: what they may be, and how small networks for small images are."""

from __future__ import annotations

import math

import pytest
import torch

from cambrian.architecture import sample
from cambrian.errors import UnknownName, UsageError
from cambrian.networks.measure.sizes import params
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape
from tiers import slow_for

DIGITS = Shape(1, 8, 8, 10)


def draft(space, n=0, task=DIGITS, **skeleton):
    """A network without memory, of the n-th architecture drawn."""
    with torch.device("meta"):
        return space.build(sample(space, stream(n, "skeletons")), task, **skeleton)


@pytest.mark.parametrize("name", SPACES.names())
def test_settings_that_cannot_be_are_said_in_a_sentence(name):
    """A name that is not the skeleton's, and of each one that is, values of no network: each is named."""
    space = SPACES.make(name)
    assert space.skeleton
    with pytest.raises(UnknownName, match="skeleton setting 'fliters'"):
        draft(space, fliters=8)
    for setting in space.skeleton:
        for value in (-1, "wide", math.nan, math.inf):
            with pytest.raises(UsageError, match=f"{setting}.*{value}"):
                draft(space, **{setting: value})


@pytest.mark.parametrize(
    "name",
    slow_for(("proxylessnas", "darts", "mnasnet", "amoebanet", "nasnet", "hierarchical"), SPACES.names()),
)
def test_networks_for_small_images_are_small(name):
    """Of ten drawn for digits half have less than 300,000 parameters, and none has two million."""
    sizes = sorted(params(draft(SPACES.make(name), n)) for n in range(10))
    assert sizes[5] < 300_000
    assert sizes[-1] < 2_000_000


def test_larger_images_have_the_papers_networks():
    """From 32 pixels on: NAS-Bench-101's 128 filters, the 1,280 features of mobile networks, ENAS's 36."""
    images = Shape(3, 32, 32, 10)
    assert draft(SPACES.make("nasbench101"), task=images)[0][0].out_channels == 128
    assert draft(SPACES.make("mnasnet"), task=images)[-1].in_features == 1280
    assert draft(SPACES.make("enas-macro"), task=images)[0].nodes[0][0].out_channels == 36
