"""Eleven parametric families, weighted and sampled together: Domhan, Springenberg & Hutter, "Speeding up
Automatic Hyperparameter Optimization of Deep Neural Networks by Extrapolation of Learning Curves" (IJCAI
2015), with the numbers of its program.

The parameters of all families, the weights of the families and the noise are one vector. The sampler begins
around the least-squares fit of each family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast
from cambrian.curves.ensemble_sampler import sample_ensemble
from cambrian.curves.families import FAMILIES, Family
from cambrian.errors import UsageError
from cambrian.randomness import stream
from cambrian.settings import COUNT, check_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

RECENCY = 10.0
"""The weight that the point after the last one of a curve would have, where the first has 1."""
BALL = 1e-6
"""The spread of the walkers around the fit at their start."""
RISEN, ENOUGH = 0.05, 5
"""A curve begins to rise before so many values in a row are so much above its first one."""
WEIGHT = 10.0
"""Of every family at the start, as in the program; they count by their shares."""


@dataclass(frozen=True)
class Domhan:
    """Samples with the affine-invariant ensemble sampler: max(100, 2 d) walkers take `steps` steps, of which
    the first `burn` are dropped and every `thin`th is kept. Where no family fits, the forecast is the last
    value with the spread of the curve. It reads values from 0 to 1, and no other curves."""

    steps: Annotated[int, COUNT] = 2500
    burn: Annotated[int, COUNT] = 500
    thin: Annotated[int, COUNT] = 10
    bounded: ClassVar[bool] = True
    others: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_settings(self, "curve model 'domhan'")
        if self.steps < self.burn + self.thin:
            raise UsageError(
                f"curve model 'domhan': steps are at least burn and thin together, {self.burn + self.thin},"
                f" got {self.steps}"
            )

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Sampling:
        return Sampling(self, seed)


@dataclass(frozen=True)
class Sampling:
    settings: Domhan
    seed: int

    def predict(self, curve: Curve, last: float) -> Forecast:
        points = cut_start(curve)
        fits = [fit for fit in (fit_family(family, points, last) for family in FAMILIES) if fit is not None]
        if not fits:
            return Forecast.normal(float(curve.values[-1]), max(float(curve.values.std()), 0.01))
        rng = stream(self.seed, "domhan", len(curve))
        return self._sample(Mixed(points, last, tuple(fits)), rng)

    def _sample(self, mixed: Mixed, rng: np.random.Generator) -> Forecast:
        s, start = self.settings, mixed.start
        count = max(100, 2 * len(start))
        walkers = start + BALL * rng.normal(size=(count, len(start)))
        chain = sample_ensemble(mixed.compute_density, walkers, s.steps, rng, s.thin)
        kept = chain[s.burn // s.thin :].reshape(-1, len(start))
        kept = kept[np.isfinite(mixed.compute_density(kept))]
        if not len(kept):  # walkers that began outside of the domain, and stayed
            return Forecast.normal(float(np.mean([fit.end for fit in mixed.fits])), mixed.noise)
        means = mixed.compute(np.array([mixed.last]), kept)[:, 0]
        return Forecast(means, kept[:, -1])


@dataclass(frozen=True)
class Fit:
    """`noise` is the deviation of the curve from the fitted family, `end` its value at the last step."""

    family: Family
    parameters: Values
    noise: float
    end: float


@dataclass(frozen=True)
class Mixed:
    """The posterior of the families that fit. A vector is the parameters of each, then their weights, then
    the noise's deviation."""

    curve: Curve
    last: float
    fits: tuple[Fit, ...]

    @cached_property
    def start(self) -> Values:
        parameters = [fit.parameters for fit in self.fits]
        return np.concatenate([*parameters, np.full(len(self.fits), WEIGHT), [self.noise]])

    @cached_property
    def noise(self) -> float:
        return max(float(np.mean([fit.noise for fit in self.fits])), 1e-4)

    @cached_property
    def grid(self) -> Values:
        """The steps of the curve, the second one and the last, which the prior compares."""
        return np.concatenate([self.curve.steps, [2.0, self.last]])

    @cached_property
    def importance(self) -> Values:
        return weigh_points(len(self.curve))

    def compute(self, x: Values, vectors: Values) -> Values:
        """The weighted mean of the families at steps x: float[n, len(x)]."""
        weights = vectors[:, -1 - len(self.fits) : -1]
        place, total = 0, np.zeros((len(vectors), len(x)))
        with np.errstate(all="ignore"):  # the prior refuses vectors that give no number
            for number, fit in enumerate(self.fits):
                count = len(fit.parameters)
                total += weights[:, number, None] * fit.family(x, vectors[:, place : place + count])
                place += count
            return np.asarray(total / weights.sum(axis=1, keepdims=True))

    def compute_density(self, vectors: Values) -> Values:
        """The logarithm of the posterior: a normal likelihood in which later points count more, and a prior
        that is constant where the curve is valid."""
        weights, noise = vectors[:, -1 - len(self.fits) : -1], vectors[:, -1]
        values = self.compute(self.grid, vectors)
        second, end = values[:, -2], values[:, -1]
        # The program allows ends up to 100, of percent; here values are shares.
        valid = (weights >= 0).all(axis=1) & (noise > 0) & (noise <= 1) & (end >= 0) & (end <= 1)
        valid &= (second <= end) & np.isfinite(values).all(axis=1)
        with np.errstate(all="ignore"):
            errors = (values[:, :-2] - self.curve.values) / noise[:, None]
            logs = -0.5 * (self.importance * errors**2).sum(axis=1) - self.importance.sum() * np.log(noise)
        return np.where(valid, logs, -np.inf)


def weigh_points(count: int) -> Values:
    """10^(i / n) of point i of n, from 0 on: what a curve did lately counts more. They are factors of the
    likelihood, so that from 1 on all of them would make a forecast surer by 10^(1 / n)."""
    return np.asarray(RECENCY ** (np.arange(count) / count))


def cut_start(curve: Curve) -> Curve:
    """The curve from where it begins to rise: before the first five values in a row that are well above the
    first one; a single one may be noise. All of it where it never rises."""
    risen = curve.values > curve.values[0] + RISEN
    begins = (n for n in range(1, len(curve) - ENOUGH + 1) if risen[n : n + ENOUGH].all())
    begin = next(begins, 1) - 1
    return Curve(curve.steps[begin:], curve.values[begin:])


def fit_family(family: Family, curve: Curve, last: float) -> Fit | None:
    """The least-squares fit of a family; None where its curve is not valid."""
    from scipy.optimize import least_squares

    roots = np.sqrt(weigh_points(len(curve)))

    def measure(parameters: Values) -> Values:
        errors = roots * (family(curve.steps, parameters) - curve.values)
        return np.where(np.isfinite(errors), errors, 1e3)

    # Levenberg and Marquardt's method, as in the program, needs as many points as parameters.
    method = "lm" if len(curve) >= len(family.start) else "trf"
    starts = [start for start in (family.start, family.again) if start is not None]
    fits = [least_squares(measure, np.array(start), method=method, max_nfev=2000) for start in starts]
    found: Any = min(fits, key=lambda fit: float(fit.cost))
    second, end = family(np.array([2.0, last]), found.x)
    fitted = family(curve.steps, found.x)
    if not (np.isfinite(fitted).all() and 0 <= end <= 1 and second <= end):
        return None
    return Fit(family, found.x, float(np.std(fitted - curve.values)), float(end))
