"""What a layer with a partner in the parent inherits of it: the units that it is made of, and the weights by
which it reads what its partner reads, wherever that is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from math import isclose

import torch
from torch import Tensor

from cambrian.networks.morphisms.alignment import NORMS, count_groups, is_depthwise
from cambrian.networks.morphisms.branches import Branches
from cambrian.networks.morphisms.channels import ONE, ZERO, Symbols, Value, are_equal
from cambrian.networks.morphisms.following import (
    holds_kernel,
    read_geometry,
)
from cambrian.networks.morphisms.matching import find_columns, match_channels
from cambrian.networks.morphisms.norms import read_norm
from cambrian.networks.morphisms.recording import Call
from cambrian.networks.morphisms.transfers import Transfer, spread_units, strongest_units
from cambrian.networks.morphisms.writing import Writer


class Undecided(Exception):
    """The part that a call has to play is needed before it is known: "pass", "zero", or of its extra channels
    "silent", of its fewer ones "first"."""

    def __init__(self, call: int, part: str) -> None:
        super().__init__(call, part)
        self.call, self.part = call, part


class Layers:
    """Carries the layers of the child that have partners in these `branches`; `parts` are those that calls
    have to play, `spread` is the random part of the shares of copies. `changed` are the calls with more or
    fewer channels than their partners."""

    def __init__(
        self, writer: Writer, symbols: Symbols, branches: Branches, parts: Mapping[int, str], spread: float
    ) -> None:
        self._writer, self._symbols, self._branches = writer, symbols, branches
        self._parent, self._child = writer.parent, writer.child
        self._parts, self._spread = parts, spread
        self.changed: set[int] = set()
        self._generator = torch.Generator().manual_seed(0)
        self._drawn: dict[str, Tensor] = {}  # the generator's state at the first call of each layer

    def carry(self, n: int, call: Call, x: Value, passed: Value, passing: Set[int]) -> Value:
        """The result of call n, which reads x, or `passed` if all undecided calls before it passed on what
        they read, as those in `passing` can. Raises Undecided where it needs to know whether they do."""
        theirs = self._branches.matches[n]
        partner = self._parent.record.calls[theirs]
        before = self._parent.inputs[theirs][0]
        missing = {s for s in before.symbols if s != ZERO} - set(x.symbols)
        if self._branches.copy(n).part:
            missing = set()
        candidates = x.fresh & passing
        if candidates and missing & set(passed.symbols):
            raise Undecided(max(candidates), "pass")
        if missing:
            self._writer.lose(n, partner.weights[0])
        if x.fresh and set(before.symbols) == {ZERO}:
            # The parent has nothing there, of which a normalisation makes a constant.
            raise Undecided(max(x.fresh), "zero")
        weight = self._child.tensors[call.weights[0]]
        if call.function in NORMS:
            return self._carry_channels(n, call, partner, x, before, not missing)
        if is_depthwise(call, weight.shape):
            self._check_kernel(n, call, partner)
            return self._carry_channels(n, call, partner, x, before, not missing)
        # A linear layer of a sequence reads another axis than its channels, and is carried whole as well.
        if count_groups(call) > 1 or len(x) != weight.shape[1]:
            return self._carry_whole(n, call, partner, x, before)
        self._check_kernel(n, call, partner)
        return self._carry_dense(n, call, partner, x, before)

    def _carry_dense(self, n: int, call: Call, partner: Call, x: Value, before: Value) -> Value:
        theirs, name, source = self._branches.matches[n], call.weights[0], partner.weights[0]
        own, parents = self._child.tensors[name], self._parent.tensors[source]
        rows = self._choose_rows(n, parents, len(own))
        columns = find_columns(x, before, self._draw(name), self._spread)
        silent = [i for i, s in enumerate(x.symbols) if s == ZERO and i not in {c[0] for c in columns}]
        share = self._branches.copy(n).share
        self._writer.write(n, name, Transfer(source, rows, columns, silent, share))
        self._carry_bias(n, call, partner, rows)
        symbols = tuple(ZERO if r is None else self._symbols.make("out", theirs, r) for r in rows)
        return Value(symbols, (share,) * len(symbols), x.axis, through=x.through, origin=n)

    def _draw(self, name: str) -> torch.Generator:
        """The random numbers of the layer with that weight, in each of its calls the same."""
        if name not in self._drawn:
            self._drawn[name] = self._generator.get_state()
            return self._generator
        again = torch.Generator()
        again.set_state(self._drawn[name])
        return again

    def _choose_rows(self, n: int, parents: Tensor, count: int) -> list[int | None]:
        """The parent's unit of each of the child's."""
        old, part = len(parents), self._parts.get(n)
        chosen = self._branches.copy(n).units
        if chosen is not None:
            return list(chosen)
        if count != old:
            self.changed.add(n)
        if count < old:
            return list(range(count)) if part == "first" else list(strongest_units(parents, count))
        if part == "silent":
            return [*range(old), *[None] * (count - old)]
        return list(spread_units(old, count))

    def _carry_bias(self, n: int, call: Call, partner: Call, rows: Sequence[int | None]) -> None:
        mine, theirs = call.weights[1:], partner.weights[1:]
        if mine and theirs:
            self._writer.write(n, mine[0], Transfer(theirs[0], rows, share=self._branches.copy(n).share))
        elif mine:
            self._writer.put(n, mine[0], torch.zeros_like(self._child.tensors[mine[0]]))
        elif theirs:
            self._writer.lose(n, theirs[0])

    def _check_kernel(self, n: int, call: Call, partner: Call) -> None:
        """Note a loss where the kernel is not the parent's with zeros around it."""
        if not holds_kernel(read_geometry(self._child, call), read_geometry(self._parent, partner)):
            self._writer.lose(n, partner.weights[0])

    def _carry_channels(
        self, n: int, call: Call, partner: Call, x: Value, before: Value, complete: bool
    ) -> Value:
        """A normalisation, or a convolution of each channel alone. `complete`: no channel is missing."""
        theirs, rows = self._branches.matches[n], match_channels(x, before, complete)
        twins = len(set(x.symbols) - {ZERO}) < sum(s != ZERO for s in x.symbols)
        if twins:
            self.changed.add(n)
        if self._parts.get(n) == "silent":
            rows = [None if s in x.symbols[:i] else r for i, (s, r) in enumerate(zip(x.symbols, rows))]
        ratios = [ONE if r is None else x.scales[i] / before.scales[r] for i, r in enumerate(rows)]
        share = self._branches.copy(n).share
        if call.function in NORMS:
            self._carry_norm(n, call, partner, rows, ratios)
            ratios = [ONE] * len(rows)
        else:
            self._writer.write(n, call.weights[0], Transfer(partner.weights[0], rows, share=share))
            self._carry_bias(n, call, partner, rows)
        ratios = [ratio * share for ratio in ratios]
        symbols = [ZERO if r is None else self._symbols.make("out", theirs, r) for r in rows]
        if call.function in NORMS and not read_norm(call).affine:
            # What has no weight cannot be silent: only zeros, whose mean is 0, stay zeros.
            new = [i for i, r in enumerate(rows) if r is None and x.symbols[i] != ZERO]
            for i in new:
                symbols[i] = self._symbols.make("new", n, i)
        return Value(tuple(symbols), tuple(ratios), x.axis, through=x.through, origin=n)

    def _carry_norm(
        self, n: int, call: Call, partner: Call, rows: Sequence[int | None], ratios: Sequence[float]
    ) -> None:
        mine, theirs, share = read_norm(call), read_norm(partner), self._branches.copy(n).share
        whole = partner.weights[0]
        if theirs.affine and len(mine.affine) != len(theirs.affine):
            self._writer.lose(n, whole)
        if mine.affine and not theirs.affine:
            scale = torch.tensor([0.0 if r is None else share for r in rows])
            for name, tensor in zip(mine.affine, (scale, torch.zeros(len(rows))), strict=False):
                self._writer.put(n, name, tensor.to(self._child.tensors[name]))
        for name, source in zip(mine.affine, theirs.affine, strict=False):
            self._writer.write(n, name, Transfer(source, rows, share=share))
        if not (mine.mean and theirs.mean):
            # By a batch's own statistics what comes out depends, a little, on the scale of what goes in.
            plain = mine.eps == theirs.eps and all(isclose(ratio, ONE, rel_tol=1e-9) for ratio in ratios)
            if mine.mean or theirs.mean or not plain:
                self._writer.lose(n, whole)
            return
        mean, var = (self._parent.tensors[s].float().cpu() for s in (theirs.mean, theirs.var))
        chosen, factor = [r or 0 for r in rows], torch.tensor(list(ratios))
        # Of a scaled input the statistics scale, so that what comes out does not.
        mean = mean[chosen] * factor
        mean[[i for i, r in enumerate(rows) if r is None]] = 0.0
        var = factor**2 * (var[chosen] + theirs.eps) - mine.eps
        if bool((var < -1e-5 * mine.eps).any()):  # a larger epsilon than the parent's variance
            self._writer.lose(n, whole)
        self._writer.put(n, mine.mean, mean)
        self._writer.put(n, mine.var, var.clamp_min(0.0))

    def _carry_whole(self, n: int, call: Call, partner: Call, x: Value, before: Value) -> Value:
        self._check_kernel(n, call, partner)
        own, parents = self._child.tensors[call.weights[0]], self._parent.tensors[partner.weights[0]]
        if own.shape != parents.shape or not are_equal(x, before):
            self._writer.lose(n, partner.weights[0])
        share = self._branches.copy(n).share
        if own.shape == parents.shape:
            for name, source in zip(call.weights, partner.weights, strict=False):
                self._writer.write(n, name, Transfer(source, range(len(own)), share=share))
        count = self._child.record.shapes[call.output][1]
        symbols = tuple(self._symbols.make("out", self._branches.matches[n], j) for j in range(count))
        return Value(symbols, (share,) * count)
