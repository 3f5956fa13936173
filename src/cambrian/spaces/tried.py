"""What is found out about a program by trying it where it is defined: that it asks by answers alone, what it
may ask, whether its body makes weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Walkable
from cambrian.choices import Answer, Choice
from cambrian.errors import Rejected, SpaceError
from cambrian.randomness import stream

if TYPE_CHECKING:
    import numpy as np

WALKS = 16
TWICE = 4  # of these are walked again with the same answers
Asked = list[tuple[Choice, Answer]]


def met(space: Walkable, name: str) -> list[Choice]:
    """The questions met on some walks. Raises SpaceError for a program that, given the same answers again,
    asks something else."""
    found: dict[str, Choice] = {}
    for n in range(WALKS):
        asked = _walked(space, n)
        if asked is not None and n < TWICE:
            _again(space, name, asked)
        found |= {choice.path: choice for choice, _ in asked or ()}
    return list(found.values())


def _walked(space: Walkable, n: int) -> Asked | None:
    rng = stream(0, "tried", n)
    asked: Asked = []

    def decide(choice: Choice) -> Answer:
        answer = choice.draw(rng)
        asked.append((choice, answer))
        return answer

    try:
        space.walk(decide)
    except Rejected:
        return None
    return asked


def _again(space: Walkable, name: str, asked: Asked) -> None:
    left = iter(asked)

    def decide(choice: Choice) -> Answer:
        before, answer = next(left, (None, choice.path))
        if before != choice:
            raise _unsteady(name, before, choice)
        return answer

    try:
        space.walk(decide)
    except Rejected as reason:
        raise SpaceError(f"{name} accepts a walk and, given the same answers, rejects it: {reason}") from None
    for before, _ in left:
        raise _unsteady(name, before, None)


def _unsteady(name: str, before: Choice | None, now: Choice | None) -> SpaceError:
    return SpaceError(
        f"{name} asks for {_described(before)}, and, given the same answers again, for {_described(now)}: "
        f"what is asked may depend on answers only, not on chance, time or earlier walks"
    )


def _described(choice: Choice | None) -> str:
    return "nothing more" if choice is None else f"{choice.path!r}, {choice.legal}"


def makes_weights(walk: Callable[[Callable[[Choice], Answer]], object], function: Any) -> bool:
    """Whether some walk of a function's body makes a parameter, so that sampling needs the meta device."""
    made: list[bool] = []
    for n in range(TWICE):
        rng = stream(0, "weights", n)

        def decide(choice: Choice, rng: np.random.Generator = rng) -> Answer:
            return choice.draw(rng)

        with weightless(function), _noting(made):
            try:
                walk(decide)
            except (Rejected, RuntimeError, ValueError):  # modules that cannot be made are modules
                made.append(True)
    return bool(made)


@contextmanager
def _noting(made: list[bool]) -> Iterator[None]:
    if "torch" not in sys.modules:
        yield
        return
    from torch.nn.modules.module import register_module_parameter_registration_hook

    hook = register_module_parameter_registration_hook(lambda *_: made.append(True))
    try:
        yield
    finally:
        hook.remove()


def weightless(function: Any) -> AbstractContextManager[Any]:
    """The meta device, unless nobody has imported torch nor is about to: then a body makes no modules."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    if "torch" not in sys.modules and not any(n.split(".")[0] == "torch" for n in names):
        return nullcontext()
    import torch

    return torch.device("meta")
