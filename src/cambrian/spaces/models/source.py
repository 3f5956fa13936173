"""The user's network: given as it is, as a function that makes it, or as `module:name` of either."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from cambrian.errors import CambrianError, SpaceError
from cambrian.registry import Registry
from cambrian.spaces.program.candidates import error_text
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

WANTED = "a model is a torch.nn.Module, a function or class that makes one, or module:name of either"


def find_source(model: Any) -> Any:
    """The network or the function that `model` is or names."""
    return _find_named(model) if isinstance(model, str) else model


@cache
def _find_named(model: str) -> Any:
    if ":" not in model:
        raise SpaceError(
            f"{WANTED}, got {model!r}: write it as in mine:net, the name net in the file mine.py"
        )
    return Registry("model", {}).get(model)


def find_name(model: Any) -> Any:
    """`module:name` of a function or class that another process can import so; any other model as it is."""
    module, name = getattr(model, "__module__", None), getattr(model, "__qualname__", "")
    found: Any = sys.modules.get(str(module))
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if name and found is model and module != "__main__" else model


def name_source(model: Any) -> str:
    """A name of the network for sentences."""
    if isinstance(model, str):
        return model
    return str(getattr(model, "__name__", type(model).__name__))


def make_model(model: Any, task: Signature) -> nn.Module:
    """The user's network on the CPU, which shares nothing with what the user holds."""
    import torch
    from torch import nn

    from cambrian.networks.tensor_copies import copy_network

    source = find_source(model)
    # On the CPU also for a draft: files of weights cannot be loaded onto the meta device.
    with torch.device("cpu"):
        network = source if isinstance(source, nn.Module) else _call(source, task, name_source(model))
    if not isinstance(network, nn.Module):
        raise SpaceError(f"{name_source(model)} gives {type(network).__name__}: {WANTED}")
    if isinstance(network, torch.jit.ScriptModule):
        raise SpaceError(
            f"{name_source(model)} is a scripted network, whose layers cannot be changed: give the module"
            " that it was scripted from"
        )
    # A copy: the training of one trial must not change the weights with which the next one begins.
    return copy_network(network)


def has_own_weights(model: Any, task: Signature) -> bool:
    """Whether most of the weights are the same however torch is seeded, as those of a trained network are."""
    import torch

    tensors = []
    with torch.random.fork_rng(devices=[]):
        for seed in (0, 1):
            torch.manual_seed(seed)
            tensors.append([p for p in make_model(model, task).parameters() if p.dim() > 1])
    same = [torch.equal(one, other) for one, other in zip(*tensors, strict=True)]
    return 2 * sum(same) > len(same)


def _call(source: Any, task: Signature, name: str) -> Any:
    """The result of the user's function, which may want the task's shapes."""
    if not callable(source):
        raise SpaceError(f"{name} is {type(source).__name__}: {WANTED}")
    arguments = [task] * _count_wanted(source, name)
    try:
        return source(*arguments)
    except (CambrianError, MemoryError):
        raise
    except Exception as error:  # a function of the user's own may raise anything
        raise SpaceError(f"{name} cannot be called: {error_text(error)}") from error


def _count_wanted(source: Any, name: str) -> int:
    """How many arguments the function must be given: none, or the task."""
    try:
        parameters = list(inspect.signature(source).parameters.values())
    except ValueError:  # some callables written in C have none
        return 0
    if parameters and parameters[0].name == "task":  # perhaps with a default, for calls of the user's own
        return 1
    needed = [
        p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(needed) > 1 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise SpaceError(
            f"{name} wants {', '.join(p.name for p in needed)}: a function that makes a model is called with"
            " the task's shapes (channels, height, width, classes), or with nothing"
        )
    return len(needed)
