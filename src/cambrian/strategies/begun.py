"""The architectures that a search measures first, whatever its strategy."""

from __future__ import annotations

from cambrian.architecture import Architecture
from cambrian.problem import Problem
from cambrian.spaces.knowledge import Begins, know


def list_begun(problem: Problem) -> dict[str, Architecture]:
    """By name: those that the space begins with, as a network that the user has, and those that whoever
    began the search named, as the best of an earlier run; each architecture once."""
    known = know(problem.space, Begins)
    begun = {} if known is None else dict(known.begins)
    held = set(begun.values())
    return {**begun, **{name: each for name, each in problem.begins.items() if each not in held}}
