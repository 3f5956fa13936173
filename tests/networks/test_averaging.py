"""The moving average of weights, against its closed form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_continuation import BASE, Plain, cells, finish, in_parts, saved, training
from torch import Tensor, nn

from cambrian.networks.training.averaging import Average
from cambrian.networks.training.trainer import Training

AVERAGED = replace(BASE, average=0.6)


def floats(network: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in network.state_dict().items() if v.is_floating_point()}


def expect_same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float = 0.0) -> None:
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[k], other[k], rtol=tolerance, atol=tolerance) for k in one)


@pytest.mark.parametrize("before", [0, 3, 100])
def test_it_is_the_sum_of_all_steps(before: int) -> None:
    """Oracle: m = d m + (1 - d) w with d = min(0.6, (1 + t) / (10 + t)) after t steps, those before the
    training too, in float64, over 12 steps, of weights and running statistics; the training itself is the one
    without an average."""
    one, other = training(Plain, AVERAGED, 4), training(Plain, BASE, 4)
    one.begin_after(before)
    mean = {k: v.double() for k, v in floats(one.network).items()}
    steps = 0

    def add() -> None:
        nonlocal steps
        decay = min(0.6, (1 + before + steps) / (10 + before + steps))
        for name, value in floats(one.network).items():
            mean[name] = decay * mean[name] + (1 - decay) * value.double()
        steps += 1

    while not one.finished:
        one.run_epoch(add)
        add()
    assert steps == 12
    assert one.steps_learned == before + 12
    finish(other)
    expect_same(floats(one.network), floats(other.network))
    with one.averaged():
        expect_same({k: v.double() for k, v in floats(one.network).items()}, mean, 1e-5)
    expect_same(floats(one.network), floats(other.network))
    one.load_average()
    expect_same({k: v.double() for k, v in floats(one.network).items()}, mean, 1e-5)


@pytest.mark.parametrize("make", [Plain, cells])
def test_restored_at_any_step(make: object) -> None:
    """From the state after each step it ends with the same weights and the same average, bit for bit."""
    whole, states = training(make, AVERAGED, 2), []

    def keep() -> None:
        tensors, place = saved(whole)
        states.append((tensors, place))

    while not whole.finished:
        whole.run_epoch(keep)
    for state in states:
        again: Training = training(make, AVERAGED, 2)
        again.restore(*state)
        finish(again)
        expect_same(saved(again)[0], saved(whole)[0])


def test_continued_in_parts() -> None:
    """A longer training continues the average too."""
    recipe = replace(AVERAGED, decay_epochs=9.0)
    part, _ = in_parts(Plain, recipe, (1, 3))
    whole, _ = in_parts(Plain, recipe, (3,))
    expect_same(saved(part)[0], saved(whole)[0])


def test_numbers_that_are_not_weights_stay() -> None:
    """Counters are not averaged, and memory layouts are kept."""
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    average = Average(network, 0.9)
    network[1].num_batches_tracked += 7  # type: ignore[operator]
    average.update(0)
    average.load()
    assert network[1].num_batches_tracked == 7
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
