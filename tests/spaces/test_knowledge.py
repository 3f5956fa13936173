"""A space knows by composition: it is asked by protocol, and no class of spaces stands on another."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest

import cambrian
from cambrian.architecture import Architecture, sample
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.ledger.keys import trial_key
from cambrian.spaces import SPACES
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.joint.space import Joint
from cambrian.spaces.knowledge import Canonical, Encodes, Graphs, Grows, Moves, Shares, know
from cambrian.spaces.program.function_space import Program
from cambrian.spaces.sharing import TextSharing
from cambrian.spaces.space import Pick, Space
from cambrian.strategies.progressive import Progressive

MEMBERS = (property, cached_property, staticmethod, classmethod)
DEEPEST = 2  # Space -> an abstract family -> a space

DEFAULTS = {
    "skeleton": "a space without settings of its network has none",
    "for_task": "a space is the same for every task unless it says otherwise",
    "knowledge": "a space knows by its own methods alone unless it says otherwise",
    "shared": "a space has no questions that a supernet leaves open unless it names them",
    "plan": "a network is made from the answers as they are unless a space says otherwise",
    "make": "a space without a text makes no networks",
    "build": "a network is made from the text, but for tables, which have none, and for functions",
}
"""What `Space` says for those that have nothing to say, and a space may say for itself."""

OVERRIDES = {
    (Program, "walk"): "a body that makes weights is run only for answers that are new",
    (Joint, "walk"): "the other space is walked first",
    (Joint, "measure"): "the other space's, and that of the training",
    (Joint, "check_skeleton"): "the skeleton is the other space's",
}
"""Where `Space.walk` is still the walk, with a memory before it, or that of another space."""


def all_spaces() -> list[type[Space]]:
    """Every class of a space that cambrian has, once."""
    for module in pkgutil.walk_packages(cambrian.__path__, "cambrian."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    todo, classes = [Space], dict[type[Space], None]()
    while todo:
        new = [c for c in todo.pop().__subclasses__() if c.__module__.startswith("cambrian.")]
        classes |= dict.fromkeys(new)
        todo += new
    return list(classes)


def depth(kind: type) -> int:
    """How many classes below Space, by the longest way."""
    return 0 if kind is Space else 1 + max(depth(b) for b in kind.__bases__ if issubclass(b, Space))


def overridden(kind: type[Space]) -> Iterator[str]:
    """The concrete members that the class has in place of concrete ones; what `dataclass` writes aside."""
    for name, member in vars(kind).items():
        if name.startswith("__") or not (inspect.isfunction(member) or isinstance(member, MEMBERS)):
            continue
        above = next((vars(b)[name] for b in kind.__mro__[1:] if name in vars(b)), None)
        if above is not None and not getattr(above, "__isabstractmethod__", False):
            yield name


def test_classes_of_spaces_are_at_most_two_deep() -> None:
    """A space is below Space, or below one abstract family (CellPair, MobileChain, RecurrentCells)."""
    spaces = all_spaces()
    assert len(spaces) >= len(SPACES.names())
    assert {c: depth(c) for c in spaces if depth(c) > DEEPEST} == {}
    families = {b for c in spaces for b in c.__bases__ if b is not Space and issubclass(b, Space)}
    assert all(inspect.isabstract(family) for family in families), families


def test_no_concrete_method_is_overridden() -> None:
    """But for the defaults that are there to be, and a short list with its reasons."""
    found = {(c, name) for c in all_spaces() for name in overridden(c) if name not in DEFAULTS}
    assert found == set(OVERRIDES)


def test_nobody_asks_a_space_what_it_is_an_instance_of() -> None:
    """No `isinstance` with a protocol of knowledge or a class of spaces, but where a space is at home."""
    protocols = {"Grows", "Settles", "Canonical", "Encodes", "Moves", "Graphs", "Shares"}
    names = {c.__name__ for c in all_spaces()} | protocols
    root = Path(cambrian.__file__).parent
    asked = [
        f"{path.relative_to(root)}:{call.lineno}"
        for path in sorted(root.rglob("*.py"))
        if not path.is_relative_to(root / "spaces")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "isinstance"
        if names & {n.id for n in ast.walk(call.args[1]) if isinstance(n, ast.Name)}
    ]
    assert asked == []


class Duck:
    """No subclass of anything: it has the methods."""

    def canonical(self, architecture: Architecture) -> str:
        return "duck"


class Own(TinyChain):
    """Says itself how it grows, though an object beside it could."""

    levels = (7,)

    def level(self, architecture: Any) -> int:
        return 7

    def grow(self, parents: Any, rng: Any, cap: Any = None) -> Any:
        raise NotImplementedError


def test_a_space_that_has_the_methods_is_its_own_knowledge() -> None:
    """Whatever class it is of; and it goes before the objects beside it."""
    duck, own = Duck(), Own()
    assert know(duck, Canonical) is duck
    assert know(duck, Grows) is None
    assert own.know(Grows) is own
    assert isinstance(own.know(Encodes), DepthGrowth)
    assert own.know(Canonical) is own
    assert know(duck, Shares) is None
    assert isinstance(TinyChain().know(Shares), TextSharing)


def test_knowledge_is_made_once() -> None:
    """Growth explores a space by walking it some hundred times: all who ask are given the same object."""
    space = TinyChain()
    assert space.know(Grows) is space.know(Encodes) is space.know(Moves)
    assert space == TinyChain(), "what is known is no setting"


@runtime_checkable
class Tells(Protocol):
    """Knowledge that cambrian has no word for."""

    def tell(self) -> str: ...


def test_another_protocol_needs_no_change_of_ours() -> None:
    """A space may know by protocols of others, through an object of its own."""

    class Teller:
        def tell(self) -> str:
            return "told"

    class Telling(TinyChain):
        @property
        def knowledge(self) -> tuple[object, ...]:
            return (*super().knowledge, Teller())

    known = Telling().know(Tells)
    assert known is not None
    assert known.tell() == "told"
    assert Telling().know(Grows) is not None
    assert TinyChain().know(Tells) is None


class Wrapped(Space):
    """Another space's questions and knowledge, handed on as objects."""

    def __init__(self, inner: Space) -> None:
        self.inner = inner

    def program(self, pick: Pick) -> object:
        return self.inner.program(pick)

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
        return self.inner.build(architecture, task, **skeleton)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (self.inner, *self.inner.knowledge)


@pytest.mark.parametrize("name", ["pnas", "tiny-chain", "nasbench201", "macro"])
def test_it_does_not_matter_who_knows(name: str) -> None:
    """Keys, and the first level of progressive search, are the same of a space and of one that hands its
    knowledge on, whether it had that itself or beside it."""
    space = SPACES.make(name)
    wrapped = Wrapped(space)
    for n in range(20):
        architecture = sample(space, stream(n, "wrapped"))
        keys = [trial_key(s, architecture, Fidelity(), "recipe", 0) for s in (space, wrapped)]
        assert keys[0] == keys[1]
    strategy = Progressive(first=8)
    states = [strategy.start(Problem(s, seed=3)) for s in (space, wrapped)]
    assert states[0].queue == states[1].queue
    assert [wrapped.know(p) is not None for p in (Grows, Encodes, Graphs, Canonical)] == [True] * 4
