"""SMASH: Brock et al., "SMASH: One-Shot Model Architecture Search through HyperNetworks" (ICLR 2018, arXiv
1708.05344). A hypernetwork learns to generate the weights of any architecture; random architectures are
scored with generated weights, then changes of the best of them (Sec. 4.1), and the best are trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.recommendation import rank_trials
from cambrian.settings import SHARE
from cambrian.spaces.knowledge import MapsBanks, Shares
from cambrian.strategies.one_shot.children import find_new, mutate_child
from cambrian.strategies.one_shot.shared_search import SharedSearch, State, draw_new_child, find_known

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SMASH(SharedSearch):
    """Of the `children`, the part `exploring` is random; each of the others is the best one so far with each
    of its answers drawn anew with probability `mutation`."""

    exploring: Annotated[float, SHARE] = 0.8
    mutation: Annotated[float, SHARE] = 0.1
    needs: ClassVar[tuple[type, ...]] = (Shares, MapsBanks)

    @staticmethod
    def paper() -> SMASH:
        """500 random architectures, then 100 changes of the best (the released code)."""
        return SMASH(children=600, exploring=5 / 6)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "smash"}

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        random = max(1, round(self.exploring * self.children))
        if len(state.scored) + len(pending) < random:
            return draw_new_child(state, pending, rng)
        # A chain: the next change begins at the best of all, the one before it included.
        best = rank_trials(state.scored, state.problem.objectives)
        if not best:
            return None if pending else draw_new_child(state, pending, rng)
        space = state.problem.space
        change = partial(mutate_child, space, state.fixed, best[0].architecture, self.mutation, rng)
        changed = find_new(space, change, find_known(state, pending))
        return changed or draw_new_child(state, pending, rng)
