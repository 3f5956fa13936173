"""A cell: blocks that each combine the results of two operations (NASNet, Zoph et al. 2018, Sec. 3.1; PNAS,
Liu et al. 2018, Sec. 3.1). Blocks read states: state 0 is the output of the cell before the previous one,
1 that of the previous cell, 2 + k the result of block k of this cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from cambrian.errors import Unbuildable, UnknownName
from cambrian.networks.layouts import lay_out_gradient
from cambrian.networks.operations import OPERATIONS, FactorizedReduce, conv_bn, relu_conv_bn
from cambrian.networks.sharing.reading import Own, Reading
from cambrian.networks.sharing.reads import Reads
from cambrian.networks.sharing.switches import Fork, resolve_forks

Block = tuple[int, str, int, str]  # input 1, operation 1, input 2, operation 2

OUTPUT_RULES = ("all", "unused")
NONE = "none"

P = TypeVar("P")
P_in = TypeVar("P_in", contravariant=True)


@dataclass(frozen=True)
class Wiring:
    """The graph of a cell without its channels: its blocks, the states concatenated to its output, and the
    blocks (from 0) that concatenate their two results; the others add them. `twice`: the previous cell's
    output is projected once more, as in ENAS's released code."""

    blocks: tuple[Block, ...]
    output: tuple[int, ...]
    concat: frozenset[int] = frozenset()
    twice: bool = False

    @property
    def inputs(self) -> set[int]:
        """The input states, 0 (previous-previous) and 1 (previous), that are read."""
        read = {i for one, _, other, _ in self.blocks for i in (one, other)}
        return {i for i in read | set(self.output) if i < 2}

    def widths(self, filters: int) -> list[int]:
        """Channels of each state."""
        return [filters] * 2 + [filters * (1 + (k in self.concat)) for k in range(len(self.blocks))]

    def width_of(self, state: int, filters: int) -> int | None:
        """Channels of one state, or None where the cell does not have it."""
        return self.widths(filters)[state] if state < len(self.blocks) + 2 else None

    def operand(self, k: int, operand: int) -> tuple[int | None, str | None]:
        """The state that block k reads with its first or second operand, and the operation; None for a block
        that the cell does not have."""
        if k >= len(self.blocks):
            return None, None
        one, name, other, second = self.blocks[k]
        return (other, second) if operand else (one, name)

    def width(self, filters: int) -> int:
        """Channels of the output."""
        widths = self.widths(filters)
        return sum(widths[i] for i in self.output)


@dataclass(frozen=True)
class Limits:
    """Bounds of the wirings that one supernet holds: the maximum of `blocks`; the possible `operations`;
    whether blocks may concatenate (`concats`), and inputs pass to the output (`passes`). `distinct`: a
    block's two inputs differ. `path` names the question of an operation, "block{}/operation{}", and `inputs`
    that of the state it reads, by one of the names `states`."""

    blocks: int = 0
    operations: tuple[str, ...] = tuple(OPERATIONS)
    concats: bool = True
    passes: bool = True
    distinct: bool = False
    path: str = ""
    inputs: str = ""
    states: tuple[str, ...] = ()


class Fitted(Protocol[P_in]):
    """An output to whose channels a module can be fitted."""

    def fit(self, read: Reading[P_in], make: Callable[[int], nn.Module]) -> nn.Module:
        """`make(channels)`; in a supernet, with weights for all possible channels."""
        ...


@dataclass(frozen=True)
class Channels(Generic[P]):
    """The channels of an output: all of `most`, or those with the indices `columns`, by the plan."""

    most: int
    columns: Callable[[P], Sequence[int]] | None = None

    def fit(self, read: Reading[P], make: Callable[[int], nn.Module]) -> nn.Module:
        """Every possible channel has its own weights, as in ENAS."""
        if self.columns is None:
            return make(self.most)
        columns = self.columns
        return read.elastic(lambda plan: len(columns(plan)), make, self.most, columns)


def output_channels(wiring: Callable[[P], Wiring], limits: Limits, filters: int) -> Channels[P]:
    """The channels of a cell's output, where every state that it may concatenate has its own columns."""
    # A state gets room for its widest form, so that its columns do not depend on the other states.
    wide = filters * (1 + limits.concats)
    begin = 2 * filters if limits.passes else 0

    def columns(plan: P) -> list[int]:
        cell = wiring(plan)
        firsts = [state * filters if state < 2 else begin + (state - 2) * wide for state in cell.output]
        widths = [cell.widths(filters)[state] for state in cell.output]
        return [first + c for first, width in zip(firsts, widths, strict=True) for c in range(width)]

    return Channels(begin + limits.blocks * wide, columns)


