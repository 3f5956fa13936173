"""DPP-Net: Dong, Cheng, Juan, Wei & Sun, "DPP-Net: Device-aware Progressive Search for Pareto-optimal Neural
Architectures" (ECCV 2018, arXiv 1806.08198), Sec. 3.3.

Progressive search for the front of accuracy and any measures of the device: at each level a recurrent
surrogate predicts the accuracy of all children, and K of them are trained, chosen by dominance in all
objectives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.spaces.knowledge import Pool
from cambrian.strategies.evolution.nsga2 import measure_crowding
from cambrian.strategies.progression.fronts import choose_from_fronts
from cambrian.strategies.progression.level_search import State
from cambrian.strategies.progression.pareto_search import ParetoSearch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


@dataclass(frozen=True)
class DPPNet(ParetoSearch):
    """The settings are those of `Progressive`; the surrogate is the paper's recurrent network. `cost` is the
    predictor of the objectives after the first: the paper measures those of each child, which takes hours for
    a hundred thousand children of a level.

    With `fill`, further fronts follow a first one of fewer than K children. Of a front that does not fit
    whole, those in the least crowded places are trained, which the paper leaves open."""

    surrogate: Any = "lstm"
    usual_keep: ClassVar[int] = 100

    def choose_places(self, state: State, pool: Pool, points: Points) -> list[tuple[int, Mapping[str, Any]]]:
        chosen = choose_from_fronts(points, self.count_kept(state), self.fill, order_by_crowding)
        return [(i, {}) for i in chosen]


def order_by_crowding(points: Points) -> NDArray[np.int64]:
    """The indices of a front's points, those in the least crowded places first."""
    distances = measure_crowding([tuple(point) for point in points.tolist()])
    return np.argsort(-np.array(distances), kind="stable")
