"""The numbers in which a network is trained: 32 bits, or bfloat16 for its convolutions and products of
matrices, whose sums and weights stay in 32 bits.

Processors that have instructions for it (AVX-512 with BF16, AMX) train most convolutional networks in
bfloat16 in two thirds of the time; others take several times as long.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


def half_precision(device: torch.device, precision: str = "auto") -> AbstractContextManager[Any]:
    """Inside, compute in bfloat16 if `precision` is that, or "auto" and the device a GPU that has
    instructions for it."""
    half = is_quick_in_half(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


@cache
def is_quick_in_half(device: torch.device) -> bool:
    """Whether the device is a GPU with instructions for bfloat16: NVIDIA's have them from compute capability
    8.0 on. On older ones, such as T4 and V100, torch imitates them, which is slower than 32 bits."""
    if device.type != "cuda":
        return False
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)


def choose_precision(network: nn.Module, wanted: str, device: torch.device) -> str:
    """The precision in which the network is trained where `wanted` is asked for: on a CPU bfloat16 is for
    networks of dense convolutions alone."""
    return "float32" if wanted == "bfloat16" and device.type == "cpu" and not _gains(network) else wanted


def _gains(network: nn.Module) -> bool:
    """Whether the network has convolutions, none of which is in groups: torch has no fast kernels for the
    gradients of such ones in bfloat16, and an inverted bottleneck takes 1.2 to 1.4 times as long."""
    groups = {module.groups for module in network.modules() if isinstance(module, CONVOLUTIONS)}
    return groups == {1}


def has_half_precision() -> bool:
    """Whether torch has kernels in bfloat16 for this processor, so that they are worth trying: those for
    AVX-512 are slow where it has no instructions for such numbers."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return supported is not None and bool(supported())


def scoring_precision(precision: str) -> str:
    """The precision of scores: a network that was trained in bfloat16 on a CPU is used in 32 bits."""
    return "auto" if precision == "bfloat16" else precision
