"""An LSTM and its gradient (Hochreiter & Schmidhuber 1997; forget gates, Gers et al. 2000) in NumPy.

A controller takes one small step at a time, where a framework spends its time on overhead. Products are
`einsum`'s own loops, so that no sum depends on how many threads a BLAS library has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Layer = tuple[Floats, Floats, Floats]
"""From below [in, 4 * hidden], from before [hidden, 4 * hidden], bias [4 * hidden], in the order of
torch.nn.LSTM: input, forget, cell, output."""

Memory = tuple[tuple[Floats, Floats], ...]
"""Hidden and cell state [n, hidden] of every layer."""


@dataclass(frozen=True)
class Tape:
    """What one layer's gradient needs: inputs [n, steps, in], gates [n, steps, 4 * hidden], cell states
    before and after each step and hidden states before [n, steps, hidden]."""

    x: Floats
    gates: Floats
    cells: Floats
    before: Floats
    hidden: Floats


def product(equation: str, *arrays: Floats) -> Floats:
    """`einsum`, one after the other on one thread."""
    found: Floats = np.einsum(equation, *arrays, optimize=False)
    return found


def blank(layers: int, n: int, hidden: int) -> Memory:
    return ((np.zeros((n, hidden)), np.zeros((n, hidden))),) * layers


def advance(layers: Sequence[Layer], x: Floats, memory: Memory) -> tuple[Floats, Memory]:
    """What the last layer says [n, hidden] on reading `x` [n, in], and the memory after it."""
    after = []
    for (below, past, bias), (h, c) in zip(layers, memory):
        gates = _gates(product("ni,ig->ng", x, below) + product("nh,hg->ng", h, past) + bias)
        x, c = _cell(gates, c)
        after.append((x, c))
    return x, tuple(after)


def forward(layers: Sequence[Layer], x: Floats) -> tuple[Floats, list[Tape]]:
    """What the last layer says [n, steps, hidden] on reading `x` [n, steps, in] from the start."""
    tapes = []
    for below, past, bias in layers:
        tapes.append(_layer(x, product("nti,ig->ntg", x, below) + bias, past))
        x = _read_out(tapes[-1])
    return x, tapes


def backward(layers: Sequence[Layer], tapes: Sequence[Tape], slope: Floats) -> tuple[Floats, list[Layer]]:
    """The gradient by the input [n, steps, in] and by each layer, from that by the output."""
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
    """The gradient by what enters the gates [n, steps, 4 * hidden]."""
    i, f, g, o = _four(tape.gates)
    squashed = np.tanh(tape.cells)
    # How each gate's input moves the cell (the output gate: the hidden state), and the cell the latter.
    local = np.concatenate([g * i * (1 - i), tape.before * f * (1 - f), i * (1 - g**2)], axis=2)
    by_output, by_cell = squashed * o * (1 - o), o * (1 - squashed**2)
    found = np.empty_like(tape.gates)
    n, steps, width = slope.shape
    late_h = late_c = np.zeros((n, width))
    for t in reversed(range(steps)):
        h = slope[:, t] + late_h
        c = late_c + h * by_cell[:, t]
        found[:, t, : 3 * width] = np.tile(c, 3) * local[:, t]
        found[:, t, 3 * width :] = h * by_output[:, t]
        late_h, late_c = product("ng,hg->nh", found[:, t], past), c * f[:, t]
    return found


def _read_out(tape: Tape) -> Floats:
    said: Floats = _four(tape.gates)[3] * np.tanh(tape.cells)
    return said


def _gates(inputs: Floats) -> Floats:
    """Sigmoids of the input, forget and output gates, the hyperbolic tangent of the cell's."""
    i, f, g, o = _four(inputs)
    return np.concatenate([_sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)], axis=-1)


def _cell(gates: Floats, c: Floats) -> tuple[Floats, Floats]:
    i, f, g, o = _four(gates)
    c = f * c + i * g
    return o * np.tanh(c), c


def _sigmoid(x: Floats) -> Floats:
    half: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)
    return half


def _four(x: Floats) -> Any:
    width = x.shape[-1] // 4
    return tuple(x[..., k * width : (k + 1) * width] for k in range(4))
