"""A module of several sizes whose weights are slices of those of its largest size.

A smaller module has the first channels and the middle of a kernel, as in once-for-all networks (Cai et al.
2020), or what learned matrices make of that middle (see `kernels`). Where it reads only some of the input
channels, `columns` says which, as in ENAS, where each state that a cell concatenates has its own columns
(Pham et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cambrian.errors import UsageError
from cambrian.networks.sharing.kernels import KernelMatrices
from cambrian.networks.sharing.norms import NORMS


@dataclass(frozen=True)
class Slice:
    """The indices `numbers` along every dimension of length `of`."""

    of: int
    numbers: tuple[int, ...]

    def selects(self, have: int, want: int) -> bool:
        # By lengths, since a weight does not say which of its dimensions are the input channels.
        return have == self.of != want == len(self.numbers)


Columns = Sequence[int] | Mapping[str, Slice]


@runtime_checkable
class OrdersChannels(Protocol):
    """A module with so many `wide` channels inside, whose order does not change its function."""

    wide: int

    def order_channels(self) -> list[tuple[Tensor, int, Tensor]]:
        """How its weights have to be reordered, as (tensor, dimension, indices), so that the first channels,
        which a narrower module has, are the most important ones."""
        ...


class Elastic(nn.Module):
    """`make(size)` for the chosen size, with slices of the weights of `make(most)`. A smaller module may lack
    parts of the largest.

    `columns(plan)` are the indices of the input channels that are read, out of `most` (or of its first item,
    if it is a tuple); or a mapping from prefixes of weight names to slices, where the first channels are not
    the right ones. Of several `kernels`, the sizes that a kernel may have, the smaller ones are learned
    transformations of the larger."""

    def __init__(
        self,
        make: Callable[[Any], nn.Module],
        most: Any,
        size: Callable[[Any], Any],
        columns: Callable[[Any], Columns] | None = None,
        kernels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.full = make(most)
        self.kernels = KernelMatrices(kernels) if len(kernels) > 1 else None
        self._make, self._size, self._columns = make, size, columns
        self._inputs: int = most[0] if isinstance(most, tuple) else most
        self._templates: dict[Any, Any] = {}  # not registered: they have no weights
        self._norms: dict[Any, list[tuple[Any, Any, tuple[Tensor | None, Tensor | None]]]] = {}
        self._chosen: tuple[Any, dict[str, Slice | None]] | None = None

    def choose(self, plan: Any) -> None:
        size = self._size(plan)
        self._chosen = None if size is None else (size, self.slices(plan))

    def idle(self, plan: Any) -> list[str]:
        """The name prefixes of the weights that are not part of the plan's network."""
        size = self._size(plan)
        if size is None:
            return [""]
        parts = dict(self._template(size).named_modules())
        # The matrices are no part of a network of its own, whose kernels have gone through them.
        return ["kernels.", *(f"full.{n}." for n, _ in self.full.named_modules() if n not in parts)]

    def list_matrices(self, plan: Any) -> list[str]:
        """The names of the kernel matrices that the plan's network goes through."""
        size = self._size(plan)
        if size is None or self.kernels is None:
            return []
        full, names = dict(self.full.named_parameters()), list[str]()
        for name, weight in self._template(size).named_parameters():
            if weight.ndim == 4:
                names += self.kernels.list_used(full[name].shape[-1], weight.shape[-1])
        return [f"kernels.{name}" for name in dict.fromkeys(names)]

    def find_template(self, plan: Any) -> nn.Module | None:
        """A module of the plan's size, without memory; None where the plan does not have this part."""
        size = self._size(plan)
        return None if size is None else self._template(size)

    def slices(self, plan: Any) -> dict[str, Slice | None]:
        """By prefix of a weight's name, the slice that it takes; None stands for the first channels."""
        columns = () if self._columns is None else self._columns(plan)
        if isinstance(columns, Mapping):
            return {**columns, "": None}  # the empty prefix last: `slice_of` takes the first that matches
        return {"": Slice(self._inputs, tuple(columns)) if columns else None}

    def forward(self, *inputs: Any) -> Any:
        if self._chosen is None:
            raise UsageError("no size is chosen; call the supernet's choose")
        size, slices = self._chosen
        template = self._template(size).train(self.training)
        measures = self._follow_norms(size)
        full = {**dict(self.full.named_parameters()), **dict(self.full.named_buffers())}
        wanted = {**dict(template.named_parameters()), **dict(template.named_buffers())}
        # Slices of the full weights, so that gradients flow back into them.
        tensors = {n: cut(full[n], t.shape, slice_of(n, slices), self.kernels) for n, t in wanted.items()}
        outputs = functional_call(template, tensors, inputs)
        if self.training or measures:
            self._write_back(tensors, slices)
        return outputs

    def _template(self, size: Any) -> nn.Module:
        if size not in self._templates:
            # Only its shapes and its forward are used, so it takes no memory and draws no random numbers.
            with torch.device("meta"):
                template = self._make(size)
            full = dict(self.full.named_modules())
            self._norms[size] = [
                (one, other, (one.running_mean, one.running_var))
                for name, one in template.named_modules()
                if isinstance(one, NORMS) and isinstance(other := full[name], NORMS)
            ]
            self._templates[size] = template
        template_made: nn.Module = self._templates[size]
        return template_made

    def _follow_norms(self, size: Any) -> bool:
        """Let the template's normalisations work as those of the full module now do: a skeleton sets them
        after they are made, and who measures statistics sets them for a while. Returns whether one learns."""
        for one, other, shapes in self._norms[size]:
            one.eps, one.momentum, one.training = other.eps, other.momentum, other.training
            # Without running statistics a batch is normalised by its own.
            one.running_mean, one.running_var = (None, None) if other.running_mean is None else shapes
        return any(one.training for one, _, _ in self._norms[size])

    def _write_back(self, tensors: Mapping[str, Tensor], slices: Mapping[str, Slice | None]) -> None:
        """Copy back the running statistics that a forward changed in a copy; views have changed in place."""
        for name, buffer in self.full.named_buffers():
            part, slice_ = tensors.get(name), slice_of(name, slices)
            if part is None or slice_ is None or part.ndim != 1:
                continue
            if slice_.selects(len(buffer), len(part)):
                buffer.index_copy_(0, torch.tensor(slice_.numbers, device=buffer.device), part)


