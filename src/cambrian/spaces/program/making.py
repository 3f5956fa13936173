"""The network that a program makes of an architecture, which shares no module with other networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cambrian.architecture import replay
from cambrian.choices import Answer, Scalar
from cambrian.errors import CambrianError, SpaceError, Unbuildable
from cambrian.spaces.drafts import make_draft, torch_quiet
from cambrian.spaces.program.reading import Built, Read
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

Made = list[tuple[str, "nn.Module"]]


def make_network(
    function: Callable[..., Any],
    architecture: Mapping[str, Answer],
    task: Signature,
    skeleton: Mapping[str, Scalar],
) -> tuple[nn.Module, Made]:
    """The network, and (question, module) of its modules. Under torch's meta device it is a draft; a
    body that cannot be run there, as where it computes with numbers, makes it with weights."""
    if not _drafting():
        with torch_quiet():
            return _own(*_read(function, architecture, task, skeleton), function.__name__)
    return make_draft(lambda: _read(function, architecture, task, skeleton)[:2], function)


def _drafting() -> bool:
    import torch

    return torch.get_default_device().type == "meta"


def _read(
    function: Callable[..., Any],
    architecture: Mapping[str, Answer],
    task: Signature,
    skeleton: Mapping[str, Scalar],
) -> tuple[nn.Module, Made, set[int]]:
    """The network, its modules by question, and the ids of the parameters registered meanwhile."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    new: list[Any] = []  # and not their ids: those of parameters that are gone come again
    reading = Built()
    # Before the hook: a refused setting of the skeleton would leave it there, and it holds every parameter.
    read = Read(function, task, skeleton, reading)
    hook = register_module_parameter_registration_hook(lambda _, __, parameter: new.append(parameter))
    try:
        replay(read, architecture)
    finally:
        hook.remove()
    return read.network, reading.made, {id(parameter) for parameter in new}


def _own(network: nn.Module, made: Made, new: set[int], name: str) -> tuple[nn.Module, Made]:
    """The network, a copy where it has modules that existed before: weights trained in one trial must not be
    those with which the next one begins."""
    from cambrian.networks.tensor_copies import copy_network

    parameters = list(network.parameters())
    if any(p.device.type == "meta" for p in parameters):
        raise Unbuildable(f"{name} makes modules on torch's meta device, which have no weights to train")
    # All parameters are new: a copy would only cost time.
    if all(id(p) in new for p in parameters):
        return network, made
    try:
        memo: dict[int, Any] = {}
        # The memo maps old modules to copies, so that questions name the modules of the copy.
        return copy_network(network, memo), [(q, memo.get(id(m), m)) for q, m in made]
    except CambrianError:
        raise
    except Exception as error:
        raise SpaceError(
            f"{name} puts a module into its network that was made before it was called, and that cannot be "
            f"copied ({error}): make it, or copy it, inside of {name}"
        ) from error
