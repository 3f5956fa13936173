"""The MLP surrogate of PNAS (Liu et al. 2018, Sec. 4.2): embed a block's tokens, concatenate them, take
the mean over blocks, two fully connected layers of 100 units, a sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cambrian.one_thread import one_thread
from cambrian.predictors.neural import PAPER_BIAS, Fitted, Neural, Parameters
from cambrian.predictors.predictor import Values, chunks
from cambrian.predictors.token_model import Tokens, lengths, prefixes


@dataclass(frozen=True)
class MLP(Neural):
    """The inputs are bags of tokens: since embedding is linear, the mean of a slot's embeddings over blocks
    is the embedding of the mean, so that blocks are averaged before they are embedded."""

    def shapes(self, slots: int, tokens: int) -> dict[str, tuple[int, ...]]:
        return {
            "embedding": (tokens, self.embedding),
            "w1": (slots * self.embedding, self.hidden),
            "b1": (1, self.hidden),
            "w2": (self.hidden, self.hidden),
            "b2": (1, self.hidden),
            "w3": (self.hidden, 1),
            "bias": (1, 1),
        }

    def encode(self, flat: Tokens, tokens: int) -> Tensor:
        """float[n, slots, tokens]: the share of an architecture's blocks with this token in this slot."""
        n, _, slots = flat.shape
        bags = np.zeros((n, slots, tokens), dtype=np.float32)
        row, _, slot = np.nonzero(flat >= 0)
        np.add.at(bags, (row, slot, flat[flat >= 0]), 1.0)
        return torch.from_numpy(bags / np.maximum(lengths(flat), 1)[:, None, None].astype(np.float32))

    def forward(self, p: Parameters, inputs: Tensor) -> Tensor:
        m, n, slots, tokens = inputs.shape
        x = torch.bmm(inputs.reshape(m, n * slots, tokens), p["embedding"])  # [m, n * slots, embedding]
        x = torch.baddbmm(p["b1"], x.reshape(m, n, -1), p["w1"]).relu()  # [m, n, hidden]
        x = torch.baddbmm(p["b2"], x, p["w2"]).relu()
        return torch.baddbmm(p["bias"], x, p["w3"]).sigmoid().squeeze(2)

    @torch.no_grad()
    def score_children(self, state: Fitted, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        """The mean over blocks and the first layer commute: the product with w1 in
        (parent's sum + new block) / b @ w1 is computed once per parent and once per distinct new block, and
        children only add the two."""
        orphan = np.full((1, *parents.shape[1:]), -1, dtype=np.int64)
        parents = np.concatenate([parents, orphan])  # -1 finds the last
        group = prefixes(np.zeros(len(step), dtype=np.int64), step)[-1][0]
        blocks = np.empty((group.max(initial=-1) + 1, step.shape[1]), dtype=np.int64)
        blocks[group] = step
        rows = np.stack([parent % len(parents), len(parents) + group], axis=1)
        after = (lengths(parents)[parent] + (step >= 0).any(axis=1)).clip(1)
        total = np.zeros(len(step))
        p = state.tensors()
        with one_thread():
            sums = torch.cat([self._sums(state, parents), self._sums(state, blocks[:, None])], dim=1)
            for b in np.unique(after):  # a single turn if all parents are of one level
                these = np.flatnonzero(after == b)
                for k in range(self.members):
                    table = sums[k] / float(b) + p["b1"][k] / 2  # half from the parent, half from the block
                    total[these] += _rest(p, k, table, torch.from_numpy(rows[these]))
        return state.scale.stretch(total / self.members)

    def _sums(self, state: Fitted, tokens: Tokens) -> Tensor:
        """[m, n, hidden]: the first layer, before its bias, of the sum over blocks."""
        p = state.tensors()
        bags = self._inputs(state, tokens) * torch.from_numpy(lengths(tokens)).float()[:, None, None]
        w1 = p["w1"].reshape(self.members, bags.shape[1], self.embedding, self.hidden)
        return torch.einsum("nst,mte,mseh->mnh", bags, p["embedding"], w1)


def _rest(p: Parameters, k: int, table: Tensor, rows: Tensor) -> Values:
    """The predictions float[n] of member k from its second layer on; the first is the sum of the two rows
    `rows` int[n, 2] of `table`."""
    values = np.empty(len(rows))
    for part in chunks(len(rows), 2048):
        # embedding_bag adds the two rows without writing either of them out.
        x = torch.nn.functional.embedding_bag(rows[part], table, mode="sum").relu_()
        x = torch.addmm(p["b2"][k], x, p["w2"][k]).relu_()
        values[part] = torch.addmm(p["bias"][k], x, p["w3"][k]).sigmoid_().squeeze(1).numpy()
    return values


ENSEMBLE = MLP(members=5)
"""The surrogate of the paper's search: the best of its four at predicting one more block (Table 1)."""

PAPER = MLP(members=5, bias=PAPER_BIAS)
"""The paper's initial bias, for first levels with accuracies like the paper's."""
