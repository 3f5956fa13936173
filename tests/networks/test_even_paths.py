"""Paths that are drawn evenly over ranges of multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from cambrian.errors import UsageError
from cambrian.estimators.paths import Paths
from cambrian.networks.measure.macs import macs
from cambrian.networks.sharing.methods import SUPERNET_METHODS, even_paths
from cambrian.networks.sharing.methods.even_paths import EvenPaths
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import Moment
from cambrian.problem import Problem
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.chains.ofa.space import OFA
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.one_shot.children import choose_supernet, find_outer
from cambrian.strategies.one_shot.spos import SPOS

SPACE = NASBench201()
SHAPE = (2, 8, 8)
DRAW = Paths(SPACE, {}, seed=0, identity=5)


def make_supernet() -> Any:
    torch.manual_seed(0)
    shares = SPACE.know(Shares)
    assert shares is not None
    return shares.share({}, Shape(channels=2, height=8, width=8, classes=3), filters=2, cells=1)


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> EvenPaths:
    """Of few paths whose costs are counted first: to run them takes a while."""
    monkeypatch.setattr(even_paths, "SURVEYED", 12)
    monkeypatch.setattr(even_paths, "FEWEST", 1)
    return EvenPaths(make_supernet(), DRAW, SHAPE, 3)


def weigh(path: Mapping[str, Any]) -> int:
    """The multiply-accumulates of one cell's convolutions, up to a factor."""
    return sum({"nor_conv_3x3": 9, "nor_conv_1x1": 1}.get(answer, 0) for answer in path.values())


def spread(paths: EvenPaths, costs: list[int]) -> list[int]:
    """How many of the costs are in each range."""
    return [sum(low <= cost <= high for cost in costs) for low, high in paths.ranges]


def test_a_cost_is_that_of_the_paths_own_network(paths: EvenPaths) -> None:
    for number in range(2):
        path = DRAW(number)
        own = SPACE.build(path, Shape(channels=2, height=8, width=8, classes=3), filters=2, cells=1)
        assert list(paths.weigh([path])) == [(path, macs(own, SHAPE))]


def test_layers_of_several_sizes_are_counted() -> None:
    """In a supernet they run as modules that are no part of it; once-for-all took the smallest kernels of its
    own space for the largest, since all of them cost nothing."""
    space, shape = OFA(), Shape(channels=2, height=8, width=8, classes=3)
    shares = space.know(Shares)
    assert shares is not None
    outer = choose_supernet(Problem(space, seed=0))
    supernet = shares.share(find_outer(Problem(space, seed=0), outer), shape)
    draw = Paths(space, supernet.outer, seed=0, identity=1)
    costs = set()
    for path in (draw(0), draw(1)):
        supernet.choose(path)
        cost = macs(space.build(path, shape), SHAPE)
        assert macs(supernet, SHAPE, computed=True) == macs(supernet, SHAPE) == cost
        costs.add(cost)
    assert len(costs) == 2


def test_paths_are_even_over_the_ranges_of_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """By chi-square, where uniform paths are far from it."""
    monkeypatch.setattr(EvenPaths, "weigh", lambda self, paths: ((path, weigh(path)) for path in paths))
    paths = EvenPaths(make_supernet(), DRAW, SHAPE, 5)
    even = spread(paths, [weigh(paths(n)) for n in range(200)])
    plain = spread(paths, [weigh(DRAW(n)) for n in range(200)])
    assert sum(even) == 200
    assert chisquare(even).pvalue > 0.01
    assert chisquare(plain).pvalue < 1e-6


def test_a_step_draws_the_same_path_whatever_was_drawn_before(paths: EvenPaths) -> None:
    """So that a resumed training goes on with the same ones; and the device's generator is left alone."""
    state = torch.get_rng_state()
    again = EvenPaths(make_supernet(), DRAW, SHAPE, 3)
    assert again.ranges == paths.ranges
    assert [again(n) for n in (9, 3)] == [paths(n) for n in (9, 3)]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    again(40)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("bins", [3, 0])
def test_the_method_trains_on_them(paths: EvenPaths, bins: int) -> None:
    """Step 7 runs the path of number 7; without bins it is that of the plain draw."""

    class Batches:
        def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
            return torch.zeros(4, *SHAPE), torch.zeros(4, dtype=torch.long)

    supernet, chosen = make_supernet(), []
    method = SUPERNET_METHODS.make({"name": "uniform", "arguments": {"bins": bins}})
    step = method.step(supernet, Recipe(batch_size=4), DRAW, Batches())
    choose = supernet.choose
    supernet.choose = lambda path: (chosen.append(path), choose(path))
    inputs = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(3))
    step.take(inputs, torch.tensor([0, 1, 2, 1]), Moment(0, 7, 20, 20))
    assert chosen[-1] == (paths(7) if bins else DRAW(7))


def test_after_many_tries_any_path_is_taken(monkeypatch: pytest.MonkeyPatch, paths: EvenPaths) -> None:
    """As in the released code; here after none."""
    monkeypatch.setattr(even_paths, "TRIES", 0)
    assert [paths(n) for n in range(20)] == [DRAW(n) for n in range(20)]


def test_a_path_that_cannot_be_counted_is_one_sentence() -> None:
    def refuse(*inputs: Any) -> Any:
        raise NotImplementedError("made up")

    supernet = make_supernet()
    supernet.forward = refuse
    with pytest.raises(UsageError, match=r"cannot be counted, so that bins has to be 0: .*made up$"):
        EvenPaths(supernet, DRAW, SHAPE, 5)
    assert supernet.training


def test_to_count_leaves_the_supernet_as_it_was(paths: EvenPaths) -> None:
    """Though only some of the paths are taken: modes, statistics, and no hook stays."""
    supernet = make_supernet().train()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    again = EvenPaths(supernet, DRAW, SHAPE, 3)
    again(5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())
    assert all(m.training and not m._forward_hooks for m in supernet.modules())
    assert not any("forward" in vars(m) for m in supernet.modules())


def test_spos_asks_for_its_bins() -> None:
    assert SPOS().method == {"name": "uniform"}
    assert SPOS.paper().method == {"name": "uniform", "arguments": {"bins": 7}}
