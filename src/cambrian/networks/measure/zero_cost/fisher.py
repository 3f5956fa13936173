"""Fisher pruning as a proxy (Theis et al. 2018, arXiv 1801.05787; Abdelfattah et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_loss, differentiate, layers_of


def fisher(loss: Tensor, activations: Sequence[Tensor]) -> float:
    """The sum over the channels of `activations` (float[n, channels, ...], outputs of layers) of half the
    mean over images of (sum over positions of activation x gradient)^2."""
    gradients = differentiate(loss, activations)
    return sum(map(_saliency, activations, gradients))


def _saliency(activation: Tensor, gradient: Tensor) -> float:
    products = (activation * gradient).detach().double()
    per_image = products.flatten(2).sum(2) if products.dim() > 2 else products  # (n, channels)
    return float(per_image.square().mean(0).sum() / 2)


@dataclass(frozen=True)
class Fisher(Proxy):
    """The effect on the loss of removing a channel, summed over the outputs of convolutions and linear
    layers."""

    phrase: ClassVar[str] = "sum over channels of the squared activation x gradient"

    def score(self, network: nn.Module, batch: Batch) -> float:
        with record_outputs(layers_of(network)) as outputs:
            loss = compute_loss(network, batch)
        return fisher(loss, outputs)


@contextmanager
def record_outputs(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Inside, the outputs of each run of these modules, in the order of the runs."""
    outputs: list[Tensor] = []

    def record(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
        if not isinstance(output, Tensor):
            return None
        outputs.append(output)
        # A copy goes on: what follows may work in place, which would change the recorded tensor.
        return output.clone()

    hooks = [m.register_forward_hook(record) for m in modules]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
