"""A cell: blocks that each add the results of two operations (PNAS, Liu et al. 2018, Sec. 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from cambrian.errors import Unbuildable, UnknownName
from cambrian.networks.operations import OPERATIONS, FactorizedReduce, relu_conv_bn

Block = tuple[int, str, int, str]  # input 1, operation 1, input 2, operation 2

OUTPUT_RULES = ("all", "unused")


def checked(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """`blocks`, or Unbuildable / UnknownName: inputs are 0 (the cell before the previous one), 1 (the
    previous cell) and 2 + k (block k of this cell, earlier than the reader)."""
    if not blocks:
        raise Unbuildable("a cell needs at least one block, got none")
    for k, (input1, operation1, input2, operation2) in enumerate(blocks):
        for i in (input1, input2):
            if not 0 <= i < k + 2:
                raise Unbuildable(f"block{k + 1}: input {i} does not exist, expected 0..{k + 1}")
        for operation in (operation1, operation2):
            if operation not in OPERATIONS:
                raise UnknownName("operation", operation, OPERATIONS)
    return tuple(blocks)


def output_blocks(blocks: Sequence[Block], rule: str) -> tuple[int, ...]:
    """The blocks (from 0) that are concatenated into the cell's output: all of them, or those that no
    other block reads."""
    if rule not in OUTPUT_RULES:
        raise UnknownName("output rule", rule, OUTPUT_RULES)
    used = {i for one, _, other, _ in blocks for i in (one, other)} if rule == "unused" else set()
    return tuple(k for k in range(len(blocks)) if k + 2 not in used)


def cell_inputs(blocks: Sequence[Block]) -> set[int]:
    """Which of 0 (previous-previous) and 1 (previous) the blocks read."""
    return {i for one, _, other, _ in blocks for i in (one, other) if i < 2}


def dropped(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Stochastic depth: each example (n, ...) is zeroed with probability `rate`, the others scaled to
    keep the expectation."""
    kept = torch.empty((len(x), 1, 1, 1), device=x.device, dtype=x.dtype).bernoulli_(1 - rate)
    return x * (kept / (1 - rate))


class Cell(nn.Module):
    """(n, channels[0], h0, w0), (n, channels[1], h, w) -> (n, blocks x filters, h / stride, w / stride).

    An input is first made to have `filters` channels, and the height and width of the other one where
    it has twice as much (`halve`). With `fit_first` false, input 0 is read as it is. What no block
    reads has no weights. `drop_path` is the probability that a path is dropped, in training only."""

    drop_path: float = 0.0

    def __init__(
        self,
        blocks: Sequence[Block],
        channels: tuple[int, int],
        filters: int,
        *,
        stride: int = 1,
        output: str = "all",
        halve: bool = False,
        fit_first: bool = True,
    ) -> None:
        super().__init__()
        self.output = tuple(k + 2 for k in output_blocks(blocks, output))
        self.wiring = tuple((one, other) for one, _, other, _ in blocks)
        self.fit = nn.ModuleDict()
        have = [filters] * (len(blocks) + 2)
        for i in sorted(cell_inputs(blocks)):
            if i == 0 and not fit_first:
                have[0] = channels[0]
                continue
            fit = FactorizedReduce if i == 0 and halve else relu_conv_bn
            self.fit[str(i)] = fit(channels[i], filters)

        def path(i: int, name: str) -> nn.Module:
            return OPERATIONS[name](have[i], filters, stride if i < 2 else 1)

        self.first = nn.ModuleList(path(i, name) for i, name, _, _ in blocks)
        self.second = nn.ModuleList(path(i, name) for _, _, i, name in blocks)

    def forward(self, previous_previous: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        states = [previous_previous, previous]
        for i, fit in self.fit.items():
            states[int(i)] = fit(states[int(i)])
        for (one, other), first, second in zip(self.wiring, self.first, self.second, strict=True):
            states.append(self._path(first, states[one]) + self._path(second, states[other]))
        if len(self.output) == 1:
            return states[self.output[0]]
        return torch.cat([states[k] for k in self.output], 1)

    def _path(self, operation: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """The identity is never dropped, as in the released code."""
        y: torch.Tensor = operation(x)
        if not self.training or self.drop_path == 0 or isinstance(operation, nn.Identity):
            return y
        return dropped(y, self.drop_path)
