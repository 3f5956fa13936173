"""The exponential moving average of a network's weights over the steps of its training (Szegedy et al. 2016,
Sec. 8; averages of iterates are Polyak & Juditsky's, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average of all floating-point weights and buffers, statistics of normalisation included, with
    `decay` per step, at first with less: weights of which little is learned are soon forgotten."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        # The state's tensors share memory with the network's: they are looked up once.
        self._present = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
        self._mean = {k: v.clone() for k, v in self._present.items()}

    def update(self, steps: int) -> None:
        """Add the present weights, which had learned for `steps` steps before this one."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self._mean.values()), list(self._present.values()), 1 - decay)

    def load(self) -> None:
        """Replace the network's weights by their average."""
        _copy(self._mean, self._present)

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """The network has the average of its weights inside, and its own ones again afterwards."""
        held = {k: v.clone() for k, v in self._present.items()}
        self.load()
        try:
            yield
        finally:
            _copy(held, self._present)

    def state(self) -> dict[str, Tensor]:
        return dict(self._mean)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        _copy(tensors, self._mean)


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    """In place, so that the memory layout stays."""
    for name, tensor in target.items():
        tensor.copy_(source[name])
