"""The order of the calls of several networks, in groups that run as one.

Agenda-based batching (Neubig, Goldberg & Dyer 2017, "On-the-fly Operation Batching in Dynamic Computation
Graphs", Sec. 3.2): of the kinds of calls that are ready, that one runs next whose remaining calls have the
least mean depth, since more calls of the deeper kinds may still become ready. It is found once, for all
steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from cambrian.networks.population.tracing import Call


def group_calls(calls: Iterable[Call]) -> list[list[Call]]:
    """All calls but the networks' inputs, in an order in which each comes after those it reads; calls of one
    group have equal keys. A call without a layer is a group of its own."""
    agenda = _Agenda(calls)
    groups = []
    while agenda.ready:
        groups.append(agenda.take())
    return groups


class _Agenda:
    def __init__(self, calls: Iterable[Call]) -> None:
        self.ready: dict[Hashable, list[Call]] = defaultdict(list)
        self._readers: dict[Call, list[Call]] = defaultdict(list)
        self._missing: dict[Call, int] = {}
        self._depths: dict[Hashable, list[int]] = defaultdict(list)
        inputs = []
        for call in calls:
            if call.node.op == "placeholder":
                inputs.append(call)
                continue
            self._missing[call] = len(call.inputs)
            self._depths[_kind(call)].append(call.depth)
            for read in call.inputs:
                self._readers[read].append(call)
            if not call.inputs:
                self.ready[_kind(call)].append(call)
        for call in inputs:
            self._tell_readers(call)

    def take(self) -> list[Call]:
        """The next group."""
        kind = min(self.ready, key=self._mean_depth)
        group = self.ready.pop(kind)
        for call in group:
            self._depths[kind].remove(call.depth)
        for call in group:
            self._tell_readers(call)
        return group

    def _tell_readers(self, call: Call) -> None:
        for reader in self._readers[call]:
            self._missing[reader] -= 1
            if self._missing[reader] == 0:
                self.ready[_kind(reader)].append(reader)

    def _mean_depth(self, kind: Hashable) -> float:
        # What costs nothing, or gains nothing by waiting, goes first.
        if isinstance(kind, Call):
            return -1.0
        depths: Sequence[int] = self._depths[kind]
        return sum(depths) / len(depths)


def _kind(call: Call) -> Hashable:
    return call if call.layer is None else call.key
