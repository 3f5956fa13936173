"""Running a network for its shapes alone: on the meta device, where nothing is computed or allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class Uncountable(ValueError):
    """The forward looks at numbers, which a network without weights does not have."""


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Raises Uncountable where PyTorch says that there were no numbers; errors of shapes stay its own."""
    try:
        yield
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, NotImplementedError) or any(w in str(error).lower() for w in ("meta", "device")):
            raise Uncountable(f"its forward cannot be run without numbers: {error}") from error
        raise


@contextmanager
def in_mode(network: nn.Module, training: bool) -> Iterator[None]:
    """All modules training, or all evaluating; afterwards each is in its own mode again."""
    modes = [(m, m.training) for m in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
