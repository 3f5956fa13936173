"""A space written as an ordinary function, read three ways: sampled (`walk`), built (`build`), and shared
(`share`, see `cambrian.spaces.program.shared`).

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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, overload

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import CambrianError, Rejected, SpaceError
from cambrian.options import shorten
from cambrian.spaces.drafts import is_keeping
from cambrian.spaces.gates import ForkGates
from cambrian.spaces.growth.answer_morphs import AnswerMorphs, can_morph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.program.making import make_network
from cambrian.spaces.program.probe import ask_samples, depth_of, makes_weights, weightless
from cambrian.spaces.program.reading import ModulePick, skeleton_of
from cambrian.spaces.program.shape_check import check_fit
from cambrian.spaces.program.shared import ForkSharing
from cambrian.spaces.program.walk_memory import WalkMemory
from cambrian.spaces.sharing import is_fork
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

Body = Callable[..., Any]
SHAPES = (AssertionError, LookupError, ArithmeticError, OSError)
"""Exceptions of a body run with an unexpected shape, besides those of torch."""

UNFIT = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


def check_signature(task: object) -> None:
    """Raise unless `task` has the four numbers on which a network's shape depends."""
    for name in ("channels", "height", "width", "classes"):
        value = getattr(task, name, None)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise SpaceError(
                f"a task is Shape(channels, height, width, classes), whole numbers of at least 1, got "
                f"{name}={shorten(value)} in {shorten(task)}"
            )


@dataclass(frozen=True)
class Shape:
    """A task's signature without a task, for programs that are only sampled. `dense`: a network gives the
    logits of each pixel; `causal`: those after each row, of the rows up to it."""

    channels: int = 3
    height: int = 32
    width: int = 32
    classes: int = 10
    dense: bool = False
    causal: bool = False

    def __post_init__(self) -> None:
        check_signature(self)


def is_dense(task: Signature) -> bool:
    """Whether the networks for a task give the logits of each pixel, [n, classes, height, width]."""
    return bool(getattr(task, "dense", False))


def is_causal(task: Signature) -> bool:
    """Whether the networks for a task give logits after each row of an image one pixel wide, of the rows up
    to it, [n, classes, height]: those of the next character of a text."""
    return bool(getattr(task, "causal", False))


@dataclass(frozen=True)
class Program(Space):
    """The space of `function(pick, task, *, skeleton...)`. `task` is the signature it is sampled
    with; keyword-only arguments are the skeleton, given to `build` and never searched. `grows` and `shares`
    say that every walk asks one `pick.depth`, and that some asks for modules, `mixes` that one of several
    answers each of those questions, and `morphs` that some asks for depths, widths, kernels or connections:
    `space` finds that out."""

    function: Body
    task: Signature = Shape()
    grows: bool = False
    shares: bool = False
    mixes: bool = False
    morphs: bool = False

    _picks: ClassVar[type[Pick]] = ModulePick

    def __repr__(self) -> str:
        task = self.task
        images = f"{task.channels} x {task.height} x {task.width}"
        return f"<space {self.function.__name__}, tried with images {images}, {task.classes} classes>"

    def __call__(self, pick: Pick, task: Signature, **skeleton: Any) -> Any:
        """Call the function: a space is part of another by `head(pick.inside("head"), task)`."""
        return self.function(pick, task, **skeleton)

    def program(self, pick: Pick) -> object:
        if not isinstance(pick, ModulePick):  # another space's questioner
            pick = ModulePick(pick._decide, pick._prefix, pick._answers, pick._known, pick._above)
        try:
            if not self._makes_weights:
                return self.function(pick, self.task)
            return self._run_dear(pick)
        except (RuntimeError, ValueError) as error:
            task = self.task
            raise Rejected(
                f"its modules cannot be made for {task.classes} classes of inputs {task.channels} x "
                f"{task.height} x {task.width} (with which a space is tried where it is defined; "
                f"@space(task=Shape(...)) changes that): {error}"
            ) from error

    @property
    def knowledge(self) -> tuple[object, ...]:
        growth = (DepthGrowth(self),) if self.grows else ()
        sharing = (ForkSharing(self, self.function),) if self.shares else ()
        gates = (ForkGates(self),) if self.mixes else ()
        morphs = (AnswerMorphs(self),) if self.morphs else ()
        return (*growth, *sharing, *gates, *morphs)

    def walk(self, decide: Decide) -> Architecture:
        """Walk; a body that makes weights is run only for new answers."""
        return self._memory.walk(decide, self._walk_anew) if self._makes_weights else self._walk_anew(decide)

    def _walk_anew(self, decide: Decide) -> Architecture:
        return super().walk(decide)

    def for_task(self, task: Signature) -> Space:
        """This space, sampled with the signature of `task`. Raises SpaceError where its body cannot be run
        with that."""
        shape = Shape(task.channels, task.height, task.width, task.classes, is_dense(task), is_causal(task))
        if shape == self.task:
            return self
        try:
            return _program(self.function, shape)
        except SHAPES as error:
            raise SpaceError(
                f"{self.function.__name__} cannot be run for {shape}: {type(error).__name__}: {error}"
            ) from error

    def _run_dear(self, pick: ModulePick) -> object:
        """The body on the meta device, or, where it cannot be run there, since it computes with numbers, on
        the CPU, with the answers it has got already."""
        if not self._computes and not is_keeping(self.function):
            before = set(pick._answers)
            try:
                with weightless(self.function):
                    return self.function(pick, self.task)
            except CambrianError:
                raise
            except Exception:
                # The meta device refuses some computations: run again on the CPU, with the same answers.
                pick = _answering(pick, before)
        with weightless(self.function, "cpu"):
            result = self.function(pick, self.task)
        # Later walks skip the meta device, which failed once and would again.
        self._computes.append(True)
        return result

    @cached_property
    def _computes(self) -> list[bool]:
        """Not empty once the body is known to compute with numbers."""
        return []

    @cached_property
    def _memory(self) -> WalkMemory:
        return WalkMemory()

    @cached_property
    def _makes_weights(self) -> bool:
        return makes_weights(lambda decide: self.function(ModulePick(decide), self.task), self.function)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """As `Space.build`, ending with a forward on the meta device: Unbuildable names the question
        whose module got a shape that it cannot take."""
        # The forward comes last: only it can tell the question whose module does not fit.
        network, modules = make_network(self.function, architecture, task, skeleton)
        check_fit(network, task, modules)
        return network

    @property
    def skeleton(self) -> dict[str, Scalar]:
        """The keyword-only arguments and their defaults."""
        return skeleton_of(self.function)

    def spec(self) -> dict[str, Any] | None:
        """`module:function`, or None where another process could not import it under that name."""
        module, name = self.function.__module__, self.function.__qualname__
        value: Any = sys.modules.get(module)
        for part in name.split("."):
            value = getattr(value, part, None)
        if module == "__main__" or getattr(value, "function", None) is not self.function:
            return None
        return {"name": f"{module}:{name}"}


