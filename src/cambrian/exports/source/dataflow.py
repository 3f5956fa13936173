"""The tensors that enter and leave the calls of a recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from torch import nn

from cambrian.exports.source.recording import Recording, changes_its_argument
from cambrian.exports.source.values import Call, Step, find_refs, step_refs


class Dataflow:
    """Where each tensor is made and read, by the place of a step in the order of all. Steps whose tensors
    nobody reads are taken out of the recording first."""

    def __init__(self, recording: Recording, network: nn.Module) -> None:
        self._recording, self._network = recording, network
        _remove_dead_steps(recording, network)
        self.made: dict[int, int] = {}
        self.read: dict[int, list[int]] = defaultdict(list)
        self._spans: dict[int, tuple[int, int]] = {}
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self._count = 0
        self._place(recording.root)
        for number in find_refs(recording.result):
            self.read[number].append(self._count)

    def _place(self, call: Call) -> None:
        start = self._count
        self.calls[call.path].append(call)
        for item in call.items:
            if isinstance(item, Call):
                self._place(item)
                continue
            for number in step_refs(item):
                self.read[number].append(self._count)
            for number in find_refs(item.outputs):
                self.made[number] = self._count
            self._count += 1
        self._spans[id(call)] = start, self._count

    def inputs(self, call: Call) -> list[int]:
        """The tensors from outside that the call reads: its arguments first, then others, such as a parameter
        of another module."""
        start, end = self._spans[id(call)]
        used = [n for step in call.steps() for n in step_refs(step)]
        outside = [n for n in used if not start <= self.made.get(n, -1) < end and not self._is_own(call, n)]
        first = [n for n in find_refs(dict(call.arguments)) if n in outside]
        return list(dict.fromkeys([*first, *outside]))

    def outputs(self, call: Call) -> list[int]:
        """The tensors made within that are read afterwards."""
        _, end = self._spans[id(call)]
        made = [n for step in call.steps() for n in find_refs(step.outputs)]
        return [n for n in made if any(place >= end for place in self.read[n])]

    def _is_own(self, call: Call, number: int) -> bool:
        name = self._recording.owned.get(number)
        return name is not None and is_within(name, call.path)

    def stays_within(self, call: Call) -> bool:
        """Whether the call uses no module but its own."""
        return all(is_within(item.path, call.path) for item in walk(call) if item.path)


def walk(call: Call) -> Iterator[Step | Call]:
    for item in call.items:
        yield item
        if isinstance(item, Call):
            yield from walk(item)


def is_within(path: str, owner: str) -> bool:
    return not owner or path == owner or path.startswith(owner + ".")


def _remove_dead_steps(recording: Recording, network: nn.Module) -> None:
    needed = set(find_refs(recording.result))

    def clean(call: Call) -> None:
        kept: list[Step | Call] = []
        for item in reversed(call.items):
            if isinstance(item, Call):
                clean(item)
                if item.items:
                    kept.append(item)
            elif _works_in_place(item, network) or needed & set(find_refs(item.outputs)):
                needed.update(step_refs(item))
                kept.append(item)
        call.items[:] = kept[::-1]

    clean(recording.root)


def _works_in_place(step: Step, network: nn.Module) -> bool:
    if step.function:
        return changes_its_argument(step.function) or step.kwargs.get("inplace") is True
    return getattr(network.get_submodule(step.path), "inplace", False) is True
