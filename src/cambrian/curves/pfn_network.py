"""The network of a prior-fitted curve model: a causal transformer over the points of a curve, which gives the
distribution of a later value after each token.

A token is a patch of four points, so that a curve of 100 points is 25 tokens. Where the points do not fill
whole patches, the first patch is the one that is not full: the last token always ends with the last point.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 4
"""Points of a token."""
WIDTH, DEPTH, HEADS = 64, 3, 4
PARTS = 5
"""Normal distributions in a forecast's mixture."""
LEAST = 1e-3
"""The least deviation: no value of the prior is known better."""


class Mixture(NamedTuple):
    """Each [..., PARTS]; `logits` are the logarithms of weights, up to a constant."""

    logits: Tensor
    means: Tensor
    deviations: Tensor

    def log_density(self, values: Tensor) -> Tensor:
        """Of values [...]."""
        z = (values[..., None] - self.means) / self.deviations
        logs = -0.5 * z**2 - self.deviations.log() - 0.5 * torch.log(torch.tensor(2 * torch.pi))
        return torch.logsumexp(self.logits.log_softmax(-1) + logs, -1)


class Block(nn.Module):
    """Attention to the tokens so far, then a feed-forward part; both behind a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.merge = nn.Linear(WIDTH, WIDTH)
        self.forwards = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:  # [batch, tokens, WIDTH]
        batch, count, _ = tokens.shape
        parts = self.project(self.before(tokens)).view(batch, count, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        tokens = tokens + self.merge(seen.transpose(1, 2).reshape(batch, count, WIDTH))
        changed: Tensor = tokens + self.forwards(self.between(tokens))
        return changed


class CurveNetwork(nn.Module):
    """Reads points and gives the mixture of the values at queries. Steps run from 0 to 1, the end of the
    training."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(4 * PATCH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.after = nn.LayerNorm(WIDTH)
        self.head = nn.Sequential(nn.Linear(WIDTH + 3, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, 3 * PARTS))

    def forward(self, steps: Tensor, values: Tensor, queries: Tensor) -> Mixture:
        """`steps` and `values` are [batch, points], `queries` [batch, tokens, Q] are steps after the end of
        each token. Returns the mixture [batch, tokens, Q, PARTS]."""
        steps, values, there = (patch(part) for part in (steps, values, torch.ones_like(values)))
        tokens = self.embed(torch.cat([steps, log_step(steps) * there, values, there], -1))
        for block in self.blocks:
            tokens = block(tokens)
        last = steps[..., -1:].expand_as(queries)
        asked = torch.stack([queries, log_step(queries), log_step(queries) - log_step(last)], -1)
        known = self.after(tokens)[:, :, None].expand(-1, -1, queries.shape[-1], -1)
        logits, means, deviations = self.head(torch.cat([known, asked], -1)).chunk(3, -1)
        # Relative to the latest points: what is left to learn is the change from there.
        recent = (values.sum(-1) / there.sum(-1))[..., None, None]
        return Mixture(logits, recent + means, LEAST + functional.softplus(deviations - 3.0))


def patch(points: Tensor) -> Tensor:
    """[batch, points] as [batch, tokens, PATCH], with zeros before the first point where it is not full."""
    lacking = -points.shape[1] % PATCH
    return functional.pad(points, (lacking, 0)).view(len(points), -1, PATCH)


def log_step(steps: Tensor) -> Tensor:
    """0 for the whole training, -1 for a hundredth of it."""
    return steps.clamp(min=1e-3).log() / torch.log(torch.tensor(100.0))
