"""Runs of a network for its shapes only: on the meta device, where nothing is computed or allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class Uncountable(ValueError):
    """The forward reads values, which tensors on the meta device do not have."""


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Raise Uncountable where torch fails for lack of values. Its errors about shapes pass unchanged."""
    try:
        yield
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        # torch has no type of its own for this: its messages name the meta device, or a mix of devices.
        if isinstance(error, NotImplementedError) or any(w in str(error).lower() for w in ("meta", "device")):
            raise Uncountable(f"its forward cannot be run without numbers: {error}") from error
        raise


@contextmanager
def in_mode(network: nn.Module, training: bool) -> Iterator[None]:
    """Put all modules in training or in evaluation mode; afterwards each is in its former mode again."""
    modes = [(m, m.training) for m in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        # One by one, since `train()` sets all children alike: a user may have frozen a part of the network.
        for module, mode in modes:
            module.training = mode
