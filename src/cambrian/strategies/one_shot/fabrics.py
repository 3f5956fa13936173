"""Convolutional neural fabrics: Saxena & Verbeek (NIPS 2016, arXiv 1606.02492). The fabric is trained whole,
and is itself an answer: it costs as much as one network, and contains exponentially many. Its weak inputs are
then cut (Sec. 4.2 looks at the strengths of a trained fabric's connections), down to the strongest path; the
sub-networks are scored with the fabric's weights, and the best of them trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.spaces.knowledge import ContainsAll, Shares, know
from cambrian.strategies.one_shot.children import name_function
from cambrian.strategies.one_shot.shared_search import SharedSearch, State, draw_new_child, find_known

if TYPE_CHECKING:
    import numpy as np

Strengths = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Fabrics(SharedSearch):
    """Half of the `children` are cuts of the fabric, evenly spread from all of its inputs to one for each
    node; the others are random sub-networks, beside which the cuts show their worth."""

    needs: ClassVar[tuple[type, ...]] = (Shares, ContainsAll)

    @staticmethod
    def paper() -> Fabrics:
        """The fabric alone, as the paper trains it."""
        return Fabrics(children=1)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "whole"}

    def look_back(self, state: State) -> State:
        """The plan is made once, when the fabric is trained: the cuts, in their order."""
        if state.plan is None:
            return replace(state, plan=self._list_cuts(state))
        return state

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        space, known = state.problem.space, find_known(state, pending)
        cut = next((a for a in state.plan if name_function(space, a) not in known), None)
        return cut or draw_new_child(state, pending, rng)

    def _list_cuts(self, state: State) -> tuple[Architecture, ...]:
        contains = know(state.problem.space, ContainsAll)
        assert contains is not None
        strengths: Strengths = state.training.data.get("strengths", {})
        cuts = list(dict.fromkeys(contains.cut(kept) for kept in list_kept(strengths)))
        count = min(len(cuts), (self.children + 1) // 2)
        # From the whole fabric to the strongest path, both included where there is room.
        return tuple(cuts[round(n * (len(cuts) - 1) / max(1, count - 1))] for n in range(count))


def list_kept(strengths: Strengths) -> list[dict[str, tuple[str, ...]]]:
    """The inputs that are kept by each question: first all of them, then each time without the weakest one
    that is not the last of its node.

    >>> for kept in list_kept({"a": {"finer": 3.0, "same": 1.0}, "b": {"finer": 2.0, "same": 4.0}}):
    ...     print(kept)
    {'a': ('finer', 'same'), 'b': ('finer', 'same')}
    {'a': ('finer',), 'b': ('finer', 'same')}
    {'a': ('finer',), 'b': ('same',)}
    """
    kept = {path: tuple(inputs) for path, inputs in strengths.items()}
    steps = [dict(kept)]
    # Questions and inputs in a fixed order, so that ties are cut alike everywhere.
    weakest = sorted((s, path, name) for path, inputs in strengths.items() for name, s in inputs.items())
    for _, path, name in weakest:
        if len(kept[path]) > 1:
            kept[path] = tuple(n for n in kept[path] if n != name)
            steps.append(dict(kept))
    return steps
