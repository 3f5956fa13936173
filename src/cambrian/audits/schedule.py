"""A strategy that asks for a list of measurements, one after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.codec import decode, encode
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.request import Request
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.weights import source_row

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class State:
    """So many outcomes are `learned`; `failed` are the numbers of those without a value."""

    learned: int = 0
    failed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Schedule:
    """`rows` are requests as JSON, which become the trials of these numbers. A row may name the weights of an
    earlier one, which is waited for."""

    rows: tuple[Mapping[str, Any], ...]
    needs: ClassVar[tuple[type, ...]] = ()

    @staticmethod
    def of(requests: Sequence[Request]) -> Schedule:
        return Schedule(tuple(json.loads(encode(request)) for request in requests))

    @cached_property
    def _asked(self) -> tuple[Evaluate | TrainSupernet, ...]:
        return tuple(decode(encode(row), Evaluate | TrainSupernet) for row in self.rows)

    @property
    def requests(self) -> tuple[type, ...]:
        """The kinds of requests and weights in the list."""
        return tuple(dict.fromkeys(kind for row in self._asked for kind in (type(row), type(row.weights))))

    def start(self, problem: Problem) -> State:
        return State()

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        number = state.learned + len(pending)
        if number == len(self._asked):
            return Stop("all measurements are made")
        request = self._asked[number]
        source = source_row(request.weights)
        if source is not None and source >= state.learned:
            return Wait()
        if source in state.failed:
            return Stop(f"trial {source} failed, whose weights the others begin with")
        return request

    def learn(self, state: State, trial: Trial) -> State:
        failed = state.failed if isinstance(trial.outcome, Done) else state.failed | {trial.number}
        return replace(state, learned=state.learned + 1, failed=failed)

    def keeps(self, state: State) -> Sequence[int]:
        """The rows whose weights the rest of the list begins with."""
        sources = (source_row(row.weights) for row in self._asked[state.learned :])
        return sorted({row for row in sources if row is not None})
