"""The common base of the neural surrogates of PNAS (Liu et al. 2018, Sec. 4.2 and 5.2): L1 loss, Adam at
0.01 on the first level and 0.002 when fine-tuned on later ones, embeddings from U[-0.1, 0.1], a sigmoid,
and ensembles whose members each see four fifths of the data.

The paper initialises the sigmoid's bias for the mean accuracy of its own first level (`PAPER_BIAS`); this
module does so for the mean of the values at hand. With a distant initial value all updates push the network
in one direction: before it reaches the targets, its units are dead or its sigmoid is saturated, and every
prediction is the same.

All members are one computation with a leading dimension m. Everything runs on one thread, so that a
ranking does not depend on the number of threads, and draws from its own named stream.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cambrian.one_thread import one_thread
from cambrian.outliers import find_lowest
from cambrian.predictors.predictor import Values, chunks
from cambrian.predictors.token_learner import TokenLearner, start_learner
from cambrian.predictors.token_model import Tokens, check_tokens
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.settings import COUNT, POSITIVE, Span, check_settings
from cambrian.spaces.knowledge import Encodes

PAPER_BIAS = 1.8
"""sigmoid(1.8) = 0.86, the mean accuracy of the paper's one-block cells."""

EDGE = 0.001
"""The distance from 0 or 1 below which a sigmoid of single precision hardly moves."""

STUCK = 0.01
"""A member is stuck if the spread of its predictions is less than this share of the spread of the values."""

if TYPE_CHECKING:
    from cambrian.spaces.space import Space

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Scale:
    """The affine map from values to the range of a sigmoid. Accuracies, in [0, 1] and not all at one end of
    it, stay as they are; any other range is mapped onto [0.1, 0.9]. Values far out (a loss that exploded)
    are clipped to 0, and do not count for the range."""

    zero: float = 0.0
    one: float = 1.0

    @staticmethod
    def of(values: Values) -> Scale:
        if values.min() >= 0 and values.max() <= 1 and EDGE <= values.mean() <= 1 - EDGE:
            return Scale()
        low, high = _range(values)
        # An eighth on either side leaves the sigmoid a tenth; equal values have no range to take it of.
        margin = (high - low) / 8 or max(abs(low), 1.0)
        return Scale(low - margin, high + margin)

    def covers(self, values: Values) -> bool:
        low, high = _range(values)
        return self.zero <= low and high <= self.one

    def shrink(self, values: Values) -> Values:
        return np.clip((values - self.zero) / (self.one - self.zero), 0.0, 1.0)

    def stretch(self, unit: Values) -> Values:
        return self.zero + unit * (self.one - self.zero)


def _range(values: Values) -> tuple[float, float]:
    """The lowest of the values that are not far out, and the highest."""
    return find_lowest(values), float(values.max())


@dataclass(frozen=True, eq=False)
class Fitted:
    """`parameters[name]` is float32[m, ...]; `fits` counts the levels fitted so far."""

    slots: tuple[str, ...]
    vocabulary: Mapping[str, int]
    seed: int
    parameters: Mapping[str, NDArray[np.float32]]
    fits: int = 0
    scale: Scale = Scale()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fitted) and self._plain() == other._plain()

    def __hash__(self) -> int:
        return hash((self.slots, self.seed, self.fits, self.scale))

    def _plain(self) -> tuple[Any, ...]:
        arrays = {name: (a.shape, a.tobytes()) for name, a in self.parameters.items()}
        return self.slots, dict(self.vocabulary), self.seed, self.fits, self.scale, arrays

    def tensors(self) -> Parameters:
        return {name: torch.tensor(a) for name, a in self.parameters.items()}

    def flat(self, tokens: Tokens) -> Tokens:
        """Tokens numbered consecutively over all kinds, so that one table embeds them; -1 stays -1."""
        check_tokens(self.slots, self.vocabulary, tokens)
        first = dict(zip(self.vocabulary, np.cumsum([0, *self.vocabulary.values()]).tolist()))
        return np.where(tokens < 0, -1, tokens + np.array([first[kind] for kind in self.slots]))


