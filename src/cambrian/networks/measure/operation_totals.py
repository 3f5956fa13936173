"""The operations that a network runs for one image: calls, results and multiply-accumulates of each kind,
counted on the meta device. They are the columns by which a latency is predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cambrian.networks.measure.dry_run import in_mode, shapes_alone
from cambrian.networks.measure.macs import WEIGHTED, count_layer, without_norms
from cambrian.networks.tensor_copies import tensor_copies

CALLS, RESULTS, MACS, PARAMS = "calls", "results", "macs", "params"


def count_operations(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, float]:
    """Totals over the whole network ("macs"), and of each kind of module ("Conv2d 3x3 macs"), for an image
    of (channels, height, width). Raises Uncountable where the forward reads values."""
    totals: Counter[str] = Counter()
    with (
        shapes_alone(),
        _adding_hooks(network, totals),
        in_mode(network, training=False),
        without_norms(network),
        tensor_copies(network, "meta"),
        torch.no_grad(),
    ):
        network(torch.empty(1, *shape, device="meta"))
    return {name: float(number) for name, number in totals.items() if number}


@contextmanager
def _adding_hooks(network: nn.Module, totals: Counter[str]) -> Iterator[None]:
    """Inside, each run of a module without parts adds its numbers to `totals`."""

    def add(module: nn.Module, inputs: tuple[object, ...], named: dict[str, object], output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output  # a recurrent layer's, beside its state
        results = first.numel() if isinstance(first, Tensor) else 0
        macs = count_layer(module, inputs, named, output) if isinstance(module, WEIGHTED) else 0
        params = sum(p.numel() for p in module.parameters())
        kind = name_kind(module)
        for name, number in {CALLS: 1, RESULTS: results, MACS: macs, PARAMS: params}.items():
            totals[name] += number
            totals[f"{kind} {name}"] += number

    # Attention computes the layer that is its part itself.
    leaves = [m for m in network.modules() if not list(m.children()) or isinstance(m, nn.MultiheadAttention)]
    hooks = [m.register_forward_hook(add, with_kwargs=True) for m in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def name_kind(module: nn.Module) -> str:
    """The kind of a module: its class, and of a convolution the kernel, and whether it mixes channels.

    >>> name_kind(nn.Conv2d(8, 8, 3, groups=8)), name_kind(nn.ReLU())
    ('Conv2d 3x3 depthwise', 'ReLU')
    """
    kind = type(module).__name__
    kernel = getattr(module, "kernel_size", None)
    if kernel is not None:
        kind += f" {'x'.join(map(str, kernel)) if isinstance(kernel, tuple) else f'{kernel}x{kernel}'}"
    if getattr(module, "groups", 1) > 1:
        kind += " depthwise" if module.groups == module.in_channels else " grouped"
    return kind
