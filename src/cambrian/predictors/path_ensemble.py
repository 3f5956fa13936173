"""The predictor of BANANAS: an ensemble of networks that read path encodings (White, Neiswanger & Savani,
"BANANAS", AAAI 2021, Sec. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.outliers import lift_outliers
from cambrian.predictors.deep_ensemble import Ensemble, Network, train
from cambrian.predictors.features import Vector, graph_of, memoise
from cambrian.predictors.paths import path_counts
from cambrian.predictors.predictor import Prediction, read_lessons
from cambrian.predictors.unit import Unit
from cambrian.randomness import stream

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class PathEnsemble:
    """`members` networks of `layers` times `width` units, trained for `epochs` epochs. A feature says whether
    a path is present; for a space without graphs, a path of the tree of answers. `standardise` as in
    `KernelPredictor`."""

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    standardise: bool = True
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("members", "layers", "width", "epochs"):
            if not getattr(self, name) >= 1:
                raise UsageError(
                    f"predictor 'deep-ensemble': {name} is at least 1, got {getattr(self, name)}"
                )

    def start(self, space: Space, seed: int, *purpose: int | str) -> PathLearner:
        return PathLearner(self, space, seed, purpose)


@dataclass(frozen=True)
class PathLearner:
    """The ensemble on a space. The seed draws the initial weights and the order of the examples."""

    predictor: PathEnsemble
    space: Any
    seed: int
    purpose: tuple[int | str, ...] = ()

    def fit(self, trials: Sequence[Trial], former: Any = None) -> FittedEnsemble:
        """An ensemble trained from new weights, as in the paper, independent of the former one."""
        architectures, values = read_lessons(trials)
        unit = Unit()
        if self.predictor.standardise:
            values = lift_outliers(values)
            unit = Unit.of(values)
        vectors = [_bits(self.space, a) for a in architectures]
        rng = stream(self.seed, *self.purpose)
        return FittedEnsemble(self.space, unit, train(vectors, unit.shrink(values), self._network, rng))

    @property
    def _network(self) -> Network:
        settings = self.predictor
        return Network(settings.members, settings.layers, settings.width, settings.epochs)


@dataclass(frozen=True)
class FittedEnsemble:
    """A trained ensemble: the mean of its members is the prediction, in `unit`, and their spread the
    deviation."""

    space: Any
    unit: Unit
    ensemble: Ensemble

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        each = self.ensemble.predict([_bits(self.space, a) for a in architectures])
        return Prediction(self.unit.stretch(each.mean(axis=0)), self.unit.one * each.std(axis=0))


@memoise
def _bits(space: Any, architecture: Architecture) -> Vector:
    return dict.fromkeys(path_counts(graph_of(space, architecture)), 1.0)
