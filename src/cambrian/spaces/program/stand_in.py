"""Stand-ins for modules while a program is sampled, which makes none."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from cambrian.errors import SpaceError


class NotMade(SpaceError, AttributeError):
    """A stand-in was asked for an attribute that only a real module has; to `hasattr` it is absent."""


def stand_in(*_: Any, **__: Any) -> Any:
    return _identity() if "torch" in sys.modules else None


@cache
def _identity() -> Any:
    from torch import nn

    class StandIn(nn.Identity):
        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                raise NotMade(
                    f"while a space is sampled its modules are stand-ins without {name!r}: read that in a "
                    f"function without arguments, returned to make the network"
                ) from None

    return StandIn()


def module_list(modules: Iterable[Any]) -> Any:
    if "torch" not in sys.modules:
        return list(modules)
    from torch import nn

    return nn.ModuleList(modules)
