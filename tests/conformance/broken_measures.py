"""Measures that break one promise each. `Norm`, which they vary, breaks none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch


@dataclass(frozen=True)
class Norm:
    """The sum of squares of all weights."""

    unit: ClassVar[str] = ""
    images: ClassVar[int] = 2
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def needs_weights(self, device: str) -> bool:
        return True

    def protocol(self, device: str) -> str:
        return "sum of squares"

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return sum(float(p.detach().square().sum()) for p in network.parameters())


@dataclass(frozen=True)
class LeavesTraining(Norm):
    """Evaluates, and leaves the network so."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return super().__call__(network.eval(), batch, device)


@dataclass(frozen=True)
class TrainsAll(Norm):
    """Restores one mode for all modules."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        mode = network.training
        value = super().__call__(network.eval(), batch, device)
        network.train(mode)
        return value


@dataclass(frozen=True)
class Rescales(Norm):
    """Changes a weight in place."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        with torch.no_grad():
            next(network.parameters()).mul_(2)
        return 1.0


@dataclass(frozen=True)
class MovesStatistics(Norm):
    """A forward pass in training mode, which the running statistics remember."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        modes = [(m, m.training) for m in network.modules()]
        with torch.no_grad(), torch.random.fork_rng():
            network.train()(batch)
        for module, mode in modes:
            module.training = mode
        return 1.0


@dataclass(frozen=True)
class ReplacesWeights(Norm):
    """The same values in other tensors, which an optimiser would not know of."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        network[0].weight = torch.nn.Parameter(network[0].weight.detach().clone())
        return 1.0


@dataclass(frozen=True)
class LeavesGradients(Norm):
    """A backward pass whose gradients stay."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        sum(p.square().sum() for p in network.parameters()).backward()
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class ClearsGradients(Norm):
    """Clears those that were there."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        network.zero_grad(set_to_none=True)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class Thaws(Norm):
    """Lets every parameter have a gradient."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        network.requires_grad_(True)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class LeavesHooks(Norm):
    """Hooks that are never removed."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        network.register_forward_hook(lambda *known: None)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class LeavesNotes(Norm):
    """A note on each module."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        for module in network.modules():
            module.measured = True
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class Draws(Norm):
    """Draws from torch's own generator."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        torch.rand(1)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class SeedsNumpy(Norm):
    """Seeds a generator that others draw from."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        np.random.seed(0)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class StopsGradients(Norm):
    """Leaves torch without gradients."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        torch.set_grad_enabled(False)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class TakesThreads(Norm):
    """Leaves torch with more threads."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class BlanksImages(Norm):
    """Writes into the batch."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        batch.zero_()
        return super().__call__(network, batch, device)


@dataclass(frozen=True)
class NotFinite(Norm):
    """A logarithm of nothing."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return float("-inf")


@dataclass(frozen=True)
class GivesTensors(Norm):
    """A tensor, which holds on to the network by its graph."""

    def __call__(self, network: Any, batch: Any, device: str) -> Any:
        return next(network.parameters()).sum()


@dataclass(frozen=True)
class HiddenNoise(Norm):
    """Noise of its own, which it does not own up to."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return float(np.random.default_rng().random())


@dataclass(frozen=True)
class ByMode(Norm):
    """Another number for a network that trains."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return float(network.training)


@dataclass(frozen=True)
class ReadsImages(Norm):
    """Says that it does not look at the images."""

    def __call__(self, network: Any, batch: Any, device: str) -> float:
        return float(batch.mean())


@dataclass(frozen=True)
class NeedsNumbers(Norm):
    """Says that it does without weights."""

    def needs_weights(self, device: str) -> bool:
        return False


@dataclass(frozen=True)
class Silent(Norm):
    """Does not say how it measures."""

    def protocol(self, device: str) -> str:
        return ""


@dataclass(frozen=True)
class Forgets(Norm):
    """Not the setting it was made with."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", self.scale + 1)


BROKEN = [
    (Silent, "its_traits_are_typed"),
    (Forgets, "its_settings_are_a_spec"),
    (NotFinite, "it_is_a_finite_number"),
    (GivesTensors, "it_is_a_finite_number"),
    (LeavesTraining, "it_leaves_modes_alone"),
    (TrainsAll, "it_leaves_modes_alone"),
    (Rescales, "it_leaves_weights_alone"),
    (MovesStatistics, "it_leaves_weights_alone"),
    (ReplacesWeights, "it_leaves_weights_alone"),
    (LeavesGradients, "it_leaves_gradients_alone"),
    (ClearsGradients, "it_leaves_gradients_alone"),
    (Thaws, "it_leaves_gradients_alone"),
    (LeavesHooks, "it_leaves_nothing_behind"),
    (LeavesNotes, "it_leaves_nothing_behind"),
    (Draws, "it_leaves_generators_alone"),
    (SeedsNumpy, "it_leaves_generators_alone"),
    (StopsGradients, "it_leaves_settings_alone"),
    (TakesThreads, "it_leaves_settings_alone"),
    (BlanksImages, "it_leaves_the_batch_alone"),
    (HiddenNoise, "it_gives_the_same_number_again"),
    (ByMode, "the_mode_does_not_matter"),
    (ReadsImages, "it_reads_the_batch_as_it_says"),
    (NeedsNumbers, "it_does_without_weights_as_it_says"),
]
