"""A space written as an ordinary function, read two ways: sampled (`walk`) and built (`build`).

    @space
    def net(pick, task, *, filters=16):
        width = filters * pick("widen", [1, 2])
        op = pick.module("op", {"conv": lambda: nn.Conv2d(task.channels, width, 3), ...})
        return nn.Sequential(op, ...)

Sampling allocates no weights. The function may return a builder, a callable without arguments that
sampling never calls; otherwise its body, which makes modules, runs on torch's meta device.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from cambrian.architecture import Architecture, Decide, replay
from cambrian.choices import Answer, OneOf, Scalar
from cambrian.errors import Rejected, SpaceError, Unbuildable, UnknownName
from cambrian.spaces.depth.growth import DepthGrowth
from cambrian.spaces.depth.map import depth_path
from cambrian.spaces.fit import check_fit
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

Body = Callable[..., Any]


@dataclass(frozen=True)
class Shape:
    """A task's signature without a task: what a program is given while it is only sampled."""

    channels: int = 3
    height: int = 32
    width: int = 32
    classes: int = 10


class ModulePick(Pick):
    """The questioner handed to a function: `Pick`, and questions whose answers are modules.

    `made` collects (path, module) while building, and is None while sampling."""

    def __init__(
        self,
        decide: Decide,
        prefix: str = "",
        answers: dict[str, Answer] | None = None,
        made: list[tuple[str, nn.Module]] | None = None,
    ) -> None:
        super().__init__(decide, prefix, answers)
        self._made = made

    def module(
        self,
        path: str,
        factories: Mapping[str, Callable[[], nn.Module]],
        weights: Sequence[float] | None = None,
    ) -> Any:
        """The module that the chosen factory makes. While sampling no factory is called, and a
        stand-in without weights is returned."""
        shares = None if weights is None else tuple(map(float, weights))
        choice = OneOf(self._prefix + path, tuple(factories), shares, module=True)
        name = self.ask(choice)
        if self._made is None:
            return _stand_in()
        try:
            module = factories[str(name)]()
        except (RuntimeError, ValueError) as error:
            raise _unbuildable(error, f"question {choice.path!r}: {name!r} cannot be made") from error
        self._made.append((f"{choice.path!r} ({name})", module))
        return module

    def inside(self, prefix: str) -> ModulePick:
        return ModulePick(self._decide, f"{self._prefix}{prefix}/", self._answers, self._made)


@dataclass(frozen=True)
class Program(Space):
    """The space of `function(pick, task, *, skeleton...)`. `task` is the signature it is sampled
    with; keyword-only arguments are the skeleton, given to `build` and never searched."""

    function: Body
    task: Signature = Shape()

    def program(self, pick: Pick) -> object:
        with _weightless(self.function):
            try:
                return self.function(ModulePick(pick._decide, pick._prefix, pick._answers), self.task)
            except (RuntimeError, ValueError) as error:
                raise Rejected(f"its modules cannot be made: {error}") from error

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """As `Space.build`, ending with a forward on the meta device: Unbuildable names the question
        whose module got a shape that it cannot take."""
        for name in skeleton:
            if name not in self.skeleton:
                raise UnknownName("skeleton setting", name, self.skeleton)
        building = _Building(self.function, task, skeleton)
        replay(building, architecture)
        check_fit(building.network, task, building.made)
        return building.network

    @property
    def skeleton(self) -> dict[str, Scalar]:
        """The keyword-only arguments and their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def spec(self) -> dict[str, Any] | None:
        """`module:function`, or None where another process could not find it under that name."""
        module, name = self.function.__module__, self.function.__qualname__
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if module == "__main__" or found is not self:
            return None
        return {"name": f"{module}:{name}"}


@dataclass(frozen=True)
class GrowingProgram(DepthGrowth, Program):
    """A program every walk of which asks one `pick.depth`."""


class _Building:
    """One reading of a program that makes what it picks."""

    network: nn.Module

    def __init__(self, function: Body, task: Signature, skeleton: Mapping[str, Scalar]) -> None:
        self.function, self.task, self.skeleton = function, task, skeleton
        self.made: list[tuple[str, nn.Module]] = []

    def walk(self, decide: Decide) -> Architecture:
        from torch import nn

        pick = ModulePick(decide, made=self.made)
        try:
            network = self.function(pick, self.task, **self.skeleton)
            if not isinstance(network, nn.Module) and callable(network):
                network = network()
        except (RuntimeError, ValueError) as error:
            raise _unbuildable(error, "its modules cannot be made") from error
        if not isinstance(network, nn.Module):
            raise SpaceError(
                f"{self.function.__name__} must return a torch.nn.Module or a function without arguments "
                f"that makes one, got {type(network).__name__}"
            )
        self.network = network
        return pick.architecture()


@overload
def space(function: Body) -> Program: ...
@overload
def space(*, task: Signature) -> Callable[[Body], Program]: ...
def space(function: Body | None = None, *, task: Signature = Shape()) -> Program | Callable[[Body], Program]:
    """Turn `function(pick, task, *, skeleton...)` into a space; `@space(task=Shape(1, 8, 8, 10))` says
    with which signature it is sampled. It is walked a few times here: where all walks ask one
    `pick.depth` the space has a complexity order and tokens (`Grows`, `Encodes`)."""
    if function is None:
        return lambda body: _program(body, task)
    return _program(function, task)


def _program(function: Body, task: Signature) -> Program:
    _check_signature(function)
    plain = Program(function, task)
    try:
        path = depth_path(plain)
    except NameError as error:
        raise SpaceError(
            f"{function.__name__} is tried where it is defined, and {error}: define what it uses above it"
        ) from error
    return plain if path is None else GrowingProgram(function, task)


def _check_signature(function: Body) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    asked = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p for p in parameters if p not in asked]
    fine = len(asked) == 2 and all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in rest)
    if not fine:
        raise SpaceError(
            f"a space is a function (pick, task, *, setting=default, ...), got "
            f"{function.__name__}{inspect.signature(function)}"
        )


def _weightless(function: Body) -> AbstractContextManager[Any]:
    """The meta device, unless nobody has imported torch nor is about to: then a body makes no modules."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    if "torch" not in sys.modules and not any(n.split(".")[0] == "torch" for n in names):
        return nullcontext()
    import torch

    return torch.device("meta")


def _stand_in() -> Any:
    if "torch" not in sys.modules:
        return None
    from torch import nn

    return nn.Identity()


def _unbuildable(error: Exception, where: str) -> Exception:
    """What to raise for an error of torch's: running out of memory is not the shapes' fault."""
    return error if "memory" in str(error).lower() else Unbuildable(f"{where}: {error}")
