"""VKDNW: the variance of the knowledge of a network's weights (Tybl & Neumann, CVPR 2025, arXiv 2502.04975):
how evenly the eigenvalues of the Fisher information are spread, after the number of layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from cambrian.networks.measure.layers import count_layers
from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_logits, layers_of

DECILES = np.arange(0.1, 0.95, 0.1)
SMOOTHING = 0.05
"""The share of the uniform distribution in the predicted one, which keeps the information finite."""


def spread_entropy(eigenvalues: NDArray[np.float64]) -> float:
    """The entropy of the nine deciles of the eigenvalues, normalised: ln 9 where all are equal."""
    deciles = np.maximum(np.quantile(eigenvalues, DECILES), 0.0)
    if deciles.sum() <= 0:
        return 0.0
    shares = deciles / deciles.sum()
    return -float(np.sum(shares * np.log(shares + 1e-10)))


def fisher_eigenvalues(jacobian: Tensor, logits: Tensor) -> NDArray[np.float64]:
    """The eigenvalues of the Fisher information, the mean over images of J^T C J. `jacobian`
    float[n, classes, weights] of the logits float[n, classes], and C the covariance of the label."""
    p = logits.double().softmax(1) * (1 - SMOOTHING) + SMOOTHING / logits.shape[1]
    covariance = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    j = jacobian.double()
    information = (j.transpose(1, 2) @ covariance @ j).mean(0)
    eigenvalues: NDArray[np.float64] = torch.linalg.eigvalsh(information).cpu().numpy()
    return eigenvalues


@dataclass(frozen=True)
class VKDNW(Proxy):
    """The number of layers, and among networks of as many, the entropy of the deciles of the eigenvalues of
    the Fisher information, of the first weight of each tensor. The weights are drawn by Kaiming's rule, and
    normalisation uses the statistics of each image, as in the authors' code. It reads no images: they are
    drawn from N(0, 1)."""

    reads_batch: ClassVar[bool] = False
    phrase: ClassVar[str] = "layers, then the evenness of the Fisher information's spectrum"

    def score(self, network: nn.Module, batch: Batch) -> float:
        generator = torch.Generator().manual_seed(0)
        layers = count_layers(network)
        _draw_kaiming(network, generator)
        images = torch.randn(batch.images.shape, generator=generator).to(batch.images)
        normalise_by_image(network)
        jacobian, logits = differentiate_first_weights(network, images)
        # Below 1, so that it only orders networks with as many layers.
        return layers + spread_entropy(fisher_eigenvalues(jacobian, logits)) / math.log(10)


def differentiate_first_weights(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients float[n, classes, tensors] of each image's logits with respect to the first number of
    each parameter of convolutions, linear layers and normalisations; and the logits float[n, classes]. The
    logits of an image must not depend on the other images. Raises Undefined for a network with a layer whose
    rows are not the images."""
    with _record_runs(network) as runs:
        logits = compute_logits(network, images)
    for module, inputs, _output in runs:
        if len(inputs) != len(images):
            raise Undefined(
                f"a layer {type(module).__name__} reads {len(inputs)} rows of {len(images)} images"
            )
    outputs = [output for _module, _input, output in runs]
    columns = []
    for c in range(logits.shape[1]):
        # One backward pass for all images, since they are independent; a module's input and the gradient at
        # its output give the gradient of a single weight of each image.
        gradients = torch.autograd.grad(logits[:, c].sum(), outputs, retain_graph=True, allow_unused=True)
        columns.append(_read_columns(runs, gradients))
    return torch.stack(columns, 1), logits.detach()


Run = tuple[nn.Module, Tensor, Tensor]


def _read_columns(runs: list[Run], gradients: tuple[Tensor | None, ...]) -> Tensor:
    """float[n, tensors], where the runs of one module add up."""
    columns: dict[tuple[int, str], Tensor] = {}
    for (module, inputs, output), gradient in zip(runs, gradients, strict=True):
        g = torch.zeros_like(output) if gradient is None else gradient
        shares = {"weight": _differentiate_weight(module, inputs, g)}
        if isinstance(module.bias, Tensor):
            shares["bias"] = _first_outputs(module, g).sum(1)
        for name, share in shares.items():
            key = (id(module), name)
            columns[key] = columns[key] + share if key in columns else share
    return torch.stack(list(columns.values()), 1).detach()


