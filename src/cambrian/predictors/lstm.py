"""The RNN surrogate of PNAS (Liu et al. 2018, Sec. 4.2): an LSTM of 100 units reads the tokens of all
blocks one after the other; its last hidden state goes through one layer and a sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cambrian.one_thread import one_thread
from cambrian.predictors.neural import PAPER_BIAS, Fitted, Neural, Parameters
from cambrian.predictors.predictor import Values, chunks
from cambrian.predictors.token_model import Tokens, check_tokens, prefixes


@dataclass(frozen=True)
class LSTM(Neural):
    """`members` networks with `hidden` units each, on embeddings of size `embedding` (see `Neural`)."""

    def shapes(self, slots: int, tokens: int) -> dict[str, tuple[int, ...]]:
        return {
            "embedding": (tokens, self.embedding),
            "w_input": (self.embedding, 4 * self.hidden),
            "w_hidden": (self.hidden, 4 * self.hidden),
            "b_gates": (1, 4 * self.hidden),  # input, forget, cell, output
            "w_out": (self.hidden, 1),
            "bias": (1, 1),
        }

    def encode(self, flat: Tokens, tokens: int) -> Tensor:
        """int[n, steps * slots]: the sequence of tokens, -1 where there is none."""
        return torch.from_numpy(flat.reshape(len(flat), -1))

    def forward(self, p: Parameters, inputs: Tensor) -> Tensor:
        h, _ = self._read(p, inputs)
        return _value(p, h)

    def _read(self, p: Parameters, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden and the cell state [m, n, hidden] after the sequences [m, n, length]."""
        m, n, length = inputs.shape
        table = _table(p)
        member = torch.arange(m)[:, None]
        h = c = table.new_zeros(m, n, self.hidden)
        for t in range(length):
            token = inputs[:, :, t]
            h_next, c_next = _cell(table[member, token.clamp(min=0)] + h @ p["w_hidden"], c)
            h, c = _where(token >= 0, h_next, h), _where(token >= 0, c_next, c)
        return h, c

    @torch.no_grad()
    def score_children(self, state: Fitted, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        """Reads each parent once, then walks the tree of the distinct prefixes of the children's new blocks:
        a child costs the last gate of its last token, and no matrix product of its own."""
        check_tokens(state.slots, state.vocabulary, step)
        # One more parent without tokens, for the children that have none: they find it as the last.
        orphan = np.full((1, *parents.shape[1:]), -1, dtype=np.int64)
        read = self._inputs(state, np.concatenate([parents, orphan]))
        flat = state.flat(step[:, None, :])[:, 0]
        tree = prefixes(np.where(parent < 0, len(parents), parent), flat)
        total = np.zeros(len(step))
        with one_thread():
            for k in range(self.members):
                member = {name: t[k : k + 1] for name, t in state.tensors().items()}
                total += self._descend(member, read, tree)
        return state.scale.stretch(total / self.members)

    def _descend(self, p: Parameters, read: Tensor, tree: list[tuple[Tokens, Tokens]]) -> Values:
        """The predictions float[n] of one member, from the parents' states down the tree of prefixes."""
        h, c = (x[0] for x in self._read(p, read[None]))
        table = _table(p)[0]
        # One product per distinct prefix, in parts that fit into the processor's cache.
        for above, token in tree[:-1]:
            gates = h @ p["w_hidden"][0]
            new_h, new_c = h.new_empty(len(token), self.hidden), c.new_empty(len(token), self.hidden)
            for part in chunks(len(token), 1024):
                up, word = torch.from_numpy(above[part]), torch.from_numpy(token[part])
                new_h[part], new_c[part] = _extend(gates, h, c, table, up, word)
            h, c = new_h, new_c
        values: Values = _value(p, h[None])[0].double().numpy()[tree[-1][0]]
        return values


def _extend(
    gates: Tensor, h: Tensor, c: Tensor, table: Tensor, above: Tensor, token: Tensor
) -> tuple[Tensor, Tensor]:
    """The states [u, hidden] after one more token; `gates` is the contribution of `h` to the gates."""
    before = c.index_select(0, above)
    new = table.index_select(0, token.clamp(min=0))
    h_next, c_next = _cell(new.add_(gates.index_select(0, above)), before)
    return _where(token >= 0, h_next, h.index_select(0, above)), _where(token >= 0, c_next, before)


def _where(real: Tensor, after: Tensor, before: Tensor) -> Tensor:
    """The state after a token, or the state before if there is no token."""
    return after if bool(real.all()) else torch.where(real[..., None], after, before)


def _table(p: Parameters) -> Tensor:
    """[m, tokens, 4 * hidden]: the contribution of each token to the gates, with their biases."""
    return torch.baddbmm(p["b_gates"], p["embedding"], p["w_input"])


def _cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Hochreiter & Schmidhuber's cell with a forget gate (Gers et al. 2000)."""
    i, f, g, o = gates.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _value(p: Parameters, h: Tensor) -> Tensor:
    """The predictions [m, n] in (0, 1), from the hidden states."""
    return torch.baddbmm(p["bias"], h, p["w_out"]).sigmoid().squeeze(2)


ENSEMBLE = LSTM(members=5)

PAPER = LSTM(members=5, bias=PAPER_BIAS)
"""The paper's initial bias, for first levels with accuracies like the paper's."""
