"""Operations that see fewer channels at first, and are widened: the stages of DrNAS."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gate_cases
from cambrian.errors import UsageError
from cambrian.networks.operations import OPERATIONS
from cambrian.networks.sharing.methods.drnas import DrNAS
from cambrian.networks.sharing.narrowing import Narrowed, count_channels, list_moves, list_parts
from cambrian.networks.training.step import Moment
from cambrian.strategies.one_shot import drnas

WIDE, FEW = 16, 8
SETTINGS = {"epochs": 4, "keep": 3, "channel_share": 2, "first_share": 4, "curvature": 0}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_narrowed_operation_is_the_one_made_for_few_channels(name, stride):
    """With the same weights, bit for bit, its statistics included, in training and in evaluation."""
    torch.manual_seed(0)
    wide, few = OPERATIONS[name](WIDE, WIDE, stride), OPERATIONS[name](FEW, FEW, stride)
    state = dict(wide.state_dict())
    for part in list_parts(wide, WIDE, FEW):
        state[part.tensor] = part.cut(state[part.tensor])
    few.load_state_dict(state)
    narrowed = Narrowed(wide, WIDE, FEW)
    x = torch.randn(2, FEW, 6, 6)
    for training in (True, False):
        torch.testing.assert_close(narrowed(x), few(x), rtol=0, atol=0)
        wide.train(not training), few.train(not training)
    learnt, expected = dict(wide.state_dict()), few.state_dict()
    for part in list_parts(wide, WIDE, FEW):
        learnt[part.tensor] = part.cut(learnt[part.tensor])
    for key, tensor in expected.items():
        torch.testing.assert_close(learnt[key], tensor, rtol=0, atol=0)


def test_an_operation_without_weights_has_as_many_channels_as_its_part():
    """Which no weight tells: a half of those that it gives."""
    narrowed = Narrowed(
        OPERATIONS["none"](WIDE, WIDE, 2), *count_channels(OPERATIONS["none"](WIDE, WIDE, 2), 2, 4)
    )
    assert narrowed(torch.randn(2, FEW, 6, 6)).shape == (2, FEW, 3, 3)


@pytest.mark.parametrize("name", ["sep3x3", "skip", "conv3x3"])
def test_a_new_channel_is_an_old_one(name):
    """W'[o, i] = W[g(o), g(i)] with g(j) = j for old channels, the same g for the operations of two edges:
    two alike are alike when they are widened, old channels are what they were, and new ones copies."""
    torch.manual_seed(0)
    one = OPERATIONS[name](WIDE, WIDE, 2)
    other = OPERATIONS[name](WIDE, WIDE, 2)
    other.load_state_dict(one.state_dict())
    before = {key: t.clone() for key, t in one.state_dict().items()}
    with torch.no_grad():
        for tensor, dim, order in list_moves([one, other], 2, 4, torch.Generator().manual_seed(3)):
            tensor.copy_(tensor.index_select(dim, order))
    for key, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[key], rtol=0, atol=0)
    parts = list(list_parts(one, WIDE, FEW))
    after, old = dict(one.state_dict()), dict(before)
    for part in parts:
        after[part.tensor], old[part.tensor] = part.cut(after[part.tensor]), part.cut(old[part.tensor])
    for part in parts:
        torch.testing.assert_close(after[part.tensor], old[part.tensor], rtol=0, atol=0)
        whole = one.state_dict()[part.tensor]
        for channel in whole.unbind(part.dim):
            kept = part.cut(whole).unbind(part.dim)
            assert any(torch.equal(channel, each) for each in kept)


def test_the_first_stage_does_not_know_of_the_channels_to_come():
    """What is not a number in the weights of channels that the first stage does not see never comes into a
    loss, and is gone when they are widened, from the momenta too."""
    supernet, step = gate_cases.make_step(
        gate_cases.make_job("drnas", SETTINGS, skeleton={"filters": 8, "cells": 1})
    )
    forks = supernet._list_partial()
    assert supernet.present_share == 2
    assert forks
    for fork in forks:
        for module in fork.candidates:
            convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
            channels = convs[0].in_channels if convs else 0
            for conv in convs:
                with torch.no_grad():
                    conv.weight[channels // 2 :] = torch.nan
                    conv.weight[:, channels // 2 :] = torch.nan
    shares = []
    for epoch in range(4):
        torch.manual_seed(epoch)
        loss = step.take(torch.randn(8, 2, 8, 8), torch.arange(8) % 3, Moment(epoch, 0, 1, 4))
        assert torch.isfinite(loss)
        shares.append(supernet.present_share)
    assert shares == [4, 4, 2, 2]
    assert all(torch.isfinite(t).all() for t in supernet.state_dict().values())
    momenta = [t for name, t in step.state().items() if name.startswith("weights.")]
    assert momenta
    assert all(torch.isfinite(t).all() for t in momenta)


@pytest.mark.parametrize("cut", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_training_in_two_parts_is_the_whole_one(cut):
    """Cut before or after the widening: weights, gates and momenta are bit for bit the same."""

    def begin():
        job = gate_cases.make_job("drnas", SETTINGS, skeleton={"filters": 8, "cells": 1})
        return gate_cases.make_step(job)

    def train(supernet, step, epochs):
        for epoch in epochs:
            torch.manual_seed(epoch)
            step.take(torch.randn(8, 2, 8, 8), torch.arange(8) % 3, Moment(epoch, 0, 1, 4))

    whole = begin()
    train(*whole, range(4))
    first, second = begin(), begin()
    train(*first, range(cut))
    second[0].load_state_dict(first[0].state_dict())
    second[1].restore(first[1].state())
    train(*second, range(cut, 4))
    for one, other in zip(whole, second, strict=True):
        state = one.state_dict() if isinstance(one, nn.Module) else one.state()
        found = other.state_dict() if isinstance(other, nn.Module) else other.state()
        # The course has the curvature, which was not measured, as not a number.
        names = [name for name in state if not name.startswith("course")]
        assert all(torch.equal(state[name], found[name]) for name in names)


def test_a_wrong_share_is_refused():
    """In one sentence, before anything runs."""
    with pytest.raises(UsageError, match="first_share is for two stages"):
        DrNAS(channel_share=2, first_share=4)
    with pytest.raises(UsageError, match="first_share"):
        DrNAS(keep=3, channel_share=4, first_share=2)
    paper = drnas.DrNAS.paper().method[1]
    assert (paper["first_share"], paper["channel_share"], paper["keep"]) == (4, 2, 3)


def test_new_channels_are_the_same_copies_on_every_edge():
    """Through the supernet, whose edges are forks of their own: for channels of one number, one order."""
    job = gate_cases.make_job("drnas", SETTINGS, skeleton={"filters": 8, "cells": 1})
    supernet, _ = gate_cases.make_step(job)
    supernet.narrow(4)
    moves = supernet.list_widening(4, torch.Generator().manual_seed(0))
    orders = {tuple(order.tolist()) for tensor, dim, order in moves if tensor.ndim == 4 and dim == 0}
    assert len(supernet._list_partial()) > 1
    assert len({len(order) for order in orders}) == len(orders)


def test_the_share_of_a_training_is_restored_with_its_weights():
    """Also where no step follows, after which they are left for children."""
    first, second = (
        gate_cases.make_step(gate_cases.make_job("drnas", SETTINGS, skeleton={"filters": 8, "cells": 1}))
        for _ in range(2)
    )
    first[1].take(torch.randn(8, 2, 8, 8), torch.arange(8) % 3, Moment(0, 0, 1, 4))
    second[1].restore(first[1].state())
    assert first[0].present_share == second[0].present_share == 4
