"""Second derivatives: of some functions torch knows the first one alone.

Two of them are in usual networks: the hard sigmoid, in the squeeze-and-excitation of MobileNetV3, and the
fused kernels of attention. Inside `twice_differentiable` they are computed by functions that have both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Inside, a forward can be differentiated twice, but for functions of which torch does not know how."""
    with sdpa_kernel(SDPBackend.MATH), _Replacing():
        yield


def is_unknown(error: RuntimeError) -> bool:
    """Whether torch says that it does not know a derivative, for which it has no error of its own."""
    text = str(error)
    unimplemented = "derivative for" in text and "not implemented" in text
    return (
        unimplemented
        or "@once_differentiable" in text
        or "does not currently support double backward" in text
    )


class _Replacing(TorchFunctionMode):
    """Functions and modules of torch alike end in such a function, which is replaced."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        called = _compute_hardsigmoid if func is F.hardsigmoid else func
        return called(*args, **(kwargs or {}))


def _compute_hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    output = F.relu6(input + 3) / 6
    return input.copy_(output) if inplace else output
