"""A benchmark: a space, the objective of its searches, and the score that they are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Benchmark:
    """Strategies search `space` and see the values of `estimator` at `fidelity`: the objective, a fraction
    for accuracies. A referee reports `test(architecture)` of the chosen one, in percent for accuracies;
    `optimum` is the highest test score, or the lowest where it is to be low (`test_minimize`)."""

    name: str
    space: Space
    estimator: Any
    test: Callable[[Architecture], float]
    optimum: float
    fidelity: Fidelity = field(default_factory=Fidelity)
    test_minimize: bool = False

    @property
    def minimize(self) -> bool:
        """Whether the objective is to be low."""
        return bool(getattr(self.estimator, "minimize", False))

    @property
    def timed(self) -> bool:
        """Whether trials' seconds are those of the measurements, and not of looking them up."""
        return getattr(self.estimator, "seconds", None) is not None

    @staticmethod
    def of_table(
        name: str,
        space: Space,
        estimator: Tabular,
        test: NDArray[Any],
        fidelity: Fidelity | None = None,
        test_minimize: bool = False,
    ) -> Benchmark:
        """`test` is float[rows of the estimator's table]; rows without one have NaN."""
        table = estimator.open()
        return Benchmark(
            name,
            space,
            estimator,
            lambda architecture: float(test[table.row(space, architecture)]),
            float(np.nanmin(test) if test_minimize else np.nanmax(test)),
            fidelity or Fidelity(),
            test_minimize,
        )
