"""Function-preserving inheritance between any two networks (Net2Net, Chen et al. 2016, arXiv 1511.05641;
network morphism, Wei et al. 2016, arXiv 1603.01670).

The child's calls are followed in their order, and each channel is named by the function of the parent that it
is (see `channels`). A layer with a partner reads the channels that its partner reads, wherever they are now:
copied ones share the weights, new ones get none, and kernels grow by zeros. A layer without a partner passes
its input on, or is silent where its result is added to one that the parent has: that is decided where the
result is used, and the child is then followed again from its beginning.

Where this is impossible, as where a layer was taken out or filters were pruned, what remains is carried in
its order: the approximate morphisms of LEMONADE (Elsken et al. 2019, arXiv 1804.09081, Sec. 4.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose

import torch
from torch import Tensor

from cambrian.networks.morphisms.alignment import NORMS, count_groups, is_depthwise, is_layer
from cambrian.networks.morphisms.branches import Branches, Copy
from cambrian.networks.morphisms.channels import ONE, ZERO, Symbols, Value, are_equal, ones
from cambrian.networks.morphisms.following import (
    Carried,
    Network,
    constant_value,
    holds_kernel,
    image_value,
    operands,
    read_geometry,
    weight_value,
)
from cambrian.networks.morphisms.functions import NORMALISATIONS, PRODUCTS, SUMS, Functions, read_affine
from cambrian.networks.morphisms.matching import find_columns, match_channels
from cambrian.networks.morphisms.new_layers import can_be_silent, can_pass, pass_on, read_norm, silence
from cambrian.networks.morphisms.recording import Call
from cambrian.networks.morphisms.transfers import Transfer, spread_units, strongest_units

WHOLE = Copy()
SPREAD = 0.2
"""The random part of the shares of copies."""


class Undecided(Exception):
    """The part that a call has to play is needed before it is known: "pass", "zero", or of its extra channels
    "silent", of its fewer ones "first"."""

    def __init__(self, call: int, part: str) -> None:
        super().__init__(call, part)
        self.call, self.part = call, part


class Carrier:
    """Follows the child once, with the partners of these branches and these parts of the new calls. Raises
    Undecided where a part is missing."""

    def __init__(
        self,
        parent: Network,
        child: Network,
        symbols: Symbols,
        branches: Branches,
        parts: Mapping[int, str],
        spread: float = SPREAD,
    ) -> None:
        self.parent, self.child, self.symbols = parent, child, symbols
        self.matches, self.copies = branches.matches, branches.copies
        self.parts, self.spread = parts, spread
        self.carried = Carried()
        self._functions = Functions(symbols, child.record.shapes)
        self._values = {child.record.input: image_value(child, symbols)}
        # The values if every call that is undecided passed its input on.
        self._passed = dict(self._values)
        self._changed: set[int] = set()  # calls with more or fewer channels than their partners
        self._passing: set[int] = set()  # new layers that can pass on what they would read
        self._generator = torch.Generator().manual_seed(0)
        self._drawn: dict[str, Tensor] = {}  # the generator's state at the first call of each layer

    def follow(self, expected: Value) -> Carried:
        """What is carried; `expected` is the parent's result."""
        for n, call in enumerate(self.child.record.calls):
            given = [self._read(s) for s in call.slots]
            passed = [self._passed.get(s, v) for s, v in zip(call.slots, given, strict=True)]
            results, shadows = self._call(n, call, given, passed)
            for number, result, shadow in zip(call.outputs, results, shadows, strict=True):
                self._values[number], self._passed[number] = result, shadow
        result = self._values[self.child.record.result]
        self.carried.exact = are_equal(result, expected) and not self.carried.lost
        return self.carried

    def _read(self, number: int) -> Value:
        if number not in self._values:
            self._values[number] = constant_value(self.child, self.symbols, number)
        return self._values[number]

    def _copy(self, n: int) -> Copy:
        return self.copies.get(n, WHOLE)

    def _call(
        self, n: int, call: Call, given: list[Value], passed: list[Value]
    ) -> tuple[list[Value], list[Value]]:
        if is_layer(call):
            if n in self.matches:
                results = [self._carry_layer(n, call, given[0], passed[0])]
                return results, results
            return self._begin_layer(n, call, given[0], passed[0])
        weights = [self._read_weight(n, w) for w in call.weights]
        given, passed = [*given, *weights], [*passed, *weights]
        results = self._functions.apply(call, given)
        if any(n in w.fresh for w in weights):  # a new gate: what it gates depends on it alone
            results = [replace(r, origin=n) for r in results]
        shadows = self._functions.apply(call, passed) if passed != given else results
        if call.function in SUMS or call.function == "sum":
            self._settle_sum(operands(given), operands(passed), results[0], shadows[0])
        if call.function == "mean" and given and given[0].parts:
            self._settle_average(given[0].parts, shadows[0])
        return results, shadows

    # Layers with a partner

    def _carry_layer(self, n: int, call: Call, x: Value, passed: Value) -> Value:
        theirs = self.matches[n]
        partner = self.parent.record.calls[theirs]
        before = self.parent.inputs[theirs][0]
        missing = {s for s in before.symbols if s != ZERO} - set(x.symbols)
        if self._copy(n).part:
            missing = set()
        candidates = x.fresh & self._passing
        if candidates and missing & set(passed.symbols):
            raise Undecided(max(candidates), "pass")
        if missing:
            self._lose(n, partner.weights[0])
        if x.fresh and set(before.symbols) == {ZERO}:
            # The parent has nothing there, of which a normalisation makes a constant.
            raise Undecided(max(x.fresh), "zero")
        weight = self.child.tensors[call.weights[0]]
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

    def _lose(self, n: int, weight: str) -> None:
        self.carried.lost.append(weight)
        self.carried.failed.append(n)

    def _carry_dense(self, n: int, call: Call, partner: Call, x: Value, before: Value) -> Value:
        theirs, name, source = self.matches[n], call.weights[0], partner.weights[0]
        own, parents = self.child.tensors[name], self.parent.tensors[source]
        rows = self._choose_rows(n, parents, len(own))
        columns = find_columns(x, before, self._draw(name), self.spread)
        silent = [i for i, s in enumerate(x.symbols) if s == ZERO and i not in {c[0] for c in columns}]
        share = self._copy(n).share
        self._write(n, name, Transfer(source, rows, columns, silent, share))
        self._carry_bias(n, call, partner, rows)
        symbols = tuple(ZERO if r is None else self.symbols.make("out", theirs, r) for r in rows)
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
        old, part = len(parents), self.parts.get(n)
        chosen = self._copy(n).units
        if chosen is not None:
            return list(chosen)
        if count != old:
            self._changed.add(n)
        if count < old:
            return list(range(count)) if part == "first" else list(strongest_units(parents, count))
        if part == "silent":
            return [*range(old), *[None] * (count - old)]
        return list(spread_units(old, count))

    def _carry_bias(self, n: int, call: Call, partner: Call, rows: Sequence[int | None]) -> None:
        mine, theirs = call.weights[1:], partner.weights[1:]
        if mine and theirs:
            self._write(n, mine[0], Transfer(theirs[0], rows, share=self._copy(n).share))
        elif mine:
            self._put(n, mine[0], torch.zeros_like(self.child.tensors[mine[0]]))
        elif theirs:
            self._lose(n, theirs[0])

    def _check_kernel(self, n: int, call: Call, partner: Call) -> None:
        """Note a loss where the kernel is not the parent's with zeros around it."""
        if not holds_kernel(read_geometry(self.child, call), read_geometry(self.parent, partner)):
            self._lose(n, partner.weights[0])

    def _carry_channels(
        self, n: int, call: Call, partner: Call, x: Value, before: Value, complete: bool
    ) -> Value:
        """A normalisation, or a convolution of each channel alone. `complete`: no channel is missing."""
        theirs, rows = self.matches[n], match_channels(x, before, complete)
        twins = len(set(x.symbols) - {ZERO}) < sum(s != ZERO for s in x.symbols)
        if twins:
            self._changed.add(n)
        if self.parts.get(n) == "silent":
            rows = [None if s in x.symbols[:i] else r for i, (s, r) in enumerate(zip(x.symbols, rows))]
        ratios = [ONE if r is None else x.scales[i] / before.scales[r] for i, r in enumerate(rows)]
        share = self._copy(n).share
        if call.function in NORMS:
            self._carry_norm(n, call, partner, rows, ratios)
            ratios = [ONE] * len(rows)
        else:
            self._write(n, call.weights[0], Transfer(partner.weights[0], rows, share=share))
            self._carry_bias(n, call, partner, rows)
        ratios = [ratio * share for ratio in ratios]
        symbols = [ZERO if r is None else self.symbols.make("out", theirs, r) for r in rows]
        if call.function in NORMS and not read_norm(call).affine:
            # What has no weight cannot be silent: only zeros, whose mean is 0, stay zeros.
            new = [i for i, r in enumerate(rows) if r is None and x.symbols[i] != ZERO]
            for i in new:
                symbols[i] = self.symbols.make("new", n, i)
        return Value(tuple(symbols), tuple(ratios), x.axis, through=x.through, origin=n)

    def _carry_norm(
        self, n: int, call: Call, partner: Call, rows: Sequence[int | None], ratios: Sequence[float]
    ) -> None:
        mine, theirs, share = read_norm(call), read_norm(partner), self._copy(n).share
        whole = partner.weights[0]
        if theirs.affine and len(mine.affine) != len(theirs.affine):
            self._lose(n, whole)
        if mine.affine and not theirs.affine:
            scale = torch.tensor([0.0 if r is None else share for r in rows])
            for name, tensor in zip(mine.affine, (scale, torch.zeros(len(rows))), strict=False):
                self._put(n, name, tensor.to(self.child.tensors[name]))
        for name, source in zip(mine.affine, theirs.affine, strict=False):
            self._write(n, name, Transfer(source, rows, share=share))
        if not (mine.mean and theirs.mean):
            # By a batch's own statistics what comes out depends, a little, on the scale of what goes in.
            plain = mine.eps == theirs.eps and all(isclose(ratio, ONE, rel_tol=1e-9) for ratio in ratios)
            if mine.mean or theirs.mean or not plain:
                self._lose(n, whole)
            return
        mean, var = (self.parent.tensors[s].float().cpu() for s in (theirs.mean, theirs.var))
        chosen, factor = [r or 0 for r in rows], torch.tensor(list(ratios))
        # Of a scaled input the statistics scale, so that what comes out does not.
        mean = mean[chosen] * factor
        mean[[i for i, r in enumerate(rows) if r is None]] = 0.0
        var = factor**2 * (var[chosen] + theirs.eps) - mine.eps
        if bool((var < -1e-5 * mine.eps).any()):  # a larger epsilon than the parent's variance
            self._lose(n, whole)
        self._put(n, mine.mean, mean)
        self._put(n, mine.var, var.clamp_min(0.0))

    def _carry_whole(self, n: int, call: Call, partner: Call, x: Value, before: Value) -> Value:
        self._check_kernel(n, call, partner)
        own, parents = self.child.tensors[call.weights[0]], self.parent.tensors[partner.weights[0]]
        if own.shape != parents.shape or not are_equal(x, before):
            self._lose(n, partner.weights[0])
        share = self._copy(n).share
        if own.shape == parents.shape:
            for name, source in zip(call.weights, partner.weights, strict=False):
                self._write(n, name, Transfer(source, range(len(own)), share=share))
        count = self.child.record.shapes[call.output][1]
        symbols = tuple(self.symbols.make("out", self.matches[n], j) for j in range(count))
        return Value(symbols, (share,) * count)

    # Layers without one

    def _begin_layer(self, n: int, call: Call, x: Value, passed: Value) -> tuple[list[Value], list[Value]]:
        part = self.parts.get(n)
        silent = part == "zero" and can_be_silent(call)
        if silent:
            for name, tensor in silence(self.child, call).items():
                self._put(n, name, tensor)
            results = [ones([ZERO] * self.child.record.shapes[call.output][1], through=x.through)]
            return results, results
        passing = can_pass(self.child, n)
        if passing:
            self._passing.add(n)
        shadow = pass_on(self.child, call, passed) if passing else None
        if part == "pass":
            result = pass_on(self.child, call, x, self.spread)
            for name, tensor in result.tensors.items():
                self._put(n, name, tensor)
            self.carried.norms += result.norms
            value = replace(result.value, through=(*x.through, n), origin=n)
            return [value], [shadow.value if shadow else value]
        count = self.child.record.shapes[call.output][1]
        symbols = [self.symbols.make("new", n, j) for j in range(count)]
        fresh = x.fresh if part else x.fresh | {n}  # one that cannot be silent is not asked again
        value = ones(symbols, axis=x.axis, fresh=fresh, through=x.through, origin=n)
        return [value], [shadow.value if shadow else value]

    def _settle_sum(
        self, values: Sequence[Value], passed: Sequence[Value], result: Value, shadow: Value
    ) -> None:
        """Decide the parts of new calls whose results are added to something of the parent's."""
        if all(s in self.symbols.parent for s in result.symbols):
            return
        known = [v for v in values if all(s in self.symbols.parent for s in v.symbols)]
        if not known:
            return
        fresh = [v for v in values if v.fresh]
        old = [v for v in values if not v.fresh]
        others = self._functions.add_all(old) if old else None
        # To pass on what is added anyway would only double it; what is added to nothing was not there.
        plain = (
            others is not None and set(others[0].symbols) != {ZERO} and others[0].symbols != shadow.symbols
        )
        whole = plain and all(s in self.symbols.parent for s in shadow.symbols)
        for v in fresh:
            candidates = v.fresh & self._passing
            if candidates and whole:
                raise Undecided(max(candidates), "pass")
            if v.origin is None or v.origin in v.fresh:
                # Of a sum or a concatenation of new calls one after the other becomes silent.
                raise Undecided(max(v.fresh) if v.origin is None else v.origin, "zero")
        for v in values:
            if v.origin is not None and v.origin in self._changed and v.origin not in self.parts:
                raise Undecided(v.origin, "silent" if self._grew(v.origin) else "first")

    def _settle_average(self, values: Sequence[Value], shadow: Value) -> None:
        """A new call among branches whose mean is taken passes its input on: a mean of copies is what was
        copied (replication and addition, Cai et al. 2018, "Path-Level Network Transformation", Sec. 3.1)."""
        if not all(s in self.symbols.parent for s in shadow.symbols):
            return
        for v in values:
            candidates = v.fresh & self._passing
            if candidates:
                raise Undecided(max(candidates), "pass")

    def _grew(self, n: int) -> bool:
        mine = self.child.record.shapes[self.child.record.calls[n].output]
        theirs = self.parent.record.shapes[self.parent.record.calls[self.matches[n]].output]
        return mine[1] > theirs[1]

    # Single weights

    def _read_weight(self, n: int, name: str) -> Value:
        """A weight that a function reads: the parent's, or a new one, such as a gate, which may be zero."""
        call, own, theirs = self.child.record.calls[n], self.child.tensors[name], self.matches.get(n)
        partner = None if theirs is None else self.parent.record.calls[theirs]
        # Of a normalisation's weights those that multiply, which running statistics do not.
        gate = name in read_affine(call) if call.function in NORMALISATIONS else call.function in PRODUCTS
        place = call.weights.index(name)
        if partner is not None and place < len(partner.weights):
            source = partner.weights[place]
            if self.parent.tensors[source].shape == own.shape:
                share = self._copy(n).share if gate else ONE
                tensor = self.parent.tensors[source]
                # What is not multiplied stays as it is: floats cannot hold every integer.
                self._put(n, name, (tensor if share == ONE else tensor * share).to(own), source)
                rows = range(len(own)) if own.ndim else ()
                self.carried.transfers.setdefault(name, Transfer(source, rows, share=share))
                value = weight_value(self.symbols, own, source)
                return replace(value, scales=(share,) * len(value))
            self._lose(n, source)
        if gate and self.parts.get(n) == "zero":
            self._put(n, name, torch.zeros_like(own))
            return ones([ZERO] * len(weight_value(self.symbols, own, name)))
        value = weight_value(self.symbols, own, f"new {name}")
        return replace(value, fresh=frozenset({n}), origin=n) if gate else value

    def _write(self, n: int, name: str, transfer: Transfer) -> None:
        own, parents = self.child.tensors[name], self.parent.tensors[transfer.source]
        self._put(n, name, transfer.carry(parents, own), transfer.source)
        self.carried.transfers.setdefault(name, transfer)

    def _put(self, n: int, name: str, tensor: Tensor, source: str = "") -> None:
        """Give the child a tensor for its call n. Of a module that is called several times the first call
        decides, and what another would need in its place is lost."""
        known = self.carried.tensors.setdefault(name, tensor)
        if known is not tensor and not torch.equal(known.cpu(), tensor.cpu()):
            transfer = self.carried.transfers.get(name)
            self._lose(n, source or (transfer.source if transfer else name))