def slice_of(name: str, slices: Mapping[str, Slice | None]) -> Slice | None:
    """The slice of the first prefix that `name` begins with."""
    return next(part for prefix, part in slices.items() if name.startswith(prefix))


def cut(
    tensor: Tensor, shape: Sequence[int], columns: Slice | None, kernels: KernelMatrices | None = None
) -> Tensor:
    """Cut `tensor` to `shape`. In a smaller dimension take the `columns`, if they apply to it, or the first
    channels; take the middle of a kernel, or what `kernels` make of it."""
    if kernels is not None and tensor.ndim == 4 and tensor.shape[-1] != shape[-1]:
        # Channels first: the matrices then multiply only those that are needed.
        few = cut(tensor, (*shape[:2], *tensor.shape[2:]), columns)
        return kernels.shrink(few, shape[-1]).contiguous()
    for dim, (have, want) in enumerate(zip(tensor.shape, shape, strict=True)):
        if columns is not None and dim < 2 and columns.selects(have, want):
            tensor = tensor.index_select(dim, torch.tensor(columns.numbers, device=tensor.device))
        elif have != want:
            tensor = tensor.narrow(dim, (have - want) // 2 if dim > 1 else 0, want)
    # Contiguous, since for strided weights a convolution may choose another kernel, whose result differs in
    # the last bits. Vectors stay views: running statistics are changed in place.
    return tensor if tensor.ndim < 2 else tensor.contiguous()
