"""An LSTM and its gradient (Hochreiter & Schmidhuber 1997; forget gates, Gers et al. 2000) in NumPy.

A controller takes one small step at a time, for which the overhead of a framework would dominate. Products
use `einsum`'s own loops, so that no sum depends on the number of threads of a BLAS library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Layer = tuple[Floats, Floats, Floats]
"""The weights from the layer below [in, 4 * hidden] and from the step before [hidden, 4 * hidden], and the
bias [4 * hidden], the gates in the order of torch.nn.LSTM: input, forget, cell, output."""

Memory = tuple[tuple[Floats, Floats], ...]
"""The hidden and the cell state [n, hidden] of every layer."""


@dataclass(frozen=True)
class Tape:
    """The values of one layer that its gradient needs: the inputs `x` [n, steps, in], the `gates` [n, steps,
    4 * hidden], and, each [n, steps, hidden], the cell states after (`cells`) and `before` each step and the
    `hidden` states before it."""

    x: Floats
    gates: Floats
    cells: Floats
    before: Floats
    hidden: Floats


def product(equation: str, *arrays: Floats) -> Floats:
    """`einsum` on one thread."""
    # Optimised, einsum hands products to BLAS, whose sums differ with its threads.
    result: Floats = np.einsum(equation, *arrays, optimize=False)
    return result


def blank(layers: int, n: int, hidden: int) -> Memory:
    return ((np.zeros((n, hidden)), np.zeros((n, hidden))),) * layers


def advance(layers: Sequence[Layer], x: Floats, memory: Memory) -> tuple[Floats, Memory]:
    """The output [n, hidden] of the last layer after reading `x` [n, in], and the memory after it."""
    after = []
    for (below, past, bias), (h, c) in zip(layers, memory):
        gates = _gates(product("ni,ig->ng", x, below) + product("nh,hg->ng", h, past) + bias)
        x, c = _cell(gates, c)
        after.append((x, c))
    return x, tuple(after)


def forward(layers: Sequence[Layer], x: Floats) -> tuple[Floats, list[Tape]]:
    """The outputs [n, steps, hidden] of the last layer for the inputs `x` [n, steps, in] from the start."""
    tapes = []
    for below, past, bias in layers:
        # The product with the inputs is taken for all steps at once; only that with the past is a recursion.
        tapes.append(_layer(x, product("nti,ig->ntg", x, below) + bias, past))
        x = _read_out(tapes[-1])
    return x, tapes


def backward(layers: Sequence[Layer], tapes: Sequence[Tape], slope: Floats) -> tuple[Floats, list[Layer]]:
    """The gradient by the input [n, steps, in] and by each layer, from the gradient by the output."""
    slopes: list[Layer] = []
    for (below, past, _), tape in zip(reversed(layers), reversed(tapes)):
        gates = _through_time(past, tape, slope)
        slopes.append(
            (
                product("nti,ntg->ig", tape.x, gates),
                product("nth,ntg->hg", tape.hidden, gates),
                gates.sum(axis=(0, 1)),
            )
        )
        slope = product("ntg,ig->nti", gates, below)
    return slope, slopes[::-1]


def _layer(x: Floats, from_below: Floats, past: Floats) -> Tape:
    n, steps, width = from_below.shape
    h = c = np.zeros((n, width // 4))
    gates, cells = np.empty_like(from_below), np.empty((n, steps, width // 4))
    before, hidden = np.empty_like(cells), np.empty_like(cells)
    for t in range(steps):
        before[:, t], hidden[:, t] = c, h
        gates[:, t] = _gates(from_below[:, t] + product("nh,hg->ng", h, past))
        h, c = _cell(gates[:, t], c)
        cells[:, t] = c
    return Tape(x, gates, cells, before, hidden)


def _through_time(past: Floats, tape: Tape, slope: Floats) -> Floats:
    """The gradient by the inputs of the gates [n, steps, 4 * hidden]."""
    i, f, g, o = _four(tape.gates)
    squashed = np.tanh(tape.cells)
    # How each gate's input moves the cell (the output gate: the hidden state), and the cell the latter.
    local = np.concatenate([g * i * (1 - i), tape.before * f * (1 - f), i * (1 - g**2)], axis=2)
    by_output, by_cell = squashed * o * (1 - o), o * (1 - squashed**2)
    by_gates = np.empty_like(tape.gates)
    n, steps, width = slope.shape
    # Backwards in time: `late_h` and `late_c` are the gradients that come from the steps after t.
    late_h = late_c = np.zeros((n, width))
    for t in reversed(range(steps)):
        h = slope[:, t] + late_h
        c = late_c + h * by_cell[:, t]
        by_gates[:, t, : 3 * width] = np.tile(c, 3) * local[:, t]
        by_gates[:, t, 3 * width :] = h * by_output[:, t]
        late_h, late_c = product("ng,hg->nh", by_gates[:, t], past), c * f[:, t]
    return by_gates


def _read_out(tape: Tape) -> Floats:
    outputs: Floats = _four(tape.gates)[3] * np.tanh(tape.cells)
    return outputs


def _gates(inputs: Floats) -> Floats:
    """The sigmoid for the input, forget and output gates, the hyperbolic tangent for the cell's."""
    i, f, g, o = _four(inputs)
    return np.concatenate([_sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)], axis=-1)


def _cell(gates: Floats, c: Floats) -> tuple[Floats, Floats]:
    i, f, g, o = _four(gates)
    c = f * c + i * g
    return o * np.tanh(c), c


def _sigmoid(x: Floats) -> Floats:
    value: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)  # unlike 1 / (1 + exp(-x)), it cannot overflow
    return value


def _four(x: Floats) -> Any:
    width = x.shape[-1] // 4
    return tuple(x[..., k * width : (k + 1) * width] for k in range(4))
