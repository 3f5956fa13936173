"""The MLP surrogate of PNAS (Liu et al. 2018, Sec. 4.2): embed a block's tokens, concatenate them, take
the mean over blocks, two fully connected layers of 100 units, a sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cambrian.predictors.neural import Fitted, Neural, Parameters, one_thread
from cambrian.predictors.surrogate import Tokens, Values, chunks, lengths, prefixes


@dataclass(frozen=True)
class MLP(Neural):
    """Its inputs are bags: the mean over blocks of a slot's embeddings is the embedding of the share of
    blocks that hold each token, so blocks are averaged before anything is embedded."""

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
        """float[n, slots, tokens]: the share of blocks with that token in that slot."""
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
    def score(self, state: Fitted, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        """The mean over blocks and the first layer commute: (parent's sum + new block) / b @ w1 is taken
        once per parent and once per distinct new block, and children only add the two."""
        *_, (block, _) = tree = prefixes(np.zeros(len(step), dtype=np.int64), step)
        blocks = np.zeros((len(tree[-2][0]), 1, step.shape[1]), dtype=np.int64)
        blocks[block, 0] = step
        before = np.append(lengths(parents), 0)
        after = torch.from_numpy((before[parent] + (step >= 0).any(axis=1)).clip(1).astype(np.float32))
        total = np.zeros(len(step))
        with one_thread():
            inherited = self._first(state, parents) * torch.from_numpy(before[:-1, None].astype(np.float32))
            inherited = torch.cat([inherited, inherited.new_zeros(self.members, 1, self.hidden)], dim=1)
            added = self._first(state, blocks)
            for k in range(self.members):
                total += _rest(state.tensors(), k, inherited[k], added[k], after, parent, block)
        return state.scale.stretch(total / self.members)

    def _first(self, state: Fitted, tokens: Tokens) -> Tensor:
        """[m, n, hidden]: the first layer before its bias, of the mean over blocks."""
        p = state.tensors()
        x = self._inputs(state, tokens)  # [n, slots, tokens]
        w1 = p["w1"].reshape(self.members, x.shape[1], self.embedding, self.hidden)
        table = torch.einsum("mte,mseh->msth", p["embedding"], w1)
        return torch.einsum("nst,msth->mnh", x, table)


def _rest(
    p: Parameters, k: int, inherited: Tensor, added: Tensor, after: Tensor, parent: Any, block: Any
) -> Values:
    """float[n]: member k from the sum of two first layers on."""
    found = np.empty(len(parent))
    parent, block = (
        torch.from_numpy(np.where(parent < 0, len(inherited) - 1, parent)),
        torch.from_numpy(block),
    )
    for part in chunks(len(found), 4096):
        x = inherited[parent[part]].add_(added[block[part]]).div_(after[part, None]).add_(p["b1"][k]).relu_()
        x = torch.addmm(p["b2"][k], x, p["w2"][k]).relu_()
        found[part] = torch.addmm(p["bias"][k], x, p["w3"][k]).sigmoid_().squeeze(1).numpy()
    return found


ENSEMBLE = MLP(members=5)
"""The surrogate the paper searches with: the best of its four at one block more (Table 1)."""
