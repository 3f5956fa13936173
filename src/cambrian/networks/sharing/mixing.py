"""Gates as values: the ways in which a fork's candidates are mixed into one output.

A mixture is called with the candidates and gives the output; a candidate that it does not run gets no
gradient, so that its weights and their momentum stay as they are.

    Weighted          the sum of outputs by weights: DARTS's softmax, SNAS's and DrNAS's samples
    Weighted(active)  the same of a few candidates: a sampled one, the best two
    Straight          one candidate, with the gradients of all gates: GDAS
    Binary            one candidate, with the gradients of its alternatives' gates: ProxylessNAS
    Masked            the sum of a few candidates, with the gradients of all gates: MaskConnect
    Only              one candidate, as it is
    Summed            the plain sum, where each candidate reads a state of its own
    PartialChannels   a mixture of the first channels, beside which the others pass: PC-DARTS
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.errors import UsageError
from cambrian.networks.layouts import lay_out_gradient
from cambrian.networks.sharing.reads import Reads


@dataclass(frozen=True)
class Candidates:
    """The candidates of the fork at `gate`, each with its inputs; `reads` is what others have made of
    those."""

    gate: str
    modules: Sequence[nn.Module]
    inputs: Sequence[tuple[Any, ...]]
    reads: Reads = field(default_factory=Reads)

    def __len__(self) -> int:
        return len(self.modules)

    def run(self, i: int) -> Tensor:
        """The output of candidate i, as it is alone."""
        output: Tensor = self.modules[i](*self.inputs[i])
        return output

    def run_beside(self, i: int) -> Tensor:
        """The output of candidate i, which is added to those of others."""
        module: Any = self.modules[i]
        if hasattr(module, "run_beside"):  # a fork, whose own candidates read the same input
            output: Tensor = module.run_beside(self.reads, *self.inputs[i])
            return output
        return self.reads.run(module, *self.inputs[i])

    def add(self, total: Tensor | None, i: int, weight: Tensor | float) -> Tensor:
        """`total`, None at first, and the output of candidate i times `weight`."""
        one = isinstance(weight, float) and weight == 1
        output = None if one else self.reads.run_weighted(self.modules[i], weight, *self.inputs[i])
        if output is not None:
            return output if total is None else _add(total, output, self)
        output = self.run_beside(i)
        if isinstance(weight, Tensor) or (total is None and not one):
            output, weight = weight * output, 1.0
        # A number is multiplied and added in one pass over memory, where a tensor takes two.
        return output if total is None else _add(total, output, self, weight)

    def connects(self, i: int) -> bool:
        """Whether candidate i gives more than zeros."""
        return getattr(self.modules[i], "connects", True)


class Mixture(Protocol):
    def __call__(self, candidates: Candidates) -> Tensor: ...


@dataclass(frozen=True)
class Weighted:
    """The sum of the outputs of the `active` candidates (None: all) by `weights`, float[options]."""

    weights: Tensor
    active: Sequence[int] | None = None

    def __call__(self, candidates: Candidates) -> Tensor:
        total: Tensor | None = None
        # Summed one by one: without gradients, not all outputs have to be in memory at once.
        for i in self._find_running(candidates):
            weight = self.weights[i] if self.weights.requires_grad else self._numbers[i]
            total = candidates.add(total, i, weight)
        return self._make_nothing(candidates) if total is None else total

    @cached_property
    def _numbers(self) -> list[float]:
        """The weights as numbers, read once for all cells: on a GPU each reading waits."""
        numbers: list[float] = self.weights.tolist()
        return numbers

    def _find_running(self, candidates: Candidates) -> list[int]:
        """The active candidates that are connected; no connection costs nothing."""
        active = range(len(self.weights)) if self.active is None else self.active
        connected = [i for i in active if candidates.connects(i)]
        if self.weights.requires_grad:
            return connected
        # A gradient of zeros would let momentum and decay move the weights of what has no share.
        return [i for i in connected if self._numbers[i] != 0]

    def _make_nothing(self, candidates: Candidates) -> Tensor:
        """Zeros, which are needed for their shape: those of no connection, where that is a candidate."""
        empty = [i for i in range(len(candidates)) if not candidates.connects(i)]
        with torch.no_grad():  # a gradient of zeros would let momentum and decay move weights
            return candidates.run(empty[0]) if empty else 0 * candidates.run(0)


@dataclass(frozen=True)
class Only:
    """The output of one candidate."""

    chosen: int

    def __call__(self, candidates: Candidates) -> Tensor:
        return candidates.run(self.chosen)


@dataclass(frozen=True)
class Summed:
    """The sum of all outputs."""

    def __call__(self, candidates: Candidates) -> Tensor:
        total = candidates.add(None, 0, 1.0)
        for i in range(1, len(candidates)):
            total = candidates.add(total, i, 1.0)
        # What only passed through is somebody else's, on which hooks would gather from pass to pass.
        passed = any(total is given for inputs in candidates.inputs for given in inputs)
        return total if passed else lay_out_gradient(total)


@dataclass(frozen=True)
class Straight:
    """The output of `chosen` alone; `weights`, float[options], are 1 for it and 0 for the others, attached to
    their gradients. With `others` the weights of the candidates that do not run are added to the output as
    numbers, as GDAS's released code does: the gradient of such a gate is that of an operation whose outputs
    are all 1."""

    weights: Tensor
    chosen: int
    others: bool = True

    def __call__(self, candidates: Candidates) -> Tensor:
        output = self.weights[self.chosen] * candidates.run(self.chosen)
        if not self.others:
            return output
        # Zero in value: what was not chosen is present by its gradient only.
        return output + (self.weights.sum() - self.weights[self.chosen])


@dataclass(frozen=True)
class Binary:
    """The output of `chosen` alone. The gradient of a weight, float[options], is the inner product of the
    output's gradient with the output of its candidate, for those of `compared`: they are run in the backward
    pass, one by one and without a graph, so that the memory is that of one path."""

    weights: Tensor
    chosen: int
    compared: Sequence[int]

    def __call__(self, candidates: Candidates) -> Tensor:
        output = candidates.run(self.chosen)
        # No connection teaches the gates nothing: the released code skips them where it was drawn.
        if not self.weights.requires_grad or not candidates.connects(self.chosen):
            return output
        result: Tensor = _Compare.apply(output, self.weights, candidates, tuple(self.compared))  # type: ignore[no-untyped-call]
        return result


@dataclass(frozen=True)
class Masked:
    """The plain sum of the `active` candidates. The gradient of each weight, float[options], is that of
    `Binary`: an inner product with the output of its candidate, active or not."""

    weights: Tensor
    active: Sequence[int]

    def __call__(self, candidates: Candidates) -> Tensor:
        output = Weighted(torch.ones(len(candidates)), self.active)(candidates)
        if not self.weights.requires_grad:
            return output
        everyone = tuple(range(len(candidates)))
        result: Tensor = _Compare.apply(output, self.weights, candidates, everyone)  # type: ignore[no-untyped-call]
        return result


class _Compare(torch.autograd.Function):
    """The identity of `output`, whose backward pass runs the compared candidates."""

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, weights: Tensor, candidates: Candidates, compared: tuple[int, ...]
    ) -> Tensor:
        # Without what the forward made of the inputs, which would be kept until the end.
        ctx.candidates = replace(candidates, reads=Reads())
        ctx.compared, ctx.options = compared, len(weights)
        device = output.device.type
        half = torch.is_autocast_enabled(device)
        ctx.types = device, torch.get_autocast_dtype(device), half
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        # In 32 bits at least: bfloat16 keeps 8 of them, too few for a sum over all pixels.
        wide = torch.promote_types(gradient.dtype, torch.float32)
        products, slope = gradient.new_zeros(ctx.options, dtype=wide), gradient.to(wide)
        # In the types of the forward pass: autocast ends before the backward pass begins.
        device, dtype, half = ctx.types
        with torch.no_grad(), torch.autocast(device, dtype, enabled=half):
            for i in ctx.compared:
                if ctx.candidates.connects(i):
                    products[i] = (slope * ctx.candidates.run(i)).sum()
        return gradient, products, None, None


@dataclass(frozen=True)
class PartialChannels:
    """`inner` of the first 1 / `share` of the channels; the others pass, or are pooled where the candidates
    halve the image; all are shuffled, so that the next mixture sees other ones (Xu et al. 2020, Sec. 3.1).
    The candidates are made for so many channels."""

    inner: Mixture
    share: int

    def __call__(self, candidates: Candidates) -> Tensor:
        x: Tensor = candidates.inputs[0][0]
        few, reads = x.shape[1] // self.share, candidates.reads
        narrow = [(reads.take_first(inputs[0], few), *inputs[1:]) for inputs in candidates.inputs]
        mixed = self.inner(replace(candidates, inputs=narrow))
        rest = x[:, few:]
        if mixed.shape[2:] != rest.shape[2:]:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        return shuffle_channels(torch.cat([mixed, rest], 1), self.share)


def shuffle_channels(x: Tensor, groups: int) -> Tensor:
    """(n, channels, h, w) -> the same, channel (g, i) of `groups` groups going to (i, g)."""
    n, channels, height, width = x.shape
    grouped = x.view(n, groups, channels // groups, height, width) if groups > 1 else x
    return grouped.transpose(1, 2).reshape(n, channels, height, width) if groups > 1 else x


def _add(total: Tensor, output: Tensor, candidates: Candidates, weight: float = 1.0) -> Tensor:
    if total.shape != output.shape:
        raise UsageError(
            f"question {candidates.gate!r}: its candidates give outputs of the shapes {list(total.shape)} and"
            f" {list(output.shape)}, and can only be mixed if they agree: choose a strategy that samples"
        )
    return torch.add(total, output, alpha=weight)
