"""Morphisms as edits of answers, in spaces that say which, and in functions of users."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

import cambrian
from cambrian.architecture import Architecture, sample
from cambrian.networks.morphisms.morphism import inherit_function
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.knowledge import Morphs, know
from cambrian.spaces.program.function_space import Shape

SHAPE = Shape(3, 8, 8, 4)


def block(kernel, channels, width):
    conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())


@cambrian.space
def own(pick, task):
    """Layers of a width and one of two kernels each, as a user would write them."""
    layers, channels = [], task.channels
    for n in range(pick.depth("layers", 1, 3)):
        inside = pick.inside("layer", n)
        width = inside("width", [4, 6, 8])
        named = {f"conv{k}x{k}": partial(block, k, channels, width) for k in (3, 5)}
        layers.append(inside.module("operation", named))
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.classes))


@cambrian.space
def fixed(pick, task):
    """A space in which nothing grows."""
    rate = pick("activation", ["relu", "tanh"])
    act = nn.ReLU() if rate == "relu" else nn.Tanh()
    return nn.Sequential(nn.Flatten(), nn.Linear(task.channels * task.height * task.width, task.classes), act)


def test_each_kind_takes_one_step_and_shrinking_takes_it_back() -> None:
    """Of a space that says which questions grow: the next larger answer, and the next smaller."""
    space = SPACES.make("stages")
    morphing = know(space, Morphs)
    assert morphing is not None
    assert (morphing.morphs, morphing.shrinks) == (
        ("deepen", "widen", "kernel"),
        ("shallow", "narrow", "shrink-kernel"),
    )
    start = Architecture(
        {"stages": 1, "pool": "mean", "stage1/block": "plain", "stage1/depth": 1, "stage1/width": 1.0}
        | {"stage1/kernel": 3}
    )
    rng = stream(0, "steps")
    wide = morphing.morph("widen", start, rng)
    assert wide is not None
    assert dict(wide) == {**start, "stage1/width": 1.5}
    assert morphing.morph("narrow", wide, rng) == start
    assert morphing.morph("kernel", start, rng) == Architecture({**start, "stage1/kernel": 5})
    assert morphing.morph("shallow", start, rng) is None
    assert know(SPACES.make("nasnet"), Morphs) is None


def test_kernels_grow_by_name_and_poolings_do_not() -> None:
    """An operation's larger kernel, and any operation in the place of none."""
    space = SPACES.make("nasbench201")
    morphing = know(space, Morphs)
    assert morphing is not None
    paths = [f"node{n}/from{m}" for n in range(1, 4) for m in range(n)]
    pooled = Architecture(dict.fromkeys(paths, "avg_pool_3x3"))
    assert morphing.morph("kernel", pooled, stream(0)) is None
    grown = morphing.morph("kernel", Architecture({**pooled, paths[0]: "nor_conv_1x1"}), stream(0))
    assert grown == Architecture({**pooled, paths[0]: "nor_conv_3x3"})
    branch = morphing.morph("branch", Architecture({**pooled, paths[0]: "none"}), stream(0))
    assert branch is not None
    assert str(branch[paths[0]]).startswith("nor_conv")


@pytest.mark.parametrize("kind", ["deepen", "widen", "kernel"])
def test_functions_of_users_grow_and_keep_what_they_compute(kind: str) -> None:
    """By `pick.depth`, a width and `pick.module`: without a word about morphisms."""
    morphing = know(own, Morphs)
    assert isinstance(morphing, AnswerMorphs)
    for seed in range(4):
        rng = stream(seed, "own")
        first = sample(own, rng)
        child = morphing.morph(kind, first, rng)
        if child is None:
            continue
        torch.manual_seed(seed)
        networks = [own.build(a, SHAPE) for a in (first, child)]
        inherited = inherit_function(networks[1], networks[0], (3, 8, 8))
        assert inherited.exact, (first, child)
        assert inherited.difference < 1e-5


def test_a_deeper_chain_keeps_its_layers_in_their_order() -> None:
    """A layer is a copy of the one before it and no pooling, and takes no other's answers: without it the
    chain is its parent."""
    space = SPACES.make("metaqnn")
    morphing = know(space, Morphs)
    assert morphing is not None
    deeper = 0
    for seed in range(40):
        rng = stream(seed, "order")
        first = sample(space, rng)
        child = morphing.morph("deepen", first, rng)
        if child is None:
            continue
        before, after = list(space.rows(first)), list(space.rows(child))
        new = [n for n in range(1, len(after)) if after[:n] + after[n + 1 :] == before]
        assert any(after[n] == after[n - 1] and after[n][0] != "pool" for n in new), (before, after)
        deeper += 1
    assert deeper > 10


def test_a_width_that_makes_a_shortcut_an_identity_is_no_morphism() -> None:
    """Two stages of 24 and 32 channels have a projection between them, of 32 and 32 none: the second is never
    made of the first."""
    space = SPACES.make("stages")
    morphing = know(space, Morphs)
    assert morphing is not None
    stage = {"block": "pooled", "depth": 1, "kernel": 5}
    answers = {f"stage{n}/{k}": v for n in (1, 2) for k, v in stage.items()}
    widths = {"stage1/width": 1.5, "stage2/width": 1.0}
    first = Architecture({"stages": 2, "pool": "max", **answers, **widths})
    children = [morphing.morph("widen", first, stream(seed, "shortcut")) for seed in range(20)]
    assert {c["stage1/width"] for c in children if c is not None} == {1.5}


def test_a_space_in_which_nothing_grows_does_not_know_morphisms() -> None:
    """Strategies that need them are refused there."""
    assert know(fixed, Morphs) is None
