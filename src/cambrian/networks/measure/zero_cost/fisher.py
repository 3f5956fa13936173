"""Fisher pruning as a proxy (Theis et al. 2018, arXiv 1801.05787; Abdelfattah et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_loss, differentiate, layers_of


def fisher(
    loss: Tensor, activations: Sequence[Tensor], weights: Sequence[int], axes: Sequence[int] | None = None
) -> float:
    """The sum over the weights of layers of the saliency of their channel: half the mean over images of
    (sum over positions of activation x gradient)^2. `activations` float[n, channels, ...] are outputs of
    layers, whose channels have so many `weights` each, and are along these `axes` (None: the second)."""
    gradients = differentiate(loss, activations)
    saliencies = map(_saliency, activations, gradients, axes or [1] * len(activations))
    # Each weight has the saliency of its channel: so the published scores are sums over weights.
    return sum(count * saliency for count, saliency in zip(weights, saliencies, strict=True))


def _saliency(activation: Tensor, gradient: Tensor, axis: int) -> float:
    products = (activation * gradient).detach().double().movedim(axis, 1)
    per_image = products.flatten(2).sum(2) if products.dim() > 2 else products  # (n, channels)
    return float(per_image.square().mean(0).sum() / 2)


@dataclass(frozen=True)
class Fisher(Proxy):
    """The effect on the loss of removing the channel of a weight, summed over the weights of convolutions
    and linear layers."""

    phrase: ClassVar[str] = "sum over weights of their channel's squared activation x gradient"

    def score(self, network: nn.Module, batch: Batch) -> float:
        runs: list[nn.Module] = []
        with record_outputs(layers_of(network), runs) as outputs:
            loss = compute_loss(network, batch)
        # The units of a linear layer are its last axis: of tokens, the others are positions.
        axes = [-1 if isinstance(run, nn.Linear) else 1 for run in runs]
        counts = [
            run.weight.numel() // output.shape[axis]
            for run, output, axis in zip(runs, outputs, axes, strict=True)
            if isinstance(run.weight, Tensor)
        ]
        return fisher(loss, outputs, counts, axes)


@contextmanager
def record_outputs(
    modules: Sequence[nn.Module], runs: list[nn.Module] | None = None
) -> Iterator[list[Tensor]]:
    """Inside, the outputs of each run of these modules, in the order of the runs; `runs` gets the module of
    each."""
    outputs: list[Tensor] = []

    def record(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
        if not isinstance(output, Tensor):
            return None
        outputs.append(output)
        if runs is not None:
            runs.append(module)
        # A copy goes on: what follows may work in place, which would change the recorded tensor.
        return output.clone()

    hooks = [m.register_forward_hook(record) for m in modules]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
