"""A Bayesian neural network over architectures and time: Klein, Falkner, Springenberg & Hutter, "Learning
Curve Prediction with Bayesian Neural Networks" (ICLR 2017), with the layers of its released code.

The network reads an architecture and gives an asymptote and the weighted sum of three basis curves. Its
weights are sampled by the adaptive SGHMC of Springenberg et al. (2016), from all points of all curves; a new
curve goes on from the last sample, with its own points among the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast
from cambrian.one_thread import one_thread
from cambrian.randomness import integer_seed
from cambrian.settings import COUNT, POSITIVE, check_settings

if TYPE_CHECKING:
    from cambrian.curves.lc_net_sampling import Chain


@dataclass(frozen=True)
class LCNet:
    """The chain takes `burn` and then `steps` steps over other curves, and `refine` more with the points of
    each new one; every `keep`th sample counts. `rate` is its learning rate and `batch` the points of a step.
    It reads values from 0 to 1."""

    burn: Annotated[int, COUNT] = 3000
    steps: Annotated[int, COUNT] = 10_000
    refine: Annotated[int, COUNT] = 1000
    keep: Annotated[int, COUNT] = 100
    rate: Annotated[float, POSITIVE] = 1e-2
    batch: Annotated[int, COUNT] = 20
    bounded: ClassVar[bool] = True
    others: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_settings(self, "curve model 'lc-net'")

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Conditioned:
        return Conditioned(self, [curve for curve in others if len(curve)], last, seed)


class Conditioned:
    """The chain over other curves, which is run when the first curve is to be predicted: only then the number
    of features is known where there are none."""

    def __init__(self, settings: LCNet, others: Sequence[Curve], last: float, seed: int) -> None:
        self.settings, self.others, self.last = settings, others, last
        self.seed = integer_seed(seed, "lc-net") % 2**63
        self._chain: Chain | None = None

    def predict(self, curve: Curve, last: float) -> Forecast:
        with one_thread():
            return self._predict(curve)

    def _predict(self, curve: Curve) -> Forecast:
        import torch

        chain = self._start(curve).fork((self.seed + len(curve)) % 2**63)
        own = make_rows([curve], self.last)
        samples = chain.run(self.settings.refine, own, self.settings.keep) or [chain.vector]
        end = torch.from_numpy(np.append(curve.description, 1.0)).float()[None]
        with torch.no_grad():
            means = [float(chain.surface.read(sample, end)[0]) for sample in samples]
        deviations = [float((sample[-1] / 2).exp()) for sample in samples]
        return Forecast(np.array(means), np.array(deviations))

    def _start(self, curve: Curve) -> Chain:
        from cambrian.curves.lc_net_sampling import Chain

        if self._chain is None:
            s = self.settings
            rows = make_rows(self.others or [curve], self.last)
            self._chain = Chain(rows, s.rate, s.batch, s.burn, self.seed)
            self._chain.run(s.burn + s.steps)
        return self._chain


def make_rows(curves: Sequence[Curve], last: float) -> tuple[Any, Any]:
    """The points of all curves: float[n, m + 1], an architecture and the share of the training; and their
    values float[n]."""
    rows = [
        np.concatenate([np.tile(curve.description, (len(curve), 1)), curve.steps[:, None] / last], axis=1)
        for curve in curves
    ]
    return np.concatenate(rows), np.concatenate([curve.values for curve in curves])
