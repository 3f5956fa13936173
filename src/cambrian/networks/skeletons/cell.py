"""A cell: blocks that each combine the results of two operations (NASNet, Zoph et al. 2018, Sec. 3.1; PNAS,
Liu et al. 2018, Sec. 3.1). A state is something a block may read: 0 is the output of the cell before the
previous one, 1 of the previous cell, 2 + k the result of block k of this cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cambrian.errors import Unbuildable, UnknownName
from cambrian.networks.operations import OPERATIONS, FactorizedReduce, Make, fresh, relu_conv_bn

Block = tuple[int, str, int, str]  # input 1, operation 1, input 2, operation 2

OUTPUT_RULES = ("all", "unused")


@dataclass(frozen=True)
class Wiring:
    """What a cell computes, whatever its channels: its blocks, the states concatenated to its output, and
    the blocks (from 0) that concatenate their two results; the others add them. `twice`: the previous
    cell's output is projected once more, as in ENAS's released code."""

    blocks: tuple[Block, ...]
    output: tuple[int, ...]
    concat: frozenset[int] = frozenset()
    twice: bool = False

    @property
    def inputs(self) -> set[int]:
        """Which of 0 (previous-previous) and 1 (previous) are read."""
        read = {i for one, _, other, _ in self.blocks for i in (one, other)}
        return {i for i in read | set(self.output) if i < 2}

    def widths(self, filters: int) -> list[int]:
        """Channels of each state."""
        return [filters] * 2 + [filters * (1 + (k in self.concat)) for k in range(len(self.blocks))]

    def width(self, filters: int) -> int:
        """Channels of the output."""
        widths = self.widths(filters)
        return sum(widths[i] for i in self.output)


def wire(blocks: Sequence[Block], rule: str = "all") -> Wiring:
    """A cell of blocks that add, and of whose results `rule` says which make the output."""
    if not blocks:
        raise Unbuildable("a cell needs at least one block, got none")
    made = check_blocks(blocks)
    return Wiring(made, tuple(k + 2 for k in output_blocks(made, rule)))


def check_blocks(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """`blocks`, or Unbuildable / UnknownName: a block reads earlier states, through known operations."""
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


def drop_paths(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Stochastic depth: each example (n, ...) is zeroed with probability `rate`, the others scaled to
    keep the expectation."""
    kept = torch.empty((len(x), 1, 1, 1), device=x.device, dtype=x.dtype).bernoulli_(1 - rate)
    return x * (kept / (1 - rate))


class Cell(nn.Module):
    """(n, channels[0], h0, w0), (n, channels[1], h, w) -> (n, wiring.width(filters), h / stride, w / stride).

    An input is first made to have `filters` channels, and the height and width of the other one where
    it has twice as much (`halve`). With `fit_first` false, input 0 is read as it is. What nothing
    reads has no weights. `make` gives the operations, called with the path `name`/blockK/operationJ.
    `drop_path` is the probability that a path is dropped, in training only."""

    drop_path: float = 0.0

    def __init__(
        self,
        wiring: Wiring,
        channels: tuple[int, int],
        filters: int,
        *,
        stride: int = 1,
        halve: bool = False,
        fit_first: bool = True,
        make: Make = fresh,
        name: str = "cell",
    ) -> None:
        super().__init__()
        self.output = wiring.output
        self.wires = tuple(
            (one, other, k in wiring.concat) for k, (one, _, other, _) in enumerate(wiring.blocks)
        )
        self.fit = nn.ModuleDict()
        have = wiring.widths(filters)
        for i in sorted(wiring.inputs):
            if i == 0 and not fit_first:
                have[0] = channels[0]
                continue
            fit = FactorizedReduce if i == 0 and halve else relu_conv_bn
            self.fit[str(i)] = fit(channels[i], filters)
            if i == 1 and wiring.twice:
                self.fit[str(i)] = nn.Sequential(self.fit[str(i)], relu_conv_bn(filters, filters))

        def operation(k: int, operand: int) -> nn.Module:
            state, kind = wiring.blocks[k][2 * operand : 2 * operand + 2]
            path = f"{name}/block{k + 1}/operation{operand + 1}"
            return make(path, str(kind), have[int(state)], filters, stride if int(state) < 2 else 1)

        self.first = nn.ModuleList(operation(k, 0) for k in range(len(wiring.blocks)))
        self.second = nn.ModuleList(operation(k, 1) for k in range(len(wiring.blocks)))
        self.ends = nn.ModuleDict(
            {
                str(i): _end(have[i], filters, stride)
                for i in self.output
                if i < 2 and (stride, have[i]) != (1, filters)
            }
        )

    def forward(self, previous_previous: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        states = [previous_previous, previous]
        for i, fit in self.fit.items():
            states[int(i)] = fit(states[int(i)])
        for (one, other, concat), first, second in zip(self.wires, self.first, self.second, strict=True):
            results = self._path(first, states[one]), self._path(second, states[other])
            states.append(torch.cat(results, 1) if concat else results[0] + results[1])
        for i, end in self.ends.items():
            states[int(i)] = end(states[int(i)])
        if len(self.output) == 1:
            return states[self.output[0]]
        return torch.cat([states[k] for k in self.output], 1)

    def _path(self, operation: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """The identity is never dropped, as in the released code."""
        y: torch.Tensor = operation(x)
        if not self.training or self.drop_path == 0 or isinstance(operation, nn.Identity):
            return y
        return drop_paths(y, self.drop_path)


def _end(channels: int, filters: int, stride: int) -> nn.Module:
    """An input on its way to the output, in the shape of the blocks' results."""
    return FactorizedReduce(channels, filters) if stride == 2 else relu_conv_bn(channels, filters)
