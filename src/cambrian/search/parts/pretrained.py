"""The pretrained parts of a user's networks: which of their weights do not come from chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity
from cambrian.randomness import integer_seed
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

FRESH, OPEN, KEPT = "fresh", "open", "kept"


def find_pretrained(
    space: Space, architecture: Architecture, shape: Signature, fidelity: Fidelity
) -> dict[str, int]:
    """The number of parameters by part, as "body (Sequential)", of the parts of a network whose weights are
    the same however it is seeded, as those of a loaded part are."""
    try:
        one, other = (build_seeded(space, architecture, shape, fidelity, n) for n in (0, 1))
    except Exception:  # a program of the user's own may raise anything; its trials say what it did
        return {}
    twins = dict(other.named_modules())
    states = {
        name: _compare_own(module, twins[name]) for name, module in one.named_modules() if name in twins
    }
    return dict(_list_kept(one, "", states))


def build_seeded(
    space: Space, architecture: Architecture, shape: Signature, fidelity: Fidelity, number: int = 0
) -> nn.Module:
    """The network with initial weights of the seed of that number; the user's own random state is left as it
    was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(0, "check", *([number] if number else [])))
        return space.build(architecture, shape, **fidelity.skeleton).eval()


def _compare_own(one: nn.Module, other: nn.Module) -> str:
    """Whether a module's own parameters, without those of its children, depend on the seed. A constant, as a
    bias of zeros, leaves it open: fresh weights may be constant too."""
    import torch
    from torch.nn.parameter import is_lazy

    twins = dict(other.named_parameters(recurse=False))
    state = OPEN
    for name, parameter in one.named_parameters(recurse=False):
        twin = twins.get(name)
        if twin is None or is_lazy(parameter) or not torch.equal(parameter, twin):
            return FRESH
        if parameter.numel() > 1 and bool((parameter != parameter.flatten()[0]).any()):
            state = KEPT
    return state


def _summarise(module: nn.Module, name: str, states: dict[str, str]) -> str:
    """The state of a module with all that is in it: kept where something in it is, and nothing is fresh."""
    inside = {states.get(_join(name, path), FRESH) for path, _ in module.named_modules()}
    return next((state for state in (FRESH, KEPT) if state in inside), OPEN)


def _list_kept(module: nn.Module, name: str, states: dict[str, str]) -> list[tuple[str, int]]:
    """The outermost modules that are kept, with their parameters."""
    if _summarise(module, name, states) == KEPT:
        title = f"{name} ({type(module).__name__})" if name else type(module).__name__
        return [(title, sum(p.numel() for p in module.parameters()))]
    children = [(_join(name, child), part) for child, part in module.named_children()]
    return [kept for path, part in children for kept in _list_kept(part, path, states)]


def _join(name: str, path: str) -> str:
    return ".".join(filter(None, (name, path)))
