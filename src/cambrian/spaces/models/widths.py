"""The inner widths of a network: of a layer whose outputs only layers of weights read, whatever activations,
normalisations, poolings and depthwise convolutions lie between."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cambrian.spaces.models.channels import Chain, Coupled, follow_width, list_makers
from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.layers import put_module, resize_inputs, resize_norm, resize_outputs
from cambrian.spaces.models.questions import WIDTH, Question, name_question

SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)
"""Widths, as shares of the network's own."""
LEAST = 4
"""A layer of fewer channels has no question."""
ROUND, WIDE = 8, 32
"""Layers of at least WIDE channels get multiples of ROUND, which processors are made for."""


def find_widths(forward: Forward) -> tuple[list[Question], list[str]]:
    """The widths that can be changed, and a sentence on each that cannot."""
    asked, fixed = [], []
    for path, call in list_makers(forward):
        layer = forward.network.get_submodule(path)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        own = layer.weight.shape[0]
        try:
            chain = follow_width(forward, call)
        except Coupled as reason:
            # That the last layer has an output per class needs no sentence.
            if str(reason) != "is the network's output":
                fixed.append(f"{path}'s width {reason}: it stays {own}")
            continue
        options = list_widths(own, chain.unit)
        if own >= LEAST and len(options) > 1:
            asked.append(_make_question(path, own, options, chain))
    return asked, fixed


def _make_question(path: str, own: int, options: tuple[int, ...], chain: Chain) -> Question:
    members = (path, *chain.resized)
    return Question(WIDTH, name_question(path, WIDTH), options, own, members, tuple(chain.readers))


def list_widths(own: int, unit: int = 1) -> tuple[int, ...]:
    """The network's own width and others, multiples of `unit`.

    >>> list_widths(64), list_widths(10)
    ((16, 32, 48, 64, 96), (2, 5, 8, 10, 15))
    """
    step = unit * ROUND if own >= WIDE and own % (unit * ROUND) == 0 else unit
    widths = {max(step, round(own * share / step) * step) for share in SHARES}
    return tuple(sorted({*widths, own}))


def set_width(network: nn.Module, question: Question, width: int) -> None:
    """Give the chain of layers this width. A narrower one keeps the channels of the largest norm; a wider one
    begins as the same function, unless a normalisation within it mixes channels."""
    maker, *others = question.members
    layer = network.get_submodule(maker)
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    kept = choose_channels(layer.weight, min(width, layer.weight.shape[0]))
    put_module(network, maker, resize_outputs(layer, kept, width))
    for path in others:
        member = network.get_submodule(path)
        resize = resize_outputs if isinstance(member, nn.Conv2d) else resize_norm
        put_module(network, path, resize(member, kept, width))  # type: ignore[arg-type]
    for reader in question.readers:
        member = network.get_submodule(reader.path)
        assert isinstance(member, nn.Conv2d | nn.Linear)
        put_module(network, reader.path, resize_inputs(member, kept, width, reader.pixels))


def choose_channels(weight: Tensor, count: int) -> Tensor:
    """The `count` output channels whose weights have the largest sum of magnitudes, in their order (Li et al.
    2017, arXiv 1608.08710, Sec. 3.1)."""
    if weight.is_meta:  # a draft has no magnitudes
        return torch.arange(count, device=weight.device)
    norms = weight.detach().abs().flatten(1).sum(1)
    return norms.argsort(descending=True, stable=True)[:count].sort().values
