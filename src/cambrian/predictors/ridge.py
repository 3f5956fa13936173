"""Ridge regression on the counts of tokens: no torch, no randomness, microseconds.

It is the linear baseline that a neural surrogate has to beat, in closed form (Hoerl & Kennard 1970).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.predictors.predictor import Values
from cambrian.predictors.token_learner import TokenLearner, start_learner
from cambrian.predictors.token_model import Tokens, check_tokens
from cambrian.registry import name_of
from cambrian.settings import POSITIVE, check_settings
from cambrian.spaces.knowledge import Encodes

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Fitted:
    """`weights[offset[j] + t]` is the weight of token t in slot j; slots of one kind share weights."""

    slots: tuple[str, ...]
    vocabulary: Mapping[str, int]
    offset: tuple[int, ...]
    weights: tuple[float, ...]
    intercept: float = 0.0


@dataclass(frozen=True)
class Ridge:
    """Minimises |values - intercept - counts @ weights|^2 + `alpha` |weights|^2. Every fit starts over, and
    needs all trials so far."""

    alpha: Annotated[float, POSITIVE] = 1.0
    needs: ClassVar[tuple[type, ...]] = (Encodes,)
    deviates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings(self, f"predictor {name_of(self)!r}")

    def start(self, space: Space, seed: int, *purpose: int | str) -> TokenLearner:
        return start_learner(self, space, seed, purpose)

    def start_tokens(self, slots: Sequence[str], vocabulary: Mapping[str, int], seed: int) -> Fitted:
        kinds = list(vocabulary)
        first = dict(zip(kinds, np.cumsum([0, *vocabulary.values()]).tolist()))
        offset = tuple(first[kind] for kind in slots)
        return Fitted(tuple(slots), dict(vocabulary), offset, (0.0,) * sum(vocabulary.values()))

    def fit_tokens(self, state: Fitted, tokens: Tokens, values: Values) -> Fitted:
        check_tokens(state.slots, state.vocabulary, tokens)
        x = _counts(state, tokens)
        # Centred, so that the penalty falls on the weights alone and not on the intercept.
        centre, mean = x.mean(axis=0), values.mean()
        x = x - centre
        weights = np.linalg.solve(x.T @ x + self.alpha * np.eye(x.shape[1]), x.T @ (values - mean))
        return replace(state, weights=tuple(weights.tolist()), intercept=float(mean - centre @ weights))

    def predict_tokens(self, state: Fitted, tokens: Tokens) -> Values:
        total: Values = state.intercept + _worth(state, tokens).sum(axis=1)
        return total

    def score_children(self, state: Fitted, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        inherited = np.append(_worth(state, parents).sum(axis=1), 0.0)  # -1 finds the last: no parent
        total: Values = state.intercept + inherited[parent] + _worth(state, step)
        return total


def _counts(state: Fitted, tokens: Tokens) -> Values:
    """The counts float[n, tokens of all kinds]."""
    counts = np.zeros((len(tokens), len(state.weights)))
    row, _, slot = np.nonzero(tokens >= 0)
    np.add.at(counts, (row, tokens[tokens >= 0] + np.asarray(state.offset)[slot]), 1.0)
    return counts


def _worth(state: Fitted, tokens: Tokens) -> Values:
    """The sum float[...] over slots of the weights of the tokens int[..., slots]."""
    weights = np.append(state.weights, 0.0)  # -1 finds the last: an absent token is worth nothing
    total: Values = weights[np.where(tokens < 0, -1, tokens + np.asarray(state.offset))].sum(axis=-1)
    return total
