"""Spaces read a third way: one network of all candidates, equal to each architecture's own bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import programs_shared as programs
import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture, completions, replay, sample
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError, UnknownName, UsageError
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import PATHS, NASBench201
from cambrian.spaces.knowledge import Encodes
from cambrian.spaces.program.function_space import Shape, space
from cambrian.spaces.sharing import outer
from cambrian.spaces.space import Grows, Shares, Space

TASK = Shape(channels=2, height=8, width=8, classes=3)
INPUTS = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(3))


def supernet_of(space: Any, architecture: Architecture, **skeleton: Any) -> Supernet:
    """Made for the outer answers of `architecture`, with running statistics that are not the first ones."""
    torch.manual_seed(0)
    supernet = space.know(Shares).share(outer(space, architecture), TASK, **skeleton)
    for module in supernet.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    return supernet


def drawn(space: Space, fixed: dict[str, Any], n: int) -> Architecture:
    rng = stream(5, "shared", n)
    while True:
        try:
            return replay(space, fixed, lambda c: c.draw(rng))
        except Rejected:
            continue


def own_network(space: Any, supernet: Supernet, architecture: Architecture, **skeleton: Any) -> nn.Module:
    own: nn.Module = space.build(architecture, TASK, **skeleton)
    own.load_state_dict(supernet.weights(architecture))
    return own


def expect_equal(space: Any, supernet: Supernet, architecture: Architecture, **skeleton: Any) -> None:
    """Outputs in evaluation and in training, gradients, and the running statistics a step leaves behind:
    all equal, bit for bit."""
    own = own_network(space, supernet, architecture, **skeleton)
    supernet.choose(architecture)
    for training in (False, True):
        mine, theirs = supernet.train(training)(INPUTS), own.train(training)(INPUTS)
        assert torch.equal(mine, theirs), architecture
    supernet.zero_grad()
    mine.square().sum().backward()
    theirs.square().sum().backward()
    left = supernet.weights(architecture)
    assert all(torch.equal(left[k], v) for k, v in own.state_dict().items())
    gradients = [p.grad for p in supernet.parameters() if p.grad is not None]
    wanted = [p.grad for p in own.parameters() if p.grad is not None]
    assert len(gradients) == len(wanted), "what was not chosen has a gradient"
    assert all(map(torch.equal, gradients, wanted))


@pytest.mark.parametrize("name", programs.NAMES)
def test_a_shared_network_is_each_architectures_own(name: str) -> None:
    """For random architectures of every kind of fork, under several outer answers."""
    space = getattr(programs, name)
    for first in range(2):
        start = sample(space, stream(4, "start", first))
        supernet = supernet_of(space, start)
        seen = {drawn(space, outer(space, start), n) for n in range(4)}
        assert len(seen) > 1
        for architecture in seen:
            expect_equal(space, supernet, architecture)


def test_every_architecture_of_a_small_space() -> None:
    """By enumeration, all in one supernet."""
    everything = list(completions(programs.cells, {}))
    assert len(everything) == 4
    supernet = supernet_of(programs.cells, everything[0])
    for architecture in everything:
        expect_equal(programs.cells, supernet, architecture)


def expect_cells(cells: list[Architecture], whole: bool) -> None:
    skeleton = {"filters": 4, "cells": 1, "whole": whole}
    supernet = supernet_of(NASBench201(), cells[0], **skeleton)
    for cell in cells:
        expect_equal(NASBench201(), supernet, cell, **skeleton)


@pytest.mark.parametrize("whole", [True, False])
def test_nasbench201_shares_its_cells(whole: bool) -> None:
    """Random cells and the three with all edges none, skips and convolutions; operations the output does
    not depend on run in the whole network only."""
    rng = np.random.default_rng(0)
    cells = [NASBench201().architecture([code] * 6) for code in (0, 1, 3)]
    expect_cells(cells + [sample(NASBench201(), rng) for _ in range(5)], whole)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_nasbench201_shares_many_cells(whole: bool) -> None:
    """Five hundred of the 15,625."""
    rng = np.random.default_rng(1)
    expect_cells([sample(NASBench201(), rng) for _ in range(500)], whole)


def test_nasbench201_has_every_operation_on_every_edge() -> None:
    """The shared network has six forks a cell, of five candidates each, and no outer question."""
    supernet = NASBench201().know(Shares).share({}, TASK, filters=4, cells=2)
    forks = [m for m in supernet.modules() if isinstance(m, Fork)]
    assert [f.path for f in forks] == [*PATHS] * 6
    assert {f.options for f in forks} == {NASBench201.operations}
    assert supernet.outer == {}


def test_only_what_was_chosen_gets_a_gradient() -> None:
    """Of three candidates the two others have none."""
    architecture = sample(programs.chain, stream(4, "start", 0))
    supernet = supernet_of(programs.chain, architecture)
    supernet.choose(architecture)
    supernet(INPUTS).sum().backward()
    for module in supernet.modules():
        if isinstance(module, Fork):
            reached = [any(p.grad is not None for p in c.parameters()) for c in module.candidates]
            chosen = [architecture.get(module.path) == option for option in module.options]
            weighted = [any(True for _ in c.parameters()) for c in module.candidates]
            assert reached == [c and w for c, w in zip(chosen, weighted, strict=True)]


def test_a_mixture_is_the_weighted_sum() -> None:
    """By hand, for one fork and gradients by autograd of the same sum."""

    @space
    def single(pick: Any, task: Any) -> nn.Module:
        options = {k: lambda k=k: nn.Conv2d(2, 3, k, padding=k // 2) for k in (1, 3, 5)}
        return nn.Sequential(pick.module("op", options), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    supernet = single.know(Shares).share({}, TASK)
    weights = torch.tensor([0.5, 0.2, 0.3], requires_grad=True)
    supernet.mix({"op": weights})
    fork = next(m for m in supernet.modules() if isinstance(m, Fork))
    given = supernet(INPUTS)
    means = torch.stack([c(INPUTS).mean((2, 3)) for c in fork.candidates])
    torch.testing.assert_close(given, 0.5 * means[0] + 0.2 * means[1] + 0.3 * means[2])
    given.sum().backward()
    torch.testing.assert_close(weights.grad, means.sum((1, 2)))
    supernet.choose({"op": 3})
    torch.testing.assert_close(supernet(INPUTS), means[1])


def test_a_mixture_needs_a_fork_and_its_number_of_weights() -> None:
    """Sentences with the path; the nearest name."""
    supernet = supernet_of(programs.repeated, sample(programs.repeated, stream(4, "start", 0)))
    with pytest.raises(UnknownName, match="did you mean 'layers'"):
        supernet.mix({"layer": torch.ones(2)})
    with pytest.raises(UsageError, match="'layers' is no fork"):
        supernet.mix({"layers": torch.ones(2)})
    with pytest.raises(UsageError, match=r"'layers/0/op': expected 2 weights, got \[3\]"):
        supernet.mix({"layers/0/op": torch.ones(3)})


def test_outer_answers_are_given_and_kept() -> None:
    """What is not shared must be answered, legally, once and for all."""
    with pytest.raises(IllegalArchitecture, match="'widen' is not shared and needs an answer"):
        programs.chain.know(Shares).share({}, TASK)
    with pytest.raises(IllegalArchitecture, match="'widen': 7 is not an option"):
        programs.chain.know(Shares).share({"widen": 7}, TASK)
    with pytest.raises(IllegalArchitecture, match="no question 'wide' is asked; did you mean 'widen'"):
        programs.chain.know(Shares).share({"widen": 1, "wide": 1}, TASK)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        programs.chain.know(Shares).share({"widen": 1}, TASK, filter=3)
    supernet = programs.chain.know(Shares).share({"widen": 1}, TASK)
    with pytest.raises(IllegalArchitecture, match="'widen': this supernet was made for the answer 1, got 2"):
        supernet.choose({"widen": 2, "layers": 1, "layers/0/op": "skip"})
    with pytest.raises(IllegalArchitecture, match=r"did you mean 'layers/0/op'"):
        supernet.choose({"layers": 1, "layers/0/opp": "skip"})
    with pytest.raises(IllegalArchitecture, match="'conv7' is not an option; did you mean 'conv"):
        supernet.choose({"layers/0/op": "conv7"})


def test_nothing_runs_before_it_is_chosen() -> None:
    """The sentence says what to call."""
    supernet = NASBench201().know(Shares).share({}, TASK, filters=4, cells=1)
    with pytest.raises(UsageError, match="'node1/from0': no candidate is chosen; call the supernet's choose"):
        supernet(INPUTS)


def test_parts_that_change_shapes_cannot_be_shared() -> None:
    """Leaving the last one out would give the head another width: found when the supernet is made."""

    @space
    def growing(pick: Any, task: Any) -> nn.Module:
        width = [task.channels]

        def part(pick: Any, i: int) -> nn.Module:
            width.append(2 * width[-1])
            return nn.Conv2d(width[-2], width[-1], 1)

        layers = pick.repeat("layers", 1, 3, part)
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width[-1], task.classes)
        )

    with pytest.raises(SpaceError, match=r"\[3, 8\]: .* a repeated part must keep the shape"):
        growing.know(Shares).share({}, TASK)


def test_modules_put_together_in_the_constructor_cannot_be_shared() -> None:
    """The sentence names the question, and where to go through them instead."""

    @space
    def early(pick: Any, task: Any) -> nn.Module:
        some = pick.modules("some", {"a": nn.ReLU, "b": nn.Tanh, "c": nn.Sigmoid}, 1, 2)
        return nn.Sequential(*some, nn.Flatten(), nn.Linear(128, task.classes))

    assert early.build(Architecture({"some": ("a", "c")}), TASK)(INPUTS).shape == (4, 3)
    with pytest.raises(UsageError, match=r"question 'some': .* go through them in forward"):
        early.know(Shares).share({}, TASK)


def test_a_part_that_is_no_module_cannot_be_shared() -> None:
    """It is sampled and built all the same."""

    @space
    def widths(pick: Any, task: Any) -> nn.Module:
        found = pick.repeat("layers", 0, 2, lambda pick, i: pick.integer("width", 1, 3))
        return nn.Sequential(nn.Flatten(), nn.Linear(128, sum(found) + 1), nn.Linear(sum(found) + 1, 3))

    widths.build(Architecture({"layers": 1, "layers/0/width": 2}), TASK)
    answers = {"layers/0/width": 2, "layers/1/width": 2}
    with pytest.raises(SpaceError, match="question 'layers': part 0 gave 2; to be shared"):
        widths.know(Shares).share(answers, TASK)


def test_who_shares_and_who_grows() -> None:
    """Programs that ask for modules share; one `pick.repeat` in every walk is a complexity order."""

    @space
    def plain(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        return nn.Flatten

    assert NASBench201().know(Shares) is not None
    assert plain.know(Shares) is None
    for name in programs.NAMES:
        made = getattr(programs, name)
        assert made.know(Shares) is not None
        assert (made.know(Grows) is not None) == (name in ("chain", "repeated", "lazy"))


def test_repetitions_grow_level_by_level() -> None:
    """A level adds a part: all of its answers, for every parent; tokens tell all architectures apart."""
    grown: list[Architecture] = []
    for level in (1, 2, 3):
        pool = programs.chain.know(Grows).grow(grown, stream(0, "grow"))
        grown = [pool.architecture(i) for i in range(len(pool))]
        assert set(grown) == set(completions(programs.chain, {"layers": level}))
        assert len(grown) == 2 * 3**level
    everything = list(completions(programs.chain, {}))
    assert len({t.tobytes() for t in programs.chain.know(Encodes).tokens(everything)}) == len(everything)


@pytest.mark.parametrize("name", ["branches", "nested"])
def test_what_is_built_can_be_exported(name: str) -> None:
    """torch.export takes the network of every kind of fork, and gives its outputs."""
    made = getattr(programs, name)
    own = made.build(sample(made, stream(4, "start", 1)), TASK).eval()
    program = torch.export.export(own, (INPUTS,)).module()
    torch.testing.assert_close(program(INPUTS), own(INPUTS))
