"""The rules of functions without weights: which channels of a result are which functions of the channels
that went in. A function without a rule mixes everything; its result is the parent's where all that goes in
is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cambrian.networks.morphisms.channels import ONE, ZERO, Symbols, Value, channels_of, round_scale
from cambrian.networks.morphisms.function_kinds import (
    ADAPTIVE,
    CURVED,
    HOMOGENEOUS,
    IDENTITIES,
    NORMALISATIONS,
    OF_WEIGHTS,
    PRODUCTS,
    QUOTIENTS,
    REDUCING,
    RESHAPES,
    SUMS,
    keeps_zero,
    read_affine,
    read_number,
    reduces_stack,
)
from cambrian.networks.morphisms.recording import Call, Slot

Shapes = dict[int, tuple[int, ...]]


class Functions:
    """Applies the rules. `values` are the values of a network so far, by number."""

    def __init__(self, symbols: Symbols, shapes: Shapes) -> None:
        self.symbols, self.shapes = symbols, shapes

    def apply(self, call: Call, values: Sequence[Value]) -> list[Value]:
        """The values of the call's outputs; `values` are those it reads."""
        rule = self._find_rule(call, values)
        result = None if rule is None else rule(call, values)
        return self._mix(call, values) if result is None else result

    def _find_rule(self, call: Call, values: Sequence[Value]) -> Callable[..., list[Value] | None] | None:
        name = call.function
        if not call.slots and name not in OF_WEIGHTS:
            return None
        if not values or any(v.parts for v in values):
            stacks = {"sum": self._add_stack, "mean": self._average_stack}
            return stacks.get(name) if values and values[0].parts else None
        rules: dict[str, Callable[..., list[Value] | None]] = {
            **dict.fromkeys(HOMOGENEOUS | REDUCING, self._map),
            **dict.fromkeys(CURVED, self._curve),
            **dict.fromkeys(IDENTITIES, lambda call, values: [values[0]]),
            **dict.fromkeys(SUMS, self._add),
            **dict.fromkeys(PRODUCTS, self._multiply),
            **dict.fromkeys(QUOTIENTS, self._divide),
            **dict.fromkeys(NORMALISATIONS, self._normalise),
            **dict.fromkeys(RESHAPES, self._flatten),
            **dict.fromkeys(("cat", "concat", "concatenate"), self._concatenate),
            "stack": self._stack,
            "pad": self._pad,
            "getitem": self._select,
            "expand": self._expand,
            "split": self._split,
            "chunk": self._split,
        }
        return rules.get(name)

    def _map(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        """A homogeneous function of each channel."""
        value = values[0]
        if call.function in REDUCING and not self._reduces_images(call):
            return None
        if call.function in ADAPTIVE and self.shapes[call.slots[0]] == self.shapes[call.output]:
            return [value]
        # Bicubic interpolation overshoots: of what is never below 0 it makes something that is.
        keeps = call.function != "leaky_relu" and "bicubic" not in (*call.args, *call.named.values())
        symbols = []
        for symbol in value.symbols:
            mapped = self._map_symbol(call, symbol)
            if keeps and (symbol in self.symbols.positive or call.function == "relu"):
                self.symbols.positive.add(mapped)
            symbols.append(mapped)
        return [replace(value, symbols=tuple(symbols))] if self._fits(call, len(symbols)) else None

    def _map_symbol(self, call: Call, symbol: int) -> int:
        rectified = call.function in ("relu", "leaky_relu") and symbol in self.symbols.positive
        if symbol == ZERO or rectified:
            return symbol
        return self.symbols.make(call.function, call.settings, symbol)

    def _reduces_images(self, call: Call) -> bool:
        """Whether a reduction is over height and width."""
        dims = call.named.get("dim", call.args[1] if len(call.args) > 1 else None)
        dims = (dims,) if isinstance(dims, int) else dims
        return dims is not None and len(self.shapes[call.slots[0]]) == 4 and {d % 4 for d in dims} == {2, 3}

    def _curve(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        value = values[0]
        pairs = channels_of(value)
        kept = keeps_zero(call)
        symbols = tuple(
            ZERO if s == ZERO and kept else self.symbols.make(call.function, call.settings, s, round_scale(c))
            for s, c in pairs
        )
        return [replace(value, symbols=symbols, scales=(ONE,) * len(symbols))]

    def _add(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        if len(values) != 2 or call.named.get("alpha", 1) != 1:
            # `sum` of Python begins with 0.
            plain = len(values) == 1 and [a for a in call.args if not isinstance(a, Slot)] == [0]
            return [values[0]] if plain else None
        return self.add_all(values)

    def add_all(self, values: Sequence[Value]) -> list[Value] | None:
        count = max(map(len, values))
        if any(len(v) != count for v in values):
            return None
        sums = [self.symbols.add_terms(pairs) for pairs in zip(*map(channels_of, values), strict=True)]
        return [_join(values, [s for s, _ in sums], [c for _, c in sums])]

    def _add_stack(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        return self.add_all(values[0].parts) if reduces_stack(call) else None

    def _average_stack(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        added, parts = self._add_stack(call, values), values[0].parts
        return None if added is None else [_scale(added[0], 1 / len(parts))]

    def _stack(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        dim = call.named.get("dim", call.args[1] if len(call.args) > 1 else 0)
        return [Value((), parts=tuple(values))] if dim == 0 else None

    def _multiply(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        if len(values) == 1:
            return self._divide(call, values)
        one, other = values[:2]
        count = max(len(one), len(other))
        if not all(len(v) in (1, count) for v in (one, other)):
            return None
        pairs = zip(_widen(one, count), _widen(other, count), strict=True)
        products = [self._multiply_channels(a, b) for a, b in pairs]
        return [_join(values, [s for s, _ in products], [c for _, c in products])]

    def _divide(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        """A multiplication or division by a number."""
        factor = read_number(call)
        return None if factor is None else [_scale(values[0], factor)]

    def _normalise(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        """Of weights that are all multiplied by a number the result is, too; of zeros it is zero."""
        affine = read_affine(call)
        if not affine or len(call.slots) != 1:
            return None
        # Running statistics are weights of the call, too, that do not multiply.
        places = [n for n, name in enumerate(call.weights, 1) if name in affine]
        if all(s == ZERO for n in places for s in values[n].symbols):
            return [_scale(v, 0.0) for v in self._mix(call, values)]
        factors = {c for n in places for c in values[n].scales}
        factor = factors.pop() if len(factors) == 1 else ONE
        if factor == ONE:
            return None
        plain = [replace(v, scales=(ONE,) * len(v)) if n in places else v for n, v in enumerate(values)]
        return [_scale(v, factor) for v in self._mix(call, plain)]

    def _multiply_channels(self, one: tuple[int, float], other: tuple[int, float]) -> tuple[int, float]:
        if ZERO in (one[0], other[0]):
            return ZERO, ONE
        return self.symbols.make("product", *sorted((one[0], other[0]))), one[1] * other[1]

    def _concatenate(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        dim = call.named.get("dim", call.args[1] if len(call.args) > 1 else 0)
        if dim not in (1, 1 - len(self.shapes[call.output])):
            return None
        return [_join(values, [s for v in values for s in v.symbols], [c for v in values for c in v.scales])]

    def _pad(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        value, padding = values[0], call.args[1]
        # The other modes repeat pixels of each channel, which is as good as zeros.
        if call.named.get("mode", "constant") == "constant" and call.named.get("value") not in (None, 0):
            return None
        before, after = (padding[4], padding[5]) if len(padding) == 6 else (0, 0)
        if len(padding) > 6:
            return None
        if not any(padding[:4]):
            mapped = value
        else:
            symbols = tuple(self._map_symbol(call, s) for s in value.symbols)
            self.symbols.positive.update(
                m for m, s in zip(symbols, value.symbols) if s in self.symbols.positive
            )
            mapped = replace(value, symbols=symbols)
        symbols = (ZERO,) * before + mapped.symbols + (ZERO,) * after
        scales = (ONE,) * before + mapped.scales + (ONE,) * after
        return [replace(mapped, symbols=symbols, scales=scales)]

    def _select(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        """Slices of channels, and of heights and widths."""
        index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
        if not all(isinstance(i, slice) for i in index):
            return None
        value, whole = values[0], slice(None)
        channels = index[1] if len(index) > 1 else whole
        chosen = replace(value, symbols=value.symbols[channels], scales=value.scales[channels])
        rest = tuple(i for i in index[2:] if i != whole and i != slice(None, None, 1))
        if not rest:
            return [chosen]
        symbols = tuple(
            s if s == ZERO else self.symbols.make("select", repr(index[2:]), s) for s in chosen.symbols
        )
        self.symbols.positive.update(m for m, s in zip(symbols, chosen.symbols) if s in self.symbols.positive)
        return [replace(chosen, symbols=symbols)]

    def _expand(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        count = self.shapes[call.output][1] if len(self.shapes[call.output]) > 1 else 0
        if len(values[0]) not in (1, count) or self.shapes[call.output][2:] != self.shapes[call.slots[0]][2:]:
            return None
        pairs = _widen(values[0], count)
        return [replace(values[0], symbols=tuple(s for s, _ in pairs), scales=tuple(c for _, c in pairs))]

    def _split(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        dim = call.named.get("dim", call.args[2] if len(call.args) > 2 else 0)
        if dim != 1:
            return None
        parts, begin = [], 0
        for output in call.outputs:
            chosen = slice(begin, begin + self.shapes[output][1])
            begin = chosen.stop
            value = values[0]
            parts.append(replace(value, symbols=value.symbols[chosen], scales=value.scales[chosen]))
        return parts

    def _flatten(self, call: Call, values: Sequence[Value]) -> list[Value] | None:
        """(n, channels, h, w) -> (n, channels h w): each pixel is a channel."""
        given, out = self.shapes[call.slots[0]], self.shapes[call.output]
        value = values[0]
        if given == out:
            return [value]
        pixels = math.prod(given[2:])
        if len(out) != 2 or out[0] != given[0] or value.axis != 1:
            return None
        if pixels == 1:
            return [value]
        symbols = tuple(
            s if s == ZERO else self.symbols.make("pixel", p, s) for s in value.symbols for p in range(pixels)
        )
        return [replace(value, symbols=symbols, scales=tuple(c for c in value.scales for _ in range(pixels)))]

    def _fits(self, call: Call, channels: int) -> bool:
        shape = self.shapes[call.output]
        return len(shape) > 1 and shape[1] == channels

    def _mix(self, call: Call, values: Sequence[Value]) -> list[Value]:
        """The results of a function without a rule: new symbols for what goes in."""
        given = tuple((v.symbols, tuple(map(round_scale, v.scales)), v.axis) for v in values)
        results = []
        for place, output in enumerate(call.outputs):
            shape = self.shapes[output]
            whole = self.symbols.make(call.function, call.settings, place, given)
            count = shape[1] if len(shape) > 1 else 1
            symbols = [self.symbols.make("part", whole, i) for i in range(count)]
            results.append(_join(values, symbols, [ONE] * count))
        return results


def _join(values: Sequence[Value], symbols: Sequence[int], scales: Sequence[float]) -> Value:
    """A value that depends on several."""
    return Value(
        tuple(symbols),
        tuple(scales),
        values[0].axis if values else 1,
        frozenset().union(*(v.fresh for v in values)),
        tuple(t for v in values for t in v.through),
    )


def _scale(value: Value, factor: float) -> Value:
    if not factor:
        return replace(value, symbols=(ZERO,) * len(value), scales=(ONE,) * len(value))
    return replace(value, scales=tuple(c * factor for c in value.scales))


def _widen(value: Value, count: int) -> list[tuple[int, float]]:
    pairs: list[Any] = channels_of(value)
    return pairs * count if len(pairs) == 1 else pairs
