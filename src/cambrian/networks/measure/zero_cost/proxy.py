"""The abstract zero-cost proxy: a measure of a copy of the network, in the mode of the definitions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from cambrian.goal import CLASSES, Goal
from cambrian.networks.heads import first_head
from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.tensor_copies import copy_network
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.settings import Span, check_settings


@dataclass(frozen=True)
class Batch:
    """`images` float[n, channels, height, width], and their `targets`, of classes int64[n] and else as the
    `goal` has them; None where they are not known, and then classes are drawn."""

    images: Tensor
    targets: Tensor | None = None
    goal: Goal = CLASSES


@dataclass(frozen=True)
class Proxy(ABC):
    """A score of a network before training, from a batch of `images`; higher is better. Only `score` is
    written by a proxy. It gets a copy of the network in evaluation mode, except for normalisation, which
    uses the statistics of the batch; all of its parameters need gradients."""

    images: Annotated[int, Span(2)] = 32
    """32 are the batch of the reference scores (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022)."""

    unit: ClassVar[str] = ""
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = True
    phrase: ClassVar[str]
    """The definition in words."""

    def __post_init__(self) -> None:
        check_settings(self, "a proxy")

    def needs_weights(self, device: str) -> bool:
        return True

    def protocol(self, device: str) -> str:
        return f"{self.phrase}; {self.images} images"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        return self.measure_labelled(network, Batch(batch))

    def measure_labelled(self, network: nn.Module, batch: Batch) -> float:
        """The score on labelled images. Raises Undefined where the network does not have one."""
        with scratch_copy(network) as copy:
            value = float(self.score(copy, batch))
        if not math.isfinite(value):
            raise Undefined(f"its {self.phrase} is {value}")
        return value

    @abstractmethod
    def score(self, network: nn.Module, batch: Batch) -> float:
        """The number, which may be infinite or not a number; the network may be changed."""


@contextmanager
def scratch_copy(network: nn.Module) -> Iterator[nn.Module]:
    """A copy that a proxy may change, with gradients enabled and a generator of its own."""
    copy = copy_network(network)
    copy.zero_grad(set_to_none=True)
    copy.requires_grad_(True)
    # Dropout and auxiliary heads are off, as in the networks that the definitions were published for.
    copy.eval()
    for module in copy.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a user's module may draw in its forward
        yield copy


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The convolutions and linear layers, whose weights the gradient proxies read."""
    return [m for m in network.modules() if isinstance(m, _ConvNd | nn.Linear)]


def weights_of(network: nn.Module) -> list[Tensor]:
    """The weights of `layers_of`, without biases; a weight that two layers share once."""
    weights = {id(layer.weight): layer.weight for layer in layers_of(network)}
    return [w for w in weights.values() if isinstance(w, Tensor)]


def compute_loss(network: nn.Module, batch: Batch) -> Tensor:
    """The loss that the network would learn by, float[]: of classes the cross-entropy of the logits."""
    if batch.targets is not None and batch.goal.kind != "classes":
        outputs = first_head(network(batch.images)).float()
        return make_loss(Recipe(), batch.goal)(outputs, batch.targets)
    logits = compute_logits(network, batch.images)
    return F.cross_entropy(logits, classes_of(batch, logits.shape[1]).to(logits.device))


def compute_logits(network: nn.Module, images: Tensor) -> Tensor:
    """float[n, classes]"""
    logits = network(images)
    # Some networks of users return the features beside the logits, or a sequence of outputs.
    first: Tensor = logits[0] if isinstance(logits, tuple | list) else logits
    return first.flatten(1)


def classes_of(batch: Batch, classes: int) -> Tensor:
    """The targets, or drawn ones, which are the same for all networks. Raises Undefined for images that do
    not have one class each."""
    if batch.goal.kind != "classes":
        raise Undefined(f"it compares the images of a class, and these have {batch.goal.kind}")
    if batch.targets is not None:
        return batch.targets
    generator = torch.Generator().manual_seed(0)
    return torch.randint(classes, (len(batch.images),), generator=generator)


def differentiate(value: Tensor, parts: Sequence[Tensor], again: bool = False) -> list[Tensor]:
    """The gradients of `value`, zero for a part that it does not depend on. `again` keeps the graph of the
    gradients, so that they can be differentiated too."""
    if not value.requires_grad:
        return [torch.zeros_like(p) for p in parts]
    gradients = torch.autograd.grad(value, parts, allow_unused=True, create_graph=again, retain_graph=again)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parts, strict=True)]
