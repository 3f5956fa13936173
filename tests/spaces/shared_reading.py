"""Compares supernets of spaces with the own networks of their architectures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import Rejected
from cambrian.networks.sharing.supernet import Supernet
from cambrian.randomness import stream
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sharing import outer
from cambrian.spaces.space import Shares, Space

TASK = Shape(channels=2, height=8, width=8, classes=3)
INPUTS = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(3))


def share(space: Space, architecture: Mapping[str, Any], **skeleton: Any) -> Supernet:
    """The supernet of its outer answers, with running statistics and gates that are not the first ones."""
    torch.default_generator.manual_seed(0)
    shares = space.know(Shares)
    assert shares is not None
    supernet = shares.share(outer(space, Architecture(architecture)), TASK, **skeleton)
    for module in supernet.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    return supernet


def draw(space: Space, supernet: Supernet, n: int) -> Architecture:
    """A random one of the supernet's."""
    rng = stream(5, "shared", n)
    while True:
        try:
            return replay(space, supernet.outer, lambda choice: choice.draw(rng))
        except Rejected:
            continue


DRAWN = int(os.environ.get("CAMBRIAN_SHARED", "4"))
"""Random architectures of each space that are compared with their own networks; `make evidence`: 20."""


def expect_own_networks(space: Space, count: int = 20, starts: int = 1, **skeleton: Any) -> None:
    """Random architectures, of several outer answers."""
    for start in range(starts):
        supernet = share(space, sample(space, stream(4, "start", start)), **skeleton)
        architectures = {draw(space, supernet, n) for n in range(max(3, min(count, DRAWN) // starts))}
        assert len(architectures) > 1
        for architecture in architectures:
            expect_own(space, supernet, architecture, **skeleton)


def expect_own(space: Space, supernet: Supernet, architecture: Architecture, **skeleton: Any) -> None:
    """Outputs in evaluation and in training, the running statistics and the gradients that a step leaves
    behind are the own network's, bit for bit, and nothing else has a gradient."""
    own: nn.Module = space.build(architecture, TASK, **skeleton)
    own.load_state_dict(supernet.weights(architecture))
    supernet.choose(architecture)
    for training in (False, True):
        outputs = []
        for network in (supernet, own):
            torch.default_generator.manual_seed(7)  # dropout
            outputs.append(network.train(training)(INPUTS))
        assert torch.equal(*outputs), architecture
    supernet.zero_grad()
    for output in outputs:
        output.square().sum().backward()
    left = supernet.weights(architecture)
    assert all(torch.equal(left[name], value) for name, value in own.state_dict().items()), architecture
    expect_gradients(supernet, own, architecture)


def expect_gradients(supernet: Supernet, own: nn.Module, architecture: Architecture) -> None:
    """Slices of gradients are found as slices of weights are, the gradients being put in their place."""
    kept = [p.data for p in supernet.parameters()]
    for p in supernet.parameters():
        p.data = torch.zeros_like(p) if p.grad is None else p.grad
    found = supernet.weights(architecture)
    for name, p in own.named_parameters():
        wanted = torch.zeros_like(p) if p.grad is None else p.grad
        assert torch.equal(found[name], wanted), (name, architecture)
    reached = count_nonzero(p.data for p in supernet.parameters())
    for p, data in zip(supernet.parameters(), kept, strict=True):
        p.data = data
    assert reached == count_nonzero(p.grad for p in own.parameters() if p.grad is not None), (
        "a weight that is no part of the architecture has a gradient"
    )


def count_nonzero(tensors: Any) -> int:
    return sum(int(torch.count_nonzero(t)) for t in tensors)
