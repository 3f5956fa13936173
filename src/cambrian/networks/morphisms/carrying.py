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

import torch

from cambrian.networks.morphisms.alignment import is_layer
from cambrian.networks.morphisms.branches import Branches
from cambrian.networks.morphisms.channels import ONE, ZERO, Symbols, Value, are_equal, ones
from cambrian.networks.morphisms.following import (
    Carried,
    Network,
    constant_value,
    image_value,
    operands,
    weight_value,
)
from cambrian.networks.morphisms.function_kinds import NORMALISATIONS, PRODUCTS, SUMS, read_affine
from cambrian.networks.morphisms.functions import Functions
from cambrian.networks.morphisms.layers import Layers, Undecided
from cambrian.networks.morphisms.new_layers import can_be_silent, can_pass, pass_on, silence
from cambrian.networks.morphisms.recording import Call
from cambrian.networks.morphisms.transfers import Transfer
from cambrian.networks.morphisms.writing import Writer

SPREAD = 0.2
"""The random part of the shares of copies."""


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
        self.branches, self.parts, self.spread = branches, parts, spread
        self._writer = Writer(parent, child)
        self.carried = self._writer.carried
        self._layers = Layers(self._writer, symbols, branches, parts, spread)
        self._functions = Functions(symbols, child.record.shapes)
        self._values = {child.record.input: image_value(child, symbols)}
        # The values if every call that is undecided passed its input on.
        self._passed = dict(self._values)
        self._passing: set[int] = set()  # new layers that can pass on what they would read

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

    def _call(
        self, n: int, call: Call, given: list[Value], passed: list[Value]
    ) -> tuple[list[Value], list[Value]]:
        if is_layer(call):
            if n in self.branches.matches:
                results = [self._layers.carry(n, call, given[0], passed[0], self._passing)]
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

    # Layers without a partner

    def _begin_layer(self, n: int, call: Call, x: Value, passed: Value) -> tuple[list[Value], list[Value]]:
        part = self.parts.get(n)
        silent = part == "zero" and can_be_silent(call)
        if silent:
            for name, tensor in silence(self.child, call).items():
                self._writer.put(n, name, tensor)
            results = [ones([ZERO] * self.child.record.shapes[call.output][1], through=x.through)]
            return results, results
        passing = can_pass(self.child, n)
        if passing:
            self._passing.add(n)
        shadow = pass_on(self.child, call, passed) if passing else None
        if part == "pass":
            result = pass_on(self.child, call, x, self.spread)
            for name, tensor in result.tensors.items():
                self._writer.put(n, name, tensor)
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
            if v.origin is not None and v.origin in self._layers.changed and v.origin not in self.parts:
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
        theirs = self.parent.record.shapes[self.parent.record.calls[self.branches.matches[n]].output]
        return mine[1] > theirs[1]

    # Single weights

    def _read_weight(self, n: int, name: str) -> Value:
        """A weight that a function reads: the parent's, or a new one, such as a gate, which may be zero."""
        call, own, theirs = self.child.record.calls[n], self.child.tensors[name], self.branches.matches.get(n)
        partner = None if theirs is None else self.parent.record.calls[theirs]
        # Of a normalisation's weights those that multiply, which running statistics do not.
        gate = name in read_affine(call) if call.function in NORMALISATIONS else call.function in PRODUCTS
        place = call.weights.index(name)
        if partner is not None and place < len(partner.weights):
            source = partner.weights[place]
            if self.parent.tensors[source].shape == own.shape:
                share = self.branches.copy(n).share if gate else ONE
                tensor = self.parent.tensors[source]
                # What is not multiplied stays as it is: floats cannot hold every integer.
                self._writer.put(n, name, (tensor if share == ONE else tensor * share).to(own), source)
                rows = range(len(own)) if own.ndim else ()
                self.carried.transfers.setdefault(name, Transfer(source, rows, share=share))
                value = weight_value(self.symbols, own, source)
                return replace(value, scales=(share,) * len(value))
            self._writer.lose(n, source)
        if gate and self.parts.get(n) == "zero":
            self._writer.put(n, name, torch.zeros_like(own))
            return ones([ZERO] * len(weight_value(self.symbols, own, name)))
        value = weight_value(self.symbols, own, f"new {name}")
        return replace(value, fresh=frozenset({n}), origin=n) if gate else value