@overload
def space(function: Body) -> Program: ...
@overload
def space(*, task: Signature) -> Callable[[Body], Program]: ...
def space(function: Body | None = None, *, task: Signature = Shape()) -> Program | Callable[[Body], Program]:
    """Turn `function(pick, task, *, skeleton...)` into a space; `@space(task=Shape(1, 8, 8, 10))` sets
    the signature with which it is sampled. It is walked a few times here: where all walks ask one
    `pick.depth` or `pick.repeat` the space has a complexity order and tokens (`Grows`, `Encodes`), and where
    some asks for modules they can be shared (`Shares`)."""
    check_signature(task)
    if function is None:
        return lambda body: _program(body, task)
    try:
        return _program(function, task)
    except SHAPES:  # perhaps of the made-up shape: `for_task` tries the data's
        return Program(function, task)


def _program(function: Body, task: Signature) -> Program:
    _check_function(function)
    # Walked before its knowledge is declared: the samples decide whether it grows and shares.
    plain = Program(function, task)
    try:
        dear = plain._makes_weights
        samples = ask_samples(plain.walk, plain._walk_anew, function.__name__, dear)
    except NameError as error:
        raise SpaceError(
            f"{function.__name__} is tried where it is defined, and {error}: define what it uses above it"
        ) from error
    forks = [choice for asked in samples for choice in asked if is_fork(choice)]
    # Several at once, or a number of repetitions, has no mixture.
    mixes = bool(forks) and all(isinstance(choice, OneOf) and not choice.depth for choice in forks)
    morphs = any(can_morph(choice) for asked in samples for choice in asked)
    return Program(function, task, depth_of(samples) is not None, bool(forks), mixes, morphs)


def _answering(pick: ModulePick, before: set[str]) -> ModulePick:
    """A questioner for a second run, which repeats the answers to questions not asked `before`."""
    answers = {path: pick._answers.pop(path) for path in list(pick._answers) if path not in before}

    def decide(choice: Choice) -> Answer:
        return answers[choice.path] if choice.path in answers else pick._decide(choice)

    return ModulePick(decide, pick._prefix, pick._answers, pick._known, pick._above)


def _check_function(function: Body) -> None:
    """Raise unless the function can be a program: ordinary, with two arguments, and settings by name."""
    wanted = "a space is a function (pick, task, *, setting=default, ...)"
    if isinstance(function, type):
        raise SpaceError(
            f"{wanted}, got the class {function.__name__}: write a function that returns"
            f" {function.__name__}(...), which may be given pick and task"
        )
    if not inspect.isroutine(function):
        raise SpaceError(f"{wanted}, got {shorten(function)}")
    if any(kind(function) for kind in UNFIT):
        raise SpaceError(
            f"{wanted} that returns its network, got {function.__name__}, which yields or awaits"
        )
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none
        raise SpaceError(f"{wanted}, got {shorten(function)}") from None
    # Every other parameter is a setting of the skeleton: given by name, and never required.
    parameters = list(signature.parameters.values())
    asked = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p for p in parameters if p not in asked]
    fine = len(asked) == 2 and all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in rest)
    if not fine:
        raise SpaceError(f"{wanted}, got {function.__name__}{signature}")
