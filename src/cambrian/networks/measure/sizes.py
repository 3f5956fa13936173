"""Sizes of a network, defined once: trainable parameters, and multiply-accumulates of one forward pass.

Both are of the network as it is used: an auxiliary head, which only training runs, does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from cambrian.networks.skeletons.cell_network import AuxiliaryHead
from cambrian.networks.tensor_copies import tensor_copies


def params(network: nn.Module) -> int:
    """Trainable parameters; one that two modules share counts once."""
    heads = [m for m in network.modules() if isinstance(m, AuxiliaryHead)]
    unused = {p for head in heads for p in head.parameters()}
    return sum(p.numel() for p in network.parameters() if p.requires_grad and p not in unused)


class Uncountable(ValueError):
    """The forward looks at numbers, which a network without weights does not have."""


def sizes(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, float]:
    """`params`, and `macs` for one image of (channels, height, width) where these can be counted."""
    found = {"params": float(params(network))}
    with suppress(Uncountable):
        found["macs"] = float(macs(network, shape))
    return found


def macs(network: nn.Module, shape: tuple[int, int, int], computed: bool = False) -> int:
    """Multiply-accumulates of the convolutions and linear layers for one image of (channels, height,
    width). Biases, normalisation, activations, pooling and additions count nothing. Nothing is computed
    and no weight is copied: the network is run on the meta device. Raises Uncountable where it looks at
    numbers, and PyTorch's own errors where shapes do not fit. Where the network has weights, `computed` runs
    it as it is: for small images that is faster."""
    counts: list[int] = []

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        # Each result of a convolution or linear layer costs one filter; each input of a transposed
        # convolution is spread by one.
        through = inputs[0] if getattr(module, "transposed", False) else output
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        counts.append(through.numel() * weight[0].numel())

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, _ConvNd | nn.Linear)]
    try:
        with _evaluating(network):
            if computed:
                network(torch.zeros(1, *shape))
            else:
                with tensor_copies(network, "meta"):
                    network(torch.empty(1, *shape, device="meta"))
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, NotImplementedError) or any(w in str(error).lower() for w in ("meta", "device")):
            raise Uncountable(f"its forward cannot be run without numbers: {error}") from error
        raise
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counts)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, and afterwards each module's own mode again. Normalisation is
    stepped over: it keeps the shape, and on the meta device it is slower than all else together."""
    training = [m for m in network.modules() if m.training]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
    network.eval()
    try:
        for norm in norms:
            norm.forward = nn.Identity().forward  # type: ignore[method-assign]
        with torch.no_grad():
            yield
    finally:
        for norm in norms:
            del norm.forward
        for module in training:
            module.training = True
