"""Readings of a plan: the same code builds one network or a supernet, depending on the reading it gets.

A *plan* is the value that a space makes of an architecture: rows, wirings, codes. Code that builds networks
takes a `Reading` of it, and asks by functions of the plan: `read.fork(lambda rows: rows[3].name, {"conv":
..., "pool": ...})`. `Own` has one plan and makes only the modules that it names. `Shared` stands for all
plans of a supernet: it makes every candidate, and the supernet's choice decides which one runs.

    value(of)                 an outer value: the same in all plans of a supernet, so it may decide shapes
    live(of)                  a function without arguments, to be called in forward: `self.reads()`
    count(of, most)           the number of parts to make: the plan's own, or the maximum
    fork(of, makers)          the module that the plan names
    layers(of, makers, nothing=...)  the same as a list, empty where the plan names one of `nothing`: those
                              candidates are made for a supernet only
    several(of, makers)       a dictionary of the modules that the plan names, for the question at `path`
    parts(of, makers)         the same as a list
    elastic(of, make, most)   `make(size)`; in a supernet, with slices of the weights of `make(most)`; of
                              `kernels` the smaller ones are learned transformations of larger ones
    within(of)                the reading of a part of the plan

The key (`of`) of a fork returns None where a plan does not have that part, which then has no weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from torch import nn

from cambrian.errors import SpaceError, Unbuildable
from cambrian.networks.sharing.elastic import Columns as Selected
from cambrian.networks.sharing.elastic import Elastic
from cambrian.networks.sharing.switches import Fork, Gate, Named, Several

P = TypeVar("P", covariant=True)  # a reading of a tuple is also one of a sequence
Q = TypeVar("Q")
T = TypeVar("T")

Maker = Callable[[], nn.Module]
Columns = Callable[[P], Selected]


NOTHING: Mapping[Any, Maker] = MappingProxyType({})


class Reading(ABC, Generic[P]):
    """See the table above. `path` names the question that a fork answers, by which it can be mixed, unless
    `gate` names its mixture; `nothing` is one more candidate of mixtures (see `Fork`). With `partial` the
    makers give modules for one `channel_share` of the channels."""

    channel_share: int = 1

    def narrow(self, channels: int) -> int:
        """The channels of a module that is made for one share of them."""
        if channels % self.channel_share:
            raise Unbuildable(
                f"1/{self.channel_share} of {channels} channels is not a whole number: choose a number of"
                f" filters that {self.channel_share} divides, or another channel_share"
            )
        return channels // self.channel_share

    @abstractmethod
    def value(self, of: Callable[[P], T]) -> T: ...
    @abstractmethod
    def live(self, of: Callable[[P], T]) -> Callable[[], T]: ...
    @abstractmethod
    def count(self, of: Callable[[P], int], most: int) -> int: ...
    @abstractmethod
    def fork(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        gate: str = "",
        nothing: Maker | None = None,
        partial: bool = False,
    ) -> nn.Module: ...
    @abstractmethod
    def layers(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        nothing: Mapping[Any, Maker] = NOTHING,
        partial: bool = False,
    ) -> list[nn.Module]: ...
    @abstractmethod
    def parts(
        self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker]
    ) -> Sequence[nn.Module]: ...
    @abstractmethod
    def several(
        self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker], path: str = ""
    ) -> Mapping[str, nn.Module]:
        """Keys become strings, as nn.ModuleDict requires; the result is a module, to be an attribute."""

    @abstractmethod
    def elastic(
        self,
        of: Callable[[P], T | None],
        make: Callable[[T], nn.Module],
        most: T,
        columns: Columns[P] | None = None,
        kernels: Sequence[int] = (),
    ) -> nn.Module:
        """`columns(plan)`: the input channels of the largest module that are read; by default the first."""

    @abstractmethod
    def within(self, of: Callable[[P], Q]) -> Reading[Q]: ...


class Fixed(Generic[T]):
    """A function without arguments that returns `value`."""

    def __init__(self, value: T) -> None:
        self.value = value

    def __call__(self) -> T:
        return self.value


class Own(Reading[P]):
    """One plan: only the modules that it names are made, and nothing is left to choose."""

    def __init__(self, plan: P) -> None:
        self._plan = plan

    def value(self, of: Callable[[P], T]) -> T:
        return of(self._plan)

    def live(self, of: Callable[[P], T]) -> Callable[[], T]:
        return Fixed(of(self._plan))

    def count(self, of: Callable[[P], int], most: int) -> int:
        return of(self._plan)

    def fork(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        gate: str = "",
        nothing: Maker | None = None,
        partial: bool = False,
    ) -> nn.Module:
        return makers[of(self._plan)]()

    def layers(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        nothing: Mapping[Any, Maker] = NOTHING,
        partial: bool = False,
    ) -> list[nn.Module]:
        return [] if of(self._plan) in nothing else [self.fork(of, makers, path)]

    def parts(self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker]) -> Sequence[nn.Module]:
        names = of(self._plan)
        return nn.ModuleList(make() for name, make in makers.items() if name in names)  # type: ignore[return-value]

    def several(
        self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker], path: str = ""
    ) -> Mapping[str, nn.Module]:
        names = of(self._plan)
        return nn.ModuleDict({str(name): make() for name, make in makers.items() if name in names})  # type: ignore[return-value]

    def elastic(
        self,
        of: Callable[[P], T | None],
        make: Callable[[T], nn.Module],
        most: T,
        columns: Columns[P] | None = None,
        kernels: Sequence[int] = (),
    ) -> nn.Module:
        size = of(self._plan)
        assert size is not None  # a caller asks only for parts that the plan has
        return make(size)

    def within(self, of: Callable[[P], Q]) -> Reading[Q]:
        return Own(of(self._plan))


class Shared(Reading[P]):
    """All plans of a supernet; `plans` are examples of them. `gates` collects the switches that are not
    modules, which the supernet has to set at each choice. `channel_share`: see `Reading`."""

    def __init__(
        self,
        plans: Sequence[Any],
        gates: list[Gate] | None = None,
        of: Any = None,
        channel_share: int = 1,
    ) -> None:
        self._plans = plans
        self.channel_share = channel_share
        self._of: Callable[[Any], P] = of or (lambda plan: plan)
        self.gates: list[Gate] = [] if gates is None else gates

    def value(self, of: Callable[[P], T]) -> T:
        # The examples stand for all plans: a value that differs in two of them cannot decide a shape.
        first, *others = [of(self._of(plan)) for plan in self._plans]
        if any(other != first for other in others):
            raise SpaceError(
                f"a supernet is made for one value, and its architectures have {first!r} and "
                f"{next(o for o in others if o != first)!r}: the questions it follows from must be outer"
            )
        return first

    def live(self, of: Callable[[P], T]) -> Callable[[], T]:
        gate = Gate(self._key(of))
        self.gates.append(gate)
        return gate

    def count(self, of: Callable[[P], int], most: int) -> int:
        return most

    def fork(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        gate: str = "",
        nothing: Maker | None = None,
        partial: bool = False,
    ) -> nn.Module:
        candidates = [make() for make in makers.values()]
        share = self.channel_share if partial else 1
        return Fork(path, list(makers), candidates, self._key(of), gate, nothing and nothing(), share)

    def layers(
        self,
        of: Callable[[P], Any],
        makers: Mapping[Any, Maker],
        path: str = "",
        nothing: Mapping[Any, Maker] = NOTHING,
        partial: bool = False,
    ) -> list[nn.Module]:
        # A supernet has to run for every plan, so the empty list of a plan becomes one more candidate.
        return [self.fork(of, {**nothing, **makers}, path, partial=partial)]

    def parts(self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker]) -> Sequence[nn.Module]:
        return Several("", list(makers), [make() for make in makers.values()], self._key(of))  # type: ignore[return-value]

    def several(
        self, of: Callable[[P], Collection[Any]], makers: Mapping[Any, Maker], path: str = ""
    ) -> Mapping[str, nn.Module]:
        return Named({str(name): make() for name, make in makers.items()}, self._key(of), path)  # type: ignore[return-value]

    def elastic(
        self,
        of: Callable[[P], T | None],
        make: Callable[[T], nn.Module],
        most: T,
        columns: Columns[P] | None = None,
        kernels: Sequence[int] = (),
    ) -> nn.Module:
        chosen = None if columns is None else self._key(columns)
        return Elastic(make, most, self._key(of), chosen, kernels)

    def within(self, of: Callable[[P], Q]) -> Reading[Q]:
        return Shared(self._plans, self.gates, self._key(of), self.channel_share)

    def _key(self, of: Callable[[P], T]) -> Callable[[Any], T]:
        # Switches are given the supernet's whole plan; `within` narrows it on the way.
        inner = self._of
        return lambda plan: of(inner(plan))
