"""POPNAS: Lomurno, Samele, Matteucci & Ardagna, "Pareto-Optimal Progressive Neural Architecture Search"
(GECCO 2021 companion); Falanti, Lomurno, Samele, Ardagna & Matteucci, "POPNASv2" (IJCNN 2022).

Progressive search with two surrogates, of the score and of the training time. At each level all children
are scored by both; the front of the predictions is trained, and with it exploration cells (see
`exploration`), except at the last level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.problem import Objective
from cambrian.settings import Span
from cambrian.spaces.knowledge import Encodes, Pool, know
from cambrian.strategies.progression.exploration import choose_explorers, read_uses
from cambrian.strategies.progression.fronts import choose_from_fronts
from cambrian.strategies.progression.level_search import State
from cambrian.strategies.progression.pareto_search import MACS, SECONDS, ParetoSearch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEEP, EXPLORE = 128, 16


@dataclass(frozen=True)
class POPNAS(ParetoSearch):
    """The settings are those of `Progressive`, but the surrogate is the paper's; besides, `cost`, the
    predictor of the objectives after the first, and `explore`, the most exploration cells of a level: in a
    run of so many trials, a ninth of the level's share at most, as in the paper. A search without a second
    objective has MACs for one; with `timed` it has the paper's, the seconds of a trial, which differ from
    run to run, and the search with them.

    K is the limit of a front in the papers; with `fill` the children of further fronts use up a level's
    trials. Of a front with more than K children those with the best predicted scores are trained."""

    # The MLPs of `Progressive` rank the children worse, and the front suffers (see RESULTS.md).
    surrogate: Any = "lstm-ensemble"
    explore: Annotated[int, Span(0, 10_000)] = EXPLORE
    timed: bool = False
    usual_keep: ClassVar[int] = KEEP

    @staticmethod
    def paper() -> POPNAS:
        """B = 5, K = 128 and 16 exploration cells, an ensemble of five LSTMs (the release's run.json)."""
        return POPNAS(levels=5, keep=KEEP, fill=False, timed=True)

    @property
    def needs(self) -> tuple[type, ...]:
        """Tokens too, which exploration counts."""
        return tuple(dict.fromkeys((*super().needs, Encodes)))

    @property
    def usual_costs(self) -> tuple[Objective, ...]:
        """Its work, or its time."""
        return (SECONDS,) if self.timed else (MACS,)

    def choose_places(
        self, state: State, pool: Pool, points: NDArray[np.float64]
    ) -> list[tuple[int, Mapping[str, Any]]]:
        count = self.count_kept(state)
        explore = self._count_explored(state, count)
        shared = self.keep is None and state.trials is not None
        front = choose_from_fronts(points, count - explore if shared else count, self.fill)
        encodes = know(state.space, Encodes)
        assert encodes is not None  # see `needs`
        explorers = choose_explorers(read_uses(encodes, pool), points, front, explore)
        return [*((i, {}) for i in front), *((i, {"explores": True}) for i in explorers)]

    def _count_explored(self, state: State, count: int) -> int:
        """The most exploration cells at the next level: none at the last, whose cells nothing grows from."""
        if len(state.levels) <= 2:
            return 0
        if self.keep or state.trials is None:
            return self.explore
        return min(self.explore, count * EXPLORE // (KEEP + EXPLORE))
