"""A module of several sizes whose weights are slices of one: those of its largest.

Where only the number of input channels differs, `columns` says which of them are read, as ENAS does for the
states that a cell concatenates (Pham et al. 2018); else a smaller module has the first ones, as in
once-for-all networks (Cai et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cambrian.errors import UsageError


class Elastic(nn.Module):
    """`make(size)` for the size that was chosen, with slices of the weights of `make(most)`."""

    def __init__(
        self,
        make: Callable[[Any], nn.Module],
        most: Any,
        size: Callable[[Any], Any],
        columns: Callable[[Any], Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.full = make(most)
        self._make, self._size, self._columns = make, size, columns
        self._templates: dict[Any, Any] = {}  # not registered: they have no weights
        self._chosen: tuple[Any, tuple[int, ...] | None] | None = None

    def choose(self, plan: Any) -> None:
        size = self._size(plan)
        self._chosen = None if size is None else (size, self.columns(plan))

    def idle(self, plan: Any) -> list[str]:
        return [""] if self._size(plan) is None else []

    def columns(self, plan: Any) -> tuple[int, ...] | None:
        return None if self._columns is None else tuple(self._columns(plan))

    def forward(self, *inputs: Any) -> Any:
        if self._chosen is None:
            raise UsageError("no size is chosen; call the supernet's choose")
        size, columns = self._chosen
        template = self._template(size).train(self.training)
        tensors = self._cut(template, columns)
        outputs = functional_call(template, tensors, inputs)
        self._write_back(template, tensors, columns)
        return outputs

    def _template(self, size: Any) -> nn.Module:
        if size not in self._templates:
            with torch.device("meta"):
                template = self._make(size)
            for one, other in zip(template.modules(), self.full.modules(), strict=True):
                if isinstance(one, nn.BatchNorm2d) and isinstance(other, nn.BatchNorm2d):
                    one.eps, one.momentum = other.eps, other.momentum  # a skeleton sets these later
            self._templates[size] = template
        found: nn.Module = self._templates[size]
        return found

    def _cut(self, template: nn.Module, columns: Sequence[int] | None) -> dict[str, Tensor]:
        held = {**dict(self.full.named_parameters()), **dict(self.full.named_buffers())}
        wanted = {**dict(template.named_parameters()), **dict(template.named_buffers())}
        return {name: cut(held[name], tensor.shape, columns) for name, tensor in wanted.items()}

    def _write_back(
        self, template: nn.Module, tensors: dict[str, Tensor], columns: Sequence[int] | None
    ) -> None:
        """Running statistics that a forward changed in a copy; those that are views have changed already."""
        if not self.training or columns is None:
            return
        for name, buffer in self.full.named_buffers():
            if tensors[name].shape != buffer.shape:
                buffer.index_copy_(0, torch.tensor(columns, device=buffer.device), tensors[name])


def cut(tensor: Tensor, shape: Sequence[int], columns: Sequence[int] | None) -> Tensor:
    """The slice of that shape: in a dimension that is smaller, the `columns` where these are as many, or the
    first ones."""
    for dim, (have, want) in enumerate(zip(tensor.shape, shape, strict=True)):
        if have == want:
            continue
        if columns is not None and len(columns) == want:
            tensor = tensor.index_select(dim, torch.tensor(columns, device=tensor.device))
        else:
            tensor = tensor.narrow(dim, 0, want)
    # A convolution may take another way for weights that are strided. Vectors are left views: running
    # statistics are changed in place.
    return tensor if tensor.ndim < 2 else tensor.contiguous()
