"""A module of several sizes whose weights are slices of one: those of its largest.

A smaller module has the first channels and the middle of a kernel, as in once-for-all networks (Cai et al.
2020). Where only some of the input channels are read, `columns` says which of them, as in ENAS, where
each state that a cell concatenates has columns of its own (Pham et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cambrian.errors import UsageError


@dataclass(frozen=True)
class Slice:
    """Of every dimension that is `of` long, those with these numbers."""

    of: int
    numbers: tuple[int, ...]

    def selects(self, have: int, want: int) -> bool:
        return have == self.of != want == len(self.numbers)


Columns = Sequence[int] | Mapping[str, Slice]


class Elastic(nn.Module):
    """`make(size)` for the size that was chosen, with slices of the weights of `make(most)`. A smaller module
    may lack parts of the largest.

    `columns(plan)` are the numbers of the input channels that are read, of as many as `most` is, or begins
    with; or a slice for each beginning of names of weights that are no first ones."""

    def __init__(
        self,
        make: Callable[[Any], nn.Module],
        most: Any,
        size: Callable[[Any], Any],
        columns: Callable[[Any], Columns] | None = None,
    ) -> None:
        super().__init__()
        self.full = make(most)
        self._make, self._size, self._columns = make, size, columns
        self._inputs: int = most[0] if isinstance(most, tuple) else most
        self._templates: dict[Any, Any] = {}  # not registered: they have no weights
        self._chosen: tuple[Any, dict[str, Slice | None]] | None = None

    def choose(self, plan: Any) -> None:
        size = self._size(plan)
        self._chosen = None if size is None else (size, self.slices(plan))

    def idle(self, plan: Any) -> list[str]:
        """Where the weights begin that are no part of the network of that plan."""
        size = self._size(plan)
        if size is None:
            return [""]
        parts = dict(self._template(size).named_modules())
        return [f"full.{name}." for name, _ in self.full.named_modules() if name not in parts]

    def slices(self, plan: Any) -> dict[str, Slice | None]:
        """By the beginnings of names, which slice a weight is: the first ones, where there is None."""
        columns = () if self._columns is None else self._columns(plan)
        if isinstance(columns, Mapping):
            return {**columns, "": None}
        return {"": Slice(self._inputs, tuple(columns)) if columns else None}

    def forward(self, *inputs: Any) -> Any:
        if self._chosen is None:
            raise UsageError("no size is chosen; call the supernet's choose")
        size, slices = self._chosen
        template = self._template(size).train(self.training)
        held = {**dict(self.full.named_parameters()), **dict(self.full.named_buffers())}
        wanted = {**dict(template.named_parameters()), **dict(template.named_buffers())}
        tensors = {n: cut(held[n], t.shape, slice_of(n, slices)) for n, t in wanted.items()}
        outputs = functional_call(template, tensors, inputs)
        if self.training:
            self._write_back(tensors, slices)
        return outputs

    def _template(self, size: Any) -> nn.Module:
        if size not in self._templates:
            with torch.device("meta"):
                template = self._make(size)
            full = dict(self.full.named_modules())
            for name, one in template.named_modules():
                if isinstance(one, nn.BatchNorm2d) and isinstance(other := full[name], nn.BatchNorm2d):
                    one.eps, one.momentum = other.eps, other.momentum  # a skeleton sets these later
            self._templates[size] = template
        template_made: nn.Module = self._templates[size]
        return template_made

    def _write_back(self, tensors: Mapping[str, Tensor], slices: Mapping[str, Slice | None]) -> None:
        """Running statistics that a forward changed in a copy; those that are views have changed already."""
        for name, buffer in self.full.named_buffers():
            part, slice_ = tensors.get(name), slice_of(name, slices)
            if part is None or slice_ is None or part.ndim != 1:
                continue
            if slice_.selects(len(buffer), len(part)):
                buffer.index_copy_(0, torch.tensor(slice_.numbers, device=buffer.device), part)


def slice_of(name: str, slices: Mapping[str, Slice | None]) -> Slice | None:
    return next(found for begin, found in slices.items() if name.startswith(begin))


def cut(tensor: Tensor, shape: Sequence[int], columns: Slice | None) -> Tensor:
    """The slice of that shape: in a dimension that is smaller, the `columns` where these are meant, or the
    first ones; of a kernel the middle."""
    for dim, (have, want) in enumerate(zip(tensor.shape, shape, strict=True)):
        if columns is not None and dim < 2 and columns.selects(have, want):
            tensor = tensor.index_select(dim, torch.tensor(columns.numbers, device=tensor.device))
        elif have != want:
            tensor = tensor.narrow(dim, (have - want) // 2 if dim > 1 else 0, want)
    # A convolution may take another way for weights that are strided. Vectors are left views: running
    # statistics are changed in place.
    return tensor if tensor.ndim < 2 else tensor.contiguous()
