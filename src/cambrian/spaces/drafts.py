"""Drafts of networks: made without weights, for their shapes alone."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary, ref

from cambrian.choices import Scalar

if TYPE_CHECKING:
    from torch import nn

    from cambrian.architecture import Architecture
    from cambrian.spaces.space import Signature, Space

T = TypeVar("T")

_OURS = ("Lazy modules are a new feature", "for .*: copying from a non-meta parameter")
"""Warnings of torch that concern us and not the author of a space: lazy modules get their sizes here, and a
draft does not have weights to copy to."""

_keeping: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Whether a user's code keeps modules that it made, by the function or the space."""


def is_own(space: Space) -> bool:
    """Whether the space's program is a user's, and so may contain any mistake."""
    code = getattr(space, "function", type(space))
    return str(getattr(code, "__module__", "")).partition(".")[0] != "cambrian"


def draft_network(
    space: Space, architecture: Architecture, task: Signature, skeleton: Mapping[str, Scalar]
) -> nn.Module:
    """The network of an architecture without weights; of a user's space that cannot be made so, with some."""
    import torch

    def make() -> nn.Module:
        return space.build(architecture, task, **skeleton)

    if is_own(space):
        return make_draft(make, _code_of(space))
    with torch.device("meta"):
        return make()


def make_draft(make: Callable[[], T], code: Any) -> T:
    """What `make` makes on torch's meta device; on the CPU where its `code`, a user's, cannot be run there,
    as where it computes with numbers or moves a module to a device, or where it keeps modules: in a cache, a
    pretrained part of a draft would lack its weights for ever."""
    import torch

    with torch_quiet():
        if not keeps_modules(make, code):
            with suppress(Exception), torch.device("meta"):
                return make()
        # A draft must not change the random state, which the real network draws its weights from.
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            return make()


def keeps_modules(make: Callable[[], object], code: Any) -> bool:
    """Whether modules outlive what `make` returns. Each code is tried once, and with weights, which fills its
    caches with parts that have them."""
    import torch

    if code not in _keeping:
        quiet = suppress(Exception)  # of this one architecture: the next attempt says it
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), note_parameters() as noted, quiet:
            make()
        _keeping[code] = noted.is_any_alive()
    return _keeping[code]


def is_keeping(code: Any) -> bool:
    """Whether the code is known to keep modules."""
    return _keeping.get(code, False)


def is_shared(space: Space, network: nn.Module, noted: Noted) -> bool:
    """Whether a user's network may hold parts of another one: that were there before it was made, or that the
    space keeps. The training of one must not change what the next begins with."""
    return is_own(space) and (is_keeping(_code_of(space)) or not noted.has_all(network))


def remember_keeping(code: Any) -> None:
    """Run this code with weights from now on."""
    _keeping[code] = True


class Noted:
    """The parameters that were registered meanwhile."""

    def __init__(self) -> None:
        self._parameters: list[ref[Any]] = []
        self.made = False

    def note(self, _: object, __: str, parameter: Any) -> None:
        self.made = True
        if parameter is not None:
            self._parameters.append(ref(parameter))

    def has_all(self, network: nn.Module) -> bool:
        """Whether all parameters of the network are among them."""
        noted = {id(parameter()) for parameter in self._parameters}
        return all(id(parameter) in noted for parameter in network.parameters())

    def is_any_alive(self) -> bool:
        """Whether somebody still holds one of them."""
        if all(parameter() is None for parameter in self._parameters):
            return False
        gc.collect()  # modules that refer to one another live until then
        return any(parameter() is not None for parameter in self._parameters)


@contextmanager
def note_parameters() -> Iterator[Noted]:
    """torch's registration hook sees every parameter, also of modules that a body drops."""
    noted = Noted()
    if "torch" not in sys.modules:
        yield noted
        return
    from torch.nn.modules.module import register_module_parameter_registration_hook

    hook = register_module_parameter_registration_hook(noted.note)
    try:
        yield noted
    finally:
        hook.remove()


_shown: set[tuple[str, str, int]] = set()


@contextmanager
def torch_quiet() -> Iterator[None]:
    """Without those warnings, and others once for each place in a process, however many networks there are:
    Python's own account of that does not outlive a change of its filters."""
    with warnings.catch_warnings(record=True) as others:
        for message in _OURS:
            warnings.filterwarnings("ignore", message)
        yield
    for each in others:
        place = str(each.message), each.filename, each.lineno
        if place not in _shown:
            _shown.add(place)
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _code_of(space: Space) -> Any:
    """The function that a user wrote; of a class, this space, since another one may hold another part."""
    code = getattr(space, "function", space)
    try:
        hash(code), ref(code)
    except TypeError:
        return type(space)
    return code
