"""The steps of a network's forward as plain values: what is called, on which tensors, within which module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from cambrian.errors import CambrianError


class Unwritable(CambrianError):
    """The network's source cannot be written; the message says why."""


@dataclass(frozen=True)
class Ref:
    """The tensor with this number, in the order in which a forward makes them."""

    number: int


@dataclass(frozen=True)
class Size:
    """A whole number that differs between the two recordings, as a number of images does."""

    first: int
    second: int


@dataclass(eq=False)
class Step:
    """A call of the torch function of this name, or of the module of torch.nn at `path`. `outputs` has the
    structure of the values returned."""

    function: str
    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: Any


@dataclass(eq=False)
class Call:
    """A call of a module that is made of steps. `arguments` are by the name of its forward's parameter."""

    path: str
    module: nn.Module
    arguments: Mapping[str, Any] = field(default_factory=dict)
    items: list[Step | Call] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """All steps within, in order."""
        for item in self.items:
            if isinstance(item, Call):
                yield from item.steps()
            else:
                yield item


def find_refs(tree: Any) -> Iterator[int]:
    """The numbers of the tensors within a tree of arguments, in order."""
    if isinstance(tree, Ref):
        yield tree.number
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from find_refs(part)
    elif isinstance(tree, Mapping):
        yield from find_refs(list(tree.values()))
    elif isinstance(tree, slice):
        yield from find_refs([tree.start, tree.stop, tree.step])


def step_refs(step: Step) -> list[int]:
    """The tensors that a step reads."""
    return [*find_refs(step.args), *find_refs(step.kwargs)]