def _differentiate_weight(module: nn.Module, inputs: Tensor, gradient: Tensor) -> Tensor:
    """float[n]: the gradient of each image with respect to the first number of the module's weight."""
    return (_first_outputs(module, gradient) * _first_inputs(module, inputs, gradient)).sum(1)


def _first_outputs(module: nn.Module, gradient: Tensor) -> Tensor:
    """float[n, positions]: the gradient at the first unit, of which a linear layer has the last axis."""
    first = gradient[..., 0] if isinstance(module, nn.Linear) else gradient[:, 0]
    return first.reshape(len(gradient), -1)


def _first_inputs(module: nn.Module, inputs: Tensor, output: Tensor) -> Tensor:
    """float[n, positions]: what the first number of the weight multiplies at each position of the output."""
    if isinstance(module, _BatchNorm):
        first = _normalise(inputs[:, :1])
    elif isinstance(module, nn.Linear):
        first = inputs[..., 0]
    else:
        assert isinstance(module, _ConvNd)
        first = _first_taps(module, inputs, output)
    return first.reshape(len(inputs), -1)


def _first_taps(module: _ConvNd, inputs: Tensor, output: Tensor) -> Tensor:
    """float[n, *sizes of the output]: the input under the first place of a convolution's kernel."""
    pads = [pad for axis in reversed(_list_padding(module)) for pad in axis]  # F.pad has the last axis first
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = F.pad(inputs[:, :1], pads, mode)
    steps = zip(output.shape[2:], module.stride, strict=True)
    read = [slice(0, (size - 1) * step + 1, step) for size, step in steps]
    return padded[:, 0][(slice(None), *read)]


def _list_padding(module: _ConvNd) -> list[tuple[int, int]]:
    """The pixels before and after the image, along each of its axes."""
    if not isinstance(module.padding, str):
        return [(pad, pad) for pad in module.padding]
    if module.padding == "valid":
        return [(0, 0) for _ in module.kernel_size]
    sums = [d * (k - 1) for k, d in zip(module.kernel_size, module.dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in sums]  # "same"


def _normalise(inputs: Tensor) -> Tensor:
    """Each channel of each image to mean 0 and variance 1; a vector has no positions to do so over."""
    return F.instance_norm(inputs) if inputs.dim() > 2 and inputs[0, 0].numel() > 1 else inputs


def normalise_by_image(network: nn.Module) -> None:
    """Change batch normalisation to the statistics of each image alone."""
    for norm in [m for m in network.modules() if isinstance(m, _BatchNorm)]:
        norm.forward = _ImageNorm(norm)  # type: ignore[method-assign, assignment]


class _ImageNorm:
    def __init__(self, norm: _BatchNorm) -> None:
        self.norm = norm

    def __call__(self, inputs: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (inputs.dim() - 2)
        normalised = _normalise(inputs)
        if not self.norm.affine:
            return normalised
        return normalised * self.norm.weight.view(shape) + self.norm.bias.view(shape)


@contextmanager
def _record_runs(network: nn.Module) -> Iterator[list[Run]]:
    """Inside, each run of a layer or normalisation, with its input and output."""
    runs: list[Run] = []

    def record(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        runs.append((module, inputs[0], output))
        return output.clone()  # what follows may work in place

    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, _BatchNorm)
    modules = [m for m in network.modules() if isinstance(m, kinds) and isinstance(m.weight, Tensor)]
    hooks = [m.register_forward_hook(record) for m in modules]
    try:
        yield runs
    finally:
        for hook in hooks:
            hook.remove()


def _draw_kaiming(network: nn.Module, generator: torch.Generator) -> None:
    """Draw weights from N(0, 2 / inputs of a unit); normalisation and biases start anew."""
    with torch.no_grad():
        for layer in layers_of(network):
            assert isinstance(layer, _ConvNd | nn.Linear)
            deviation = math.sqrt(2 / max(layer.weight[0].numel(), 1))
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * deviation)
            if layer.bias is not None:
                layer.bias.zero_()
        for norm in network.modules():
            if isinstance(norm, _BatchNorm):
                norm.reset_parameters()
