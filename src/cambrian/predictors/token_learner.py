"""The predictors of PNAS on a space: architectures become tokens, and a fit starts from the weights of the
former one (Liu et al. 2018, Algorithm 1: "finetune the surrogate")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.predictors.predictor import Prediction, Values, read_lessons
from cambrian.randomness import integer_seed
from cambrian.spaces.knowledge import Encodes, know

if TYPE_CHECKING:
    from cambrian.spaces.knowledge import Pool


@dataclass(frozen=True)
class TokenFitted:
    """`state` is the state of `model` after its fits, for the space's tokens (see `TokenModel`)."""

    model: Any
    encodes: Encodes
    state: Any

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        tokens = self.encodes.tokens(architectures)
        mean = self.model.predict_tokens(self.state, tokens)
        return Prediction(
            mean, self.model.deviate_tokens(self.state, tokens) if self.model.deviates else None
        )

    def score(self, pool: Pool) -> Values:
        parents = self.encodes.tokens(pool.parents)
        scores: Values = self.model.score_children(self.state, parents, pool.parent, pool.step)
        return scores


@dataclass(frozen=True)
class TokenLearner:
    """A `TokenModel` on a space. The first fit draws weights by `seed`, a later one starts from them."""

    model: Any
    encodes: Encodes
    seed: int

    def fit(self, trials: Sequence[Trial], former: TokenFitted | None = None) -> TokenFitted:
        architectures, values = read_lessons(trials)
        fitted = former or self._start()  # a former state holds its own seed and counts its fits
        state = self.model.fit_tokens(fitted.state, self.encodes.tokens(architectures), values)
        return replace(fitted, state=state)

    def _start(self) -> TokenFitted:
        state = self.model.start_tokens(self.encodes.slots, self.encodes.vocabulary, self.seed)
        return TokenFitted(self.model, self.encodes, state)


def start_learner(model: Any, space: Any, seed: int, purpose: tuple[int | str, ...]) -> TokenLearner:
    encodes = know(space, Encodes)
    assert encodes is not None  # a token reader needs it
    return TokenLearner(model, encodes, integer_seed(seed, *purpose) if purpose else seed)
