"""Outputs that the children of a supernet have in common."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.architecture import sample
from cambrian.networks.pooling import pool_average
from cambrian.networks.sharing.memo import SCORES, STATISTICS, Memo, find_closed
from cambrian.networks.sharing.norms import measure_statistics, score_by_batch
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sharing import outer

TASK = Shape(channels=2, height=8, width=8, classes=3)
SKELETONS: dict[str, dict[str, Any]] = {
    "nasbench201": {"filters": 4, "cells": 1},
    "darts": {"filters": 4, "cells": 2},
    "enas-macro": {"filters": 4},
    "fabric": {"filters": 4},
}


def draw_batches(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(6, 2, 8, 8, generator=generator) for _ in range(count)]
    return [batch.contiguous(memory_format=torch.channels_last) for batch in batches]


def score(network: nn.Module, memo: Memo, batches: list[Tensor], images: Tensor) -> Tensor:
    """The outputs of the network after its statistics are measured, as an estimator has them."""
    for batch in batches:
        memo.know(batch)
    with memo.used(STATISTICS):
        measure_statistics(network, batches)
    with memo.used(SCORES), torch.inference_mode():
        network.eval()
        # Computed, as an estimator's inputs are: the images themselves were made outside of inference mode.
        outputs: Tensor = network(memo.recall(lambda begin, end: images[begin:end] * 1, 0, len(images)))
    return outputs


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *(pytest.param(n, 2**27, marks=[pytest.mark.slow] * (n in ("darts", "fabric"))) for n in SKELETONS),
        ("nasbench201", 60_000),
    ],
)
def test_children_have_the_outputs_that_they_have_without_a_memo(name: str, limit: int) -> None:
    """Bit for bit, in any order and again, with room for all outputs and for some; without the pooling by
    convolutions they differ by roundings only."""
    space = SPACES.make(name)
    children = [sample(space, stream(n, "memo")) for n in range(3)]
    torch.manual_seed(0)
    shares = space.know(Shares)
    assert shares is not None
    supernet: Any = shares.share(outer(space, children[0]), TASK, **SKELETONS[name])
    children = [child for child in children if outer(space, child) == outer(space, children[0])]
    supernet.to(memory_format=torch.channels_last)
    *batches, images = draw_batches(4)
    memo, names = Memo(supernet, limit), list(supernet.state_dict())
    for child in [*children, *reversed(children)]:
        supernet.choose(child)
        expected = score(supernet, Memo(supernet, 0), batches, images)
        statistics = {k: v.clone() for k, v in supernet.weights(child).items()}
        measure_statistics(supernet, batches)
        with torch.no_grad():
            torch.testing.assert_close(supernet.eval()(images), expected, rtol=1e-5, atol=1e-5)
        assert torch.equal(score(supernet, memo, batches, images), expected)
        for key, value in supernet.weights(child).items():
            assert torch.equal(value, statistics[key]), key
    assert len(memo) > 4
    assert list(supernet.state_dict()) == names


def test_a_second_child_runs_nothing_that_the_first_one_ran() -> None:
    """The same child again: every module that is a function of its input answers from its call."""
    first_layer = nn.Conv2d(2, 4, 1)
    network = nn.Sequential(nn.Sequential(first_layer, nn.BatchNorm2d(4)), nn.ReLU())
    counts = list[int]()
    first_layer.register_forward_hook(lambda *_: counts.append(1))
    *batches, images = draw_batches(3)
    memo = Memo(network)
    first, second = score(network, memo, batches, images), score(network, memo, batches, images)
    assert torch.equal(first, second)
    assert sum(counts) == 3


class Twice(nn.Module):
    """Runs one module on its input and on what it gave, so that its statistics are those of both calls."""

    def __init__(self, part: nn.Module | None = None) -> None:
        super().__init__()
        self.part = part or nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.part(x)
        second: Tensor = self.part(first)
        return second


class InPlace(Twice):
    """Changes what its module gave."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.part(x)
        return y.relu_()


class Centred(Twice):
    """Changes its input."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.part(x.sub_(1))
        return y


def make_flat() -> nn.Module:
    """Begins with a view of its input."""
    return nn.Sequential(nn.Flatten(2), Twice(nn.Linear(64, 64)), nn.BatchNorm1d(2))


@pytest.mark.parametrize("make", [Twice, InPlace, Centred, make_flat])
def test_a_memo_follows_modules_that_run_twice_and_outputs_that_change(make: Any) -> None:
    """Bit for bit as without one, the third time as well."""
    torch.manual_seed(0)
    network = make()
    memo = Memo(network)
    *batches, images = draw_batches(4)
    expected = score(network, Memo(network, 0), batches, images)
    for _ in range(3):
        if make is Centred:  # the batches are theirs who own the memo
            *batches, images = draw_batches(4)
        assert torch.equal(score(network, memo, batches, images), expected)


def test_scores_by_batch_are_kept_too() -> None:
    """In a phase of their own, beside those by statistics."""
    network = nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4))
    (images,) = draw_batches(1)
    memo = Memo(network)
    with torch.no_grad(), score_by_batch(network.eval()):
        expected = network(images)
        with memo.used(SCORES):
            kept = [network(memo.recall(lambda *_: images, 0, 6)) for _ in range(2)]
    assert all(torch.equal(outputs, expected) for outputs in kept)
    assert kept[0] is kept[1]


def test_closed_modules_are_those_that_nothing_chooses() -> None:
    """The outermost ones: not the identity, whose output is known, nor a module of a user, which may draw
    random numbers."""
    user, plain = Twice(), nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 1))
    network = nn.Sequential(plain, nn.Identity(), user)
    assert find_closed(network) == [plain, user.part]


@pytest.mark.parametrize("channels", [1, 4, 12, 16])
@pytest.mark.parametrize("side", [(1, 1), (2, 5), (8, 8)])
def test_pooling_by_a_convolution_is_torchs_average(channels: int, side: tuple[int, int]) -> None:
    """Up to rounding, in the layout of images that it is for; with other settings it is torch's own."""
    x = torch.randn(3, channels, *side).contiguous(memory_format=torch.channels_last)
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    expected = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(pool_average(pool, x), expected, rtol=1e-6, atol=1e-6)
    for other in (nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True)):
        assert torch.equal(pool_average(other, x), other(x))