def wire(blocks: Sequence[Block], rule: str = "all") -> Wiring:
    """The wiring of blocks that add; `rule` selects those of the output (see `output_blocks`)."""
    if not blocks:
        raise Unbuildable("a cell needs at least one block, got none")
    checked = check_blocks(blocks)
    return Wiring(checked, tuple(k + 2 for k in output_blocks(checked, rule)))


def check_blocks(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """`blocks`, if they read earlier states through known operations. Raises Unbuildable and UnknownName."""
    for k, (input1, operation1, input2, operation2) in enumerate(blocks):
        for i in (input1, input2):
            if not 0 <= i < k + 2:
                raise Unbuildable(f"block{k + 1}: input {i} does not exist, expected 0..{k + 1}")
        for operation in (operation1, operation2):
            if operation not in OPERATIONS:
                raise UnknownName("operation", operation, OPERATIONS)
    return tuple(blocks)


def output_blocks(blocks: Sequence[Block], rule: str) -> tuple[int, ...]:
    """The blocks (from 0) that are concatenated into the cell's output: by the rule "all" every block, by
    "unused" those that no other block reads."""
    if rule not in OUTPUT_RULES:
        raise UnknownName("output rule", rule, OUTPUT_RULES)
    used = {i for one, _, other, _ in blocks for i in (one, other)} if rule == "unused" else set()
    return tuple(k for k in range(len(blocks)) if k + 2 not in used)


def drop_paths(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Stochastic depth: each example of (n, channels, h, w) is zeroed with probability `rate`, and the others
    are scaled to keep the expectation."""
    kept = torch.empty((len(x), 1, 1, 1), device=x.device, dtype=x.dtype).bernoulli_(1 - rate)
    return x * (kept / (1 - rate))


class Cell(nn.Module, Generic[P]):
    """(n, channels[0], h0, w0), (n, channels[1], h, w) -> (n, wiring.width(filters), h / stride, w / stride).

    Both inputs are first projected to `filters` channels, and input 0 to the height and width of input 1
    where it has twice as much (`halve`). If `unfitted` is above 0, input 0 has that many channels and is read
    without a projection. Parts that nothing reads do not have weights. `drop_path` is the probability that a
    path is dropped, in training only; `place` is the cell's number in its network."""

    drop_path: float = 0.0

    def __init__(
        self,
        read: Reading[P],
        wiring: Callable[[P], Wiring],
        channels: tuple[Fitted[P], Fitted[P]],
        filters: int,
        *,
        limits: Limits = Limits(),
        stride: int = 1,
        halve: bool = False,
        unfitted: int = 0,
        place: int = 0,
    ) -> None:
        super().__init__()
        self.place = place
        self.sums_edges = limits.distinct
        self.wiring = read.live(wiring)
        have = (unfitted or filters, filters)
        twice = read.value(lambda plan: wiring(plan).twice)

        def fit(i: int) -> nn.Module:
            kind = FactorizedReduce if i == 0 and halve else relu_conv_bn
            fitted = channels[i].fit(read, lambda width: kind(width, filters))
            return nn.Sequential(fitted, relu_conv_bn(filters, filters)) if twice and i == 1 else fitted

        # By `several`, so that an input that no block reads has no projection, as in a plan's own network.
        fits = {i: partial(fit, i) for i in (0, 1) if i == 1 or not unfitted}
        self.fit = read.several(lambda plan: wiring(plan).inputs, fits)
        make = Operations(read, wiring, limits, have, filters, stride)
        count = read.count(lambda plan: len(wiring(plan).blocks), limits.blocks)
        self.first = nn.ModuleList(make.operation(k, 0) for k in range(count))
        self.second = nn.ModuleList(make.operation(k, 1) for k in range(count))
        # An input that passes to the output must have the shape of the blocks' results there.
        lacking = [i for i in (0, 1) if limits.passes and (stride, have[i]) != (1, filters)]
        ends = {i: partial(_end, have[i], filters, stride) for i in lacking}
        self.ends = read.several(lambda plan: wiring(plan).output, ends)

    def forward(self, previous_previous: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        wiring = self.wiring()
        states = [previous_previous, previous]
        for i, fit in self.fit.items():
            states[int(i)] = fit(states[int(i)])
        reads = Reads()
        for k in range(len(wiring.blocks)):
            states.append(self._combine(k, states, wiring, reads))
        # After the blocks, which read the inputs before they are reduced.
        for i, end in self.ends.items():
            states[int(i)] = end(states[int(i)])
        if len(wiring.output) == 1:  # spares the copy that torch.cat would make
            return states[wiring.output[0]]
        ends = [states[k] for k in wiring.output]
        return torch.cat(list(map(lay_out_gradient, ends)) if self.training else ends, 1)

    def _combine(self, k: int, states: list[torch.Tensor], wiring: Wiring, reads: Reads) -> torch.Tensor:
        """The result of block k. `reads` is what mixtures have made of the states."""
        first = self.first[k]
        # Mixed, a block is the sum of all its edges and not of two (DARTS, Liu et al. 2019, Eq. 1). Its two
        # operands have the same modules, so that the first one holds them all.
        if self.sums_edges and isinstance(first, Fork) and first.mixture is not None:
            total: torch.Tensor = first.blend(states[: len(first.options)], reads)
            return total
        one, name, other, second = wiring.blocks[k]
        results = (
            self._path(first, states, one, name, reads),
            self._path(self.second[k], states, other, second, reads),
        )
        return torch.cat(results, 1) if k in wiring.concat else results[0] + results[1]

    def _path(
        self, operation: nn.Module, states: list[torch.Tensor], source: int, name: str, reads: Reads
    ) -> torch.Tensor:
        """The operation's result, dropped at random in training. The identity is never dropped, not even
        where it projects, as in the released code of NASNet, PNAS, AmoebaNet and ENAS; that of DARTS drops a
        skip with a stride."""
        # While states are mixed, each candidate reads its own one, and no path is dropped.
        if isinstance(operation, Fork) and operation.mixture is not None:
            blended: torch.Tensor = operation.blend(states[: len(operation.options)], reads)
            return blended
        y: torch.Tensor = operation(states[source])
        never = ("identity",) if self.sums_edges else ("identity", "skip")
        kept = name in never or isinstance(resolve_forks(operation), nn.Identity)
        if not self.training or self.drop_path == 0 or kept:
            return y
        return drop_paths(y, self.drop_path)


def cell_of(wiring: Wiring, channels: tuple[int, int], filters: int, **more: Any) -> Cell[Wiring]:
    """The cell of one wiring; `more` are keywords of `Cell`."""
    first, second = (Channels[Wiring](width) for width in channels)
    return Cell(Own(wiring), lambda plan: plan, (first, second), filters, **more)


class Operations(Generic[P]):
    """Makes the operations of a cell. In a supernet one has separate weights for each possible state."""

    def __init__(
        self,
        read: Reading[P],
        wiring: Callable[[P], Wiring],
        limits: Limits,
        have: tuple[int, int],
        filters: int,
        stride: int,
    ) -> None:
        self._read, self._wiring, self._limits = read, wiring, limits
        self._have, self._filters, self._stride = have, filters, stride
        self._once = cache(self._make)  # one module for equal arguments

    def operation(self, k: int, operand: int) -> nn.Module:
        """The operation of block k on operand 0 or 1, for every state that it may read."""
        sources = {i: partial(self._of_state, k, operand, i) for i in range(k + 2)}
        path = self._limits.inputs.format(k + 1, operand + 1)
        return self._read.fork(lambda plan: self._wiring(plan).operand(k, operand)[0], sources, path)

    def _of_state(self, k: int, operand: int, state: int) -> nn.Module:
        if state < 2 or not self._limits.concats:
            width = self._have[state] if state < 2 else self._filters
            return self._of_width(k, operand, state, width)
        # A block's result is twice as wide where it concatenates, which needs other weights.
        widths = {
            w: partial(self._of_width, k, operand, state, w) for w in (self._filters, 2 * self._filters)
        }
        return self._read.fork(lambda plan: self._wiring(plan).width_of(state, self._filters), widths)

    def _of_width(self, k: int, operand: int, state: int, width: int) -> nn.Module:
        # If a block's two inputs always differ, its operands never read the same state, and may share the
        # weights of each.
        number = k if self._limits.distinct else (k, operand)
        make = self._once if self._limits.distinct else self._make
        makers = {name: partial(make, number, state, width, name) for name in self._limits.operations}
        path = self._limits.path.format(k + 1, operand + 1)
        # Only of a sum of all edges can one be without an operation: an operand needs a result.
        nothing = partial(self._make, number, state, width, NONE) if self._limits.distinct else None
        return self._read.fork(
            lambda plan: self._wiring(plan).operand(k, operand)[1],
            makers,
            path,
            self._name_gate(k, operand, state),
            None if NONE in makers else nothing,
            partial=True,
        )

    def _name_gate(self, k: int, operand: int, state: int) -> str:
        """The gate of an operation: it has one for each state that it may read."""
        states = self._limits.states
        return f"{self._limits.inputs.format(k + 1, operand + 1)}/{states[state]}" if states else ""

    def _make(self, number: object, state: int, width: int, name: str) -> nn.Module:
        narrow = self._read.narrow
        return OPERATIONS[name](narrow(width), narrow(self._filters), self._stride if state < 2 else 1)


def _end(channels: int, filters: int, stride: int) -> nn.Module:
    """The projection of an input that passes to the output, to the shape of the blocks' results."""
    # Without a ReLU, as in the released code of NASNet, AmoebaNet and ENAS: whoever reads the output has one.
    return FactorizedReduce(channels, filters, False) if stride == 2 else conv_bn(channels, filters)
