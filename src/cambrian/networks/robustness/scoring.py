"""What a trained network gets right on images that are made harder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.heads import first_head
from cambrian.networks.robustness.attack import PGD
from cambrian.networks.robustness.corruptions import corrupt
from cambrian.networks.training.batches import Images
from cambrian.networks.training.scoring import scores

_corrupted: WeakKeyDictionary[Images, dict[tuple[str, int, int], Images]] = WeakKeyDictionary()
"""The corrupted images of a part, made once in a process: they take longer than most networks."""
_some: WeakKeyDictionary[Images, dict[int, Images]] = WeakKeyDictionary()
"""Some of the images of a part, which are the same ones for every network."""


def check_bytes(images: Images, purpose: str) -> None:
    """Raise UsageError for images that are no bytes of pixels, or whose targets are no classes."""
    check_targets(images, purpose)
    if images.pixels.dtype != torch.uint8:
        raise UsageError(
            f"{purpose} is of images in bytes, from 0 to 255: these data are float numbers, of which nobody"
            " says which change is small"
        )


def check_targets(images: Images, purpose: str) -> None:
    """Raise UsageError unless each image has one class."""
    if images.targets.ndim != 1 or images.targets.dtype != torch.int64:
        raise UsageError(f"{purpose} counts classes, one for each image: these data have other targets")


def take_some(images: Images, count: int | None) -> Images:
    """At most `count` of the images (None: all), evenly from the first to the last."""
    if count is None or len(images) <= count:
        return images
    held = _some.setdefault(images, {})
    if count not in held:
        which = torch.linspace(0, len(images) - 1, count).round().long().to(images.targets.device)
        held[count] = replace(images, pixels=images.pixels[which], targets=images.targets[which])
    return held[count]


def score_corruption(
    network: nn.Module, images: Images, kind: str, severity: int, seed: int, batch: int
) -> float:
    """The accuracy on the images under one corruption of one severity, of which no copy is kept."""
    return scores(network, _corrupt_all(images, kind, severity, seed), batch)["accuracy"]


def score_corruptions(
    network: nn.Module, images: Images, kinds: Sequence[str], severities: Sequence[int], seed: int, batch: int
) -> dict[str, tuple[float, ...]]:
    """The accuracies by kind, one for each severity; the corrupted images are kept for other networks."""
    check_bytes(images, "accuracy under corruptions")
    return {
        kind: tuple(
            scores(network, _recall_corrupted(images, kind, s, seed), batch)["accuracy"] for s in severities
        )
        for kind in kinds
    }


def _recall_corrupted(images: Images, kind: str, severity: int, seed: int) -> Images:
    held, key = _corrupted.setdefault(images, {}), (kind, severity, seed)
    if key not in held:
        held[key] = _corrupt_all(images, kind, severity, seed)
    return held[key]


def _corrupt_all(images: Images, kind: str, severity: int, seed: int) -> Images:
    pixels = corrupt(images.pixels.cpu().numpy(), kind, severity, seed)
    return replace(images, pixels=torch.from_numpy(pixels).to(images.pixels.device))


def score_attack(
    network: nn.Module,
    images: Images,
    attack: PGD,
    seed: int,
    batch: int,
    each: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> float:
    """The accuracy on the worst images that the attack finds. The network keeps its mode and gradients.
    `each` goes over the first images of batches, such as one that counts them."""
    check_bytes(images, "accuracy under attack")
    generator = torch.Generator().manual_seed(seed)
    right = 0
    with _evaluating(network):
        for begin in each(range(0, len(images), batch)):
            piece = slice(begin, begin + batch)
            right += _count_right(network, images, piece, attack, generator)
    return right / len(images)


def _count_right(
    network: nn.Module, images: Images, piece: slice, attack: PGD, generator: torch.Generator
) -> int:
    mean, std = (each.reshape(1, -1, 1, 1) for each in (images.mean, images.std))

    def classify(inputs: Tensor) -> Tensor:
        return first_head(network((inputs - mean) / std)).float()

    inputs = (images.pixels[piece].float() / 255).permute(0, 3, 1, 2).contiguous()
    targets = images.targets[piece]
    worst = attack.attack(classify, inputs, targets, generator)
    with torch.no_grad():
        return int((classify(worst).argmax(1) == targets).sum())


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, and without gradients of weights, which an attack does not need."""
    training = network.training
    asked = [p for p in network.parameters() if p.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    network.eval()
    try:
        yield
    finally:
        network.train(training)
        for parameter in asked:
            parameter.requires_grad_(True)