@dataclass(frozen=True)
class Neural(ABC):
    """`members` networks whose mean is the prediction. A fit takes `updates` steps of Adam on batches of
    `batch` examples, so that the hundred examples of the first level are seen often enough and the thousand
    of the last take no longer. It stops after `epochs`: seen more often, a handful of examples would leave
    members with dead units, which later levels cannot revive.

    `bias` is the initial bias of the sigmoid (None: it starts at the mean of the first fitted values)."""

    members: Annotated[int, COUNT] = 1
    updates: Annotated[int, COUNT] = 1000
    epochs: Annotated[int, COUNT] = 200
    batch: Annotated[int, COUNT] = 16
    lr: Annotated[float, POSITIVE] = 0.01
    lr_later: Annotated[float, POSITIVE] = 0.002
    embedding: Annotated[int, COUNT] = 100
    hidden: Annotated[int, COUNT] = 100
    bias: Annotated[float | None, Span()] = None
    needs: ClassVar[tuple[type, ...]] = (Encodes,)

    @property
    def deviates(self) -> bool:
        """Whether it has deviations: the disagreement of several members."""
        return self.members > 1

    def start(self, space: Space, seed: int, *purpose: int | str) -> TokenLearner:
        return start_learner(self, space, seed, purpose)

    def __post_init__(self) -> None:
        check_settings(self, f"predictor {name_of(self)!r}")

    @abstractmethod
    def shapes(self, slots: int, tokens: int) -> dict[str, tuple[int, ...]]:
        """The names and shapes of one member's parameters. Two names are common to all networks: "embedding"
        [tokens, embedding] and "bias" [1, 1], that of the sigmoid. "b*" are other biases."""

    @abstractmethod
    def encode(self, flat: Tokens, tokens: int) -> Tensor:
        """The network's input [n, ...] from int[n, steps, slots], -1 where there is no token."""

    @abstractmethod
    def forward(self, p: Parameters, inputs: Tensor) -> Tensor:
        """[m, n] in (0, 1), from the inputs [m, n, ...] of each member."""

    def start_tokens(self, slots: Sequence[str], vocabulary: Mapping[str, int], seed: int) -> Fitted:
        rng = stream(seed, "surrogate", "start")
        shapes = self.shapes(len(slots), sum(vocabulary.values()))
        drawn = {name: _initial(name, (self.members, *shape), rng) for name, shape in shapes.items()}
        drawn["bias"] += self.bias or 0.0
        return Fitted(tuple(slots), dict(vocabulary), seed, drawn)

    def fit_tokens(self, state: Fitted, tokens: Tokens, values: Values) -> Fitted:
        """The state after a fit. If the first values are all equal, only their mean is learned, and the next
        fit counts as the first: without differences to learn, units would die. A fit also starts over if some
        member predicts almost the same for everything, as after a level of almost equal values."""
        if state.fits and self._is_stuck(state, tokens, values):
            state = self.start_tokens(state.slots, state.vocabulary, state.seed)
        # A new scale only where the old one does not reach: fine-tuning needs targets in the same unit.
        scale = state.scale if state.fits and state.scale.covers(values) else Scale.of(values)
        targets = torch.tensor(scale.shrink(values), dtype=torch.float32)
        equal = bool((values == values[0]).all())
        inputs, p = self._inputs(state, tokens), state.tensors()
        if state.fits == 0:
            bias = None if equal or scale != Scale() else self.bias
            p["bias"].fill_(_logit(float(targets.mean())) if bias is None else bias)
            if equal:
                return replace(state, parameters=_arrays(p), scale=scale)
        rng = stream(state.seed, "surrogate", "fit", state.fits)
        with one_thread():
            self._train(p, inputs, targets, self.lr_later if state.fits else self.lr, rng)
        return replace(state, parameters=_arrays(p), fits=state.fits + 1, scale=scale)

    def _is_stuck(self, state: Fitted, tokens: Tokens, values: Values) -> bool:
        """Whether the predictions of some member hardly differ although the values do."""
        spread = self.members_predict(state, tokens).std(axis=1).min()
        return bool(spread < STUCK * state.scale.shrink(values).std())

    def predict_tokens(self, state: Fitted, tokens: Tokens) -> Values:
        return state.scale.stretch(self.members_predict(state, tokens).mean(axis=0))

    def deviate_tokens(self, state: Fitted, tokens: Tokens) -> Values:
        """The standard deviations float[n] of the members' predictions."""
        unit: Values = self.members_predict(state, tokens).std(axis=0)
        return unit * (state.scale.one - state.scale.zero)

    @torch.no_grad()
    def members_predict(self, state: Fitted, tokens: Tokens) -> Values:
        """The predictions float[m, n] in (0, 1) of each member, before the mean and the scale."""
        p = state.tensors()
        predictions = np.zeros((self.members, len(tokens)))
        with one_thread():
            for part in chunks(len(tokens), 2048):
                inputs = self._inputs(state, tokens[part])
                predictions[:, part] = self.forward(p, inputs.expand(self.members, *inputs.shape)).numpy()
        return predictions

    def _inputs(self, state: Fitted, tokens: Tokens) -> Tensor:
        return self.encode(state.flat(tokens), sum(state.vocabulary.values()))

    def _train(
        self, p: Parameters, inputs: Tensor, targets: Tensor, lr: float, rng: np.random.Generator
    ) -> None:
        for tensor in p.values():
            tensor.requires_grad_()
        adam = torch.optim.Adam(p.values(), lr=lr, fused=True)
        seen = folds(len(targets), self.members, rng)
        # Whichever ends first: the epochs, for few examples, or the updates, for many.
        for rows in itertools.islice(batches(seen, self.batch, self.epochs, rng), self.updates):
            error = (self.forward(p, inputs[rows]) - targets[rows]).abs()
            adam.zero_grad()
            error.mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]  # members do not mix
            adam.step()


def batches(seen: NDArray[np.int64], size: int, epochs: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Batches int[members, size] of each member's examples, in an order of its own that changes every epoch;
    the last batch of an epoch has the rest."""
    for _ in range(epochs):
        order = torch.from_numpy(rng.permuted(seen, axis=1))
        for part in chunks(order.shape[1], size):
            yield order[:, part]


def folds(n: int, members: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int[members, seen]: the indices of the n examples that each member sees: all but its own fold of a
    partition into `members` folds, which for five members is four fifths. A single member sees all
    examples, and so do members that outnumber them. The sizes of folds differ by at most one; a member with
    a smaller fold leaves out one more example, drawn at random."""
    if members == 1 or n < members:
        return np.tile(np.arange(n), (members, 1))
    parts = np.array_split(rng.permutation(n), members)
    # array_split's first part is its largest: all members see as many as the one that sees the fewest,
    # since they are rows of one tensor.
    seen = n - len(parts[0])
    return np.stack([rng.permutation(np.setdiff1d(np.arange(n), part))[:seen] for part in parts])


def _initial(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    if name.startswith("b"):
        return np.zeros(shape, dtype=np.float32)
    # The paper gives the embeddings' range alone; the layers' is the usual one over the fan-in.
    bound = 0.1 if name == "embedding" else 1 / math.sqrt(shape[-2])
    return rng.uniform(-bound, bound, size=shape).astype(np.float32)


def _arrays(p: Parameters) -> dict[str, NDArray[np.float32]]:
    return {name: t.detach().numpy() for name, t in p.items()}


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
