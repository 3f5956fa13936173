"""Trial walks of a program where it is defined: whether it asks by answers alone, which questions it asks,
whether its body makes weights."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from cambrian.architecture import Decide
from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import Rejected, SpaceError
from cambrian.randomness import stream
from cambrian.spaces.drafts import note_parameters, remember_keeping

WALKS = 32
TWICE = 4  # of these are walked again with the same answers
FEW, ONCE = 6, 1  # walks, and repetitions, of a body that makes weights: it may load them, or make large ones
Asked = list[tuple[Choice, Answer]]
Walk = Callable[[Decide], object]


def ask_samples(walk: Walk, repeat: Walk, name: str, dear: bool) -> list[list[Choice]]:
    """The questions of some walks, a list for each that was not rejected. Raises SpaceError for a program
    that, given the same answers again (`repeat` runs it anew), asks something else."""
    samples = []
    for n in range(FEW if dear else WALKS):
        asked = _walk(walk, n)
        if asked is not None:
            # Dependence on chance or time shows in few walks; a slow body is run as rarely as possible.
            if n < (ONCE if dear else TWICE):
                _again(repeat, name, asked)
            samples.append([choice for choice, _ in asked])
    return samples


def depth_of(samples: list[list[Choice]]) -> str | None:
    """The path of the one `pick.depth` that every walk asks, or None where walks differ in it."""
    depths = {tuple(c.path for c in asked if isinstance(c, OneOf) and c.depth) for asked in samples}
    return next(iter(depths))[0] if len(depths) == 1 and len(next(iter(depths))) == 1 else None


def _walk(walk: Walk, n: int) -> Asked | None:
    rng = stream(0, "tried", n)
    asked: Asked = []

    def decide(choice: Choice) -> Answer:
        answer = choice.draw(rng)
        asked.append((choice, answer))
        return answer

    try:
        walk(decide)
    except Rejected:
        return None
    return asked


def _again(walk: Walk, name: str, asked: Asked) -> None:
    left = iter(asked)

    def decide(choice: Choice) -> Answer:
        before, answer = next(left, (None, choice.path))
        if before != choice:
            raise _unsteady(name, before, choice)
        return answer

    try:
        walk(decide)
    except Rejected as reason:
        raise SpaceError(f"{name} accepts a walk and, given the same answers, rejects it: {reason}") from None
    # The first walk asked more: the second one ended early.
    for before, _ in left:
        raise _unsteady(name, before, None)


def _unsteady(name: str, before: Choice | None, now: Choice | None) -> SpaceError:
    return SpaceError(
        f"{name} asks for {_describe(before)}, and, given the same answers again, for {_describe(now)}: "
        f"what is asked may depend on answers only, not on chance, time or earlier walks"
    )


def _describe(choice: Choice | None) -> str:
    return "nothing more" if choice is None else f"{choice.path!r}, {choice.legal}"


def makes_weights(walk: Walk, function: Any) -> bool:
    """Whether a walk of a function's body makes a parameter, so that sampling needs the meta device; some are
    walked until one does. With weights: what a body keeps, as a loaded part in a cache, has them then."""
    return any(_makes_weights_in(walk, function, n) for n in range(TWICE))


def _makes_weights_in(walk: Walk, function: Any, n: int) -> bool:
    rng = stream(0, "tried", n)
    failed = False
    with weightless(function, "cpu"), note_parameters() as noted:
        try:
            walk(lambda choice: choice.draw(rng))
        except Rejected:
            pass
        except (SpaceError, NameError):
            raise
        except Exception:  # modules that fail for the made-up shape are modules, too
            failed = True
    if noted.is_any_alive():
        remember_keeping(function)
    return noted.made or failed


@contextmanager
def weightless(function: Any, device: str = "meta") -> Iterator[None]:
    """The meta device, unless nobody has imported torch nor is about to: then a body makes no modules. With
    another device, that one, and torch's random state as it was. torch's warnings are hidden here:
    they come again when a network is built."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    if "torch" not in sys.modules and not any(n.split(".")[0] == "torch" for n in names):
        yield
        return
    import torch

    kept = nullcontext() if device == "meta" else torch.random.fork_rng(devices=[])
    with torch.device(device), kept, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
