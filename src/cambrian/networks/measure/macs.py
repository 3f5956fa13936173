"""Multiply-accumulates of a network's forward pass at inference: an auxiliary head, which runs only in
training, does not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils.rnn import PackedSequence

from cambrian.networks.measure.counted import Count
from cambrian.networks.measure.dry_run import in_mode, shapes_alone
from cambrian.networks.tensor_copies import tensor_copies


def macs(network: nn.Module, shape: tuple[int, int, int], computed: bool = False) -> int:
    """Multiply-accumulates of the convolutions, linear and recurrent layers for one image of (channels,
    height, width), the projections of torch's attention being linear layers. Biases, normalisation,
    activations, pooling, additions and products of two inputs do not count. The network is run
    on the meta device, where nothing is computed and no weight is copied. Raises Uncountable where the
    forward reads values, and torch's own errors where shapes do not match. With `computed` a network that has
    weights is really run, which is faster for small images."""
    if computed:
        with counted_runs(network, shape) as count:
            return count()
    with _counting(network) as counts, shapes_alone(), tensor_copies(network, "meta"):
        network(torch.empty(1, *shape, device="meta"))
    return sum(counts)


@contextmanager
def counted_runs(network: nn.Module, shape: tuple[int, int, int]) -> Iterator[Callable[[], int]]:
    """Inside, a function that really runs the network for one image, as it is then, and returns its
    multiply-accumulates. To prepare for it takes longer than a run: a supernet is counted as many
    architectures, one after the other."""
    weight = next(network.parameters(), None)
    # One small image of zeros: the numbers do not matter.
    image = torch.zeros(1, *shape, device=None if weight is None else weight.device)
    with _counting(network) as counts:

        def count() -> int:
            counts.clear()
            with shapes_alone():
                network(image)
            return sum(counts)

        yield count


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """Inside, the multiply-accumulates of each layer that runs are added to the list."""
    counts: list[int] = []
    with (
        _counting_hooks(counts),
        in_mode(network, training=False),
        without_norms(network),
        without_steps(network),
        _without_fast_path(network),
        torch.no_grad(),
    ):
        yield counts


WEIGHTED = (_ConvNd, nn.Linear, nn.Bilinear, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
"""The layers that count."""


def count_layer(
    layer: nn.Module, inputs: tuple[object, ...], named: dict[str, object], output: object
) -> int:
    """The multiply-accumulates of one run of a layer; 0 of one without weights that count."""

    def read(name: str, place: int = 0) -> object:
        """An input, which a network may have given by name."""
        given = inputs[place] if len(inputs) > place else named.get(name)
        return given.data if isinstance(given, PackedSequence) else given

    if isinstance(layer, nn.MultiheadAttention):
        return _count_projections(layer, *(read(name, i) for i, name in enumerate(("query", "key", "value"))))
    first = read("input1" if isinstance(layer, nn.Bilinear) else "input")
    if not isinstance(first, Tensor):
        return 0
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        # Each step of each sequence passes through every matrix once.
        steps = first.numel() // first.shape[-1]
        return steps * sum(p.numel() for p in layer.parameters() if p.ndim == 2)
    if not isinstance(layer, _ConvNd | nn.Linear | nn.Bilinear):
        return 0
    assert isinstance(output, Tensor)
    # Each result of a convolution or linear layer costs one filter; each input of a transposed convolution is
    # spread by one.
    through = first if getattr(layer, "transposed", False) else output
    return through.numel() * layer.weight[0].numel()


def _count_projections(layer: nn.MultiheadAttention, query: object, key: object, value: object) -> int:
    """Those of attention, whose module computes its linear layers itself: of each query, twice, since the
    result is as large, and of each key and value."""
    tensors = [x for x in (query, query, key, value) if isinstance(x, Tensor)]
    return sum(x.numel() * layer.embed_dim for x in tensors)


@contextmanager
def _counting_hooks(counts: list[int]) -> Iterator[None]:
    """Inside, each run of a layer with weights in this thread adds its multiply-accumulates to `counts`."""

    mine = get_ident()

    def count(
        module: nn.Module, inputs: tuple[object, ...], named: dict[str, object], output: object
    ) -> None:
        if get_ident() == mine and isinstance(module, WEIGHTED):
            counts.append(count_layer(module, inputs, named, output))

    # By a hook and not by a walk over the modules: a layer that runs twice counts twice, one that does not
    # run (a supernet's other candidates) not at all. And of all modules, not of the network's alone: a layer
    # of several sizes runs as one that is no part of it.
    hook = register_module_forward_hook(count, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def without_norms(network: nn.Module) -> Iterator[None]:
    """Replace normalisation by the identity, inside: it does not change shapes or counts."""
    # On the meta device it takes longer than all other layers together.
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
    try:
        for norm in norms:
            norm.forward = nn.Identity().forward  # type: ignore[method-assign]
        yield
    finally:
        for norm in norms:
            del norm.forward  # the instance's attribute: the method of the class is visible again


@contextmanager
def _without_fast_path(network: nn.Module) -> Iterator[None]:
    """Inside, torch's transformer layers run their modules, and not one kernel for all of them."""
    # Any hook of its own makes such a layer do so; torch's switch would be that of all threads.
    layers = [m for m in network.modules() if isinstance(m, nn.TransformerEncoderLayer)]
    hooks = [layer.register_forward_hook(lambda module, inputs, output: None) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def without_steps(network: nn.Module) -> Iterator[None]:
    """Replace torch's recurrent layers by the shapes of their results, inside."""
    # On the meta device they take seconds: step by step, where nothing is computed.
    layers = [
        m for m in network.modules() if type(m) in (nn.RNN, nn.GRU, nn.LSTM) and "forward" not in vars(m)
    ]
    try:
        for layer in layers:
            layer.forward = partial(_shape_results, layer)  # type: ignore[arg-type]
        yield
    finally:
        for layer in layers:
            del layer.forward  # the instance's attribute


def _shape_results(layer: nn.RNNBase, input: Tensor | PackedSequence, hx: Any = None) -> Any:
    """Zeros of the shapes that the layer returns."""
    usual = isinstance(input, Tensor) and input.ndim in (2, 3) and input.shape[-1] == layer.input_size
    if not usual or hx is not None:
        return type(layer).forward(layer, input, hx)
    assert isinstance(input, Tensor)
    ways = 2 if layer.bidirectional else 1
    width = layer.proj_size or layer.hidden_size
    images = () if input.ndim == 2 else (input.shape[0 if layer.batch_first else 1],)
    output = input.new_zeros(*input.shape[:-1], ways * width)
    state = input.new_zeros(layer.num_layers * ways, *images, width)
    if not isinstance(layer, nn.LSTM):
        return output, state
    return output, (state, input.new_zeros(layer.num_layers * ways, *images, layer.hidden_size))


@dataclass(frozen=True)
class Macs(Count):
    """The measure `macs`: multiply-accumulates for one image."""

    def protocol(self, device: str) -> str:
        return "multiply-accumulates of a forward of 1 image, counted without building any"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        _images, channels, height, width = batch.shape
        return float(macs(network, (channels, height, width)))
