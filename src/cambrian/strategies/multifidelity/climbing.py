"""The settings that all strategies share which climb a ladder of fidelities, and the facts that follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from cambrian.errors import UnknownName
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.registry import name_of
from cambrian.settings import Span
from cambrian.strategies.multifidelity.brackets import list_requests
from cambrian.strategies.multifidelity.ladder import EPOCHS, Level, check_axes, make_ladder
from cambrian.strategies.settings import check_settings


@dataclass(frozen=True)
class Climbing(ABC):
    """The best 1/`eta` of a level go on to the next. Levels are along `axes` of the fidelity, each down to
    its `least`."""

    eta: Annotated[int, Span(2, 1000)] = 3
    axes: tuple[str, ...] = EPOCHS
    least: Mapping[str, float] = field(default_factory=dict)
    needs: ClassVar[tuple[type, ...]] = ()
    own_trials: ClassVar[bool] = True
    names: ClassVar[Mapping[str, tuple[str, Collection[str]]]] = {}
    """Of a setting that is a name: the kind of it, for sentences, and those that there are."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))  # JSON has lists
        check_settings(self)
        check_axes(name_of(self), self.axes, self.least)
        for setting, (kind, known) in self.names.items():
            if getattr(self, setting) not in known:
                raise UnknownName(kind, getattr(self, setting), known)

    @property
    def requests(self) -> tuple[type, ...]:
        return list_requests(self.axes)

    @abstractmethod
    def start(self, problem: Problem) -> Any:
        """The state before anything is known, on the problem's ladder."""

    def list_fidelities(self, problem: Problem) -> list[Fidelity]:
        """The fidelities of the levels, the lowest first."""
        return [level.fidelity for level in self.make_ladder(problem)]

    def make_ladder(self, problem: Problem) -> tuple[Level, ...]:
        return make_ladder(problem, self.axes, self.eta, self.least)
