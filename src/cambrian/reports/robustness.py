"""How a run's trained network holds against corruptions and attacks, on the test part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from cambrian.errors import RunError, UnknownName, UsageError

if TYPE_CHECKING:
    from cambrian.search.result import Result

BATCH = 256


class Robustness(msgspec.Struct, frozen=True):
    """Accuracies on `images` test images: `clean` as they are; `corrupted` by kind, one for each severity
    from 1 to 5, and their mean (the mean corruption accuracy); `attacked` under projected gradient descent
    with the settings `attack`."""

    images: int
    clean: float
    corrupted: dict[str, tuple[float, ...]]
    mean: float
    attacked: float
    attack: dict[str, float]
    seed: int


@dataclass
class _Counter:
    """Tells `watch` of each of `total` steps."""

    total: int
    watch: Callable[[str, int, int], object] | None
    done: int = 0

    def each(self, name: str, steps: Iterable[int]) -> Iterator[int]:
        for step in steps:
            if self.watch is not None:
                self.watch(name, self.done, self.total)
            yield step
            self.done += 1


def robustness(
    result: Result | str | os.PathLike[str],
    *,
    kinds: Sequence[str] = (),
    images: int | None = None,
    eps: float = 8 / 255,
    steps: int = 20,
    step: float = 2 / 255,
    restarts: int = 1,
    seed: int = 0,
    watch: Callable[[str, int, int], object] | None = None,
) -> Robustness:
    """Measure the network that a run chose, given as its result or its directory: under the corruptions
    `kinds` (none: all 15 of Hendrycks & Dietterich, ICLR 2019) in five severities each, and under an attack
    (Madry et al., ICLR 2018) that changes numbers of images in [0, 1] by `eps` at most. `images`: at most so
    many of the test part. The same seed gives the same numbers. `watch` is called at the beginning of each
    step with its name, and how many of how many are done. Raises RunError where the run has no trained
    network yet, UsageError for data that are not images in bytes with a class each."""
    from cambrian.networks.robustness.attack import PGD
    from cambrian.networks.robustness.corruptions import CORRUPTIONS, SEVERITIES
    from cambrian.networks.robustness.scoring import (
        check_bytes,
        score_attack,
        score_corruption,
        take_some,
    )
    from cambrian.networks.training.batches import images as make_images
    from cambrian.networks.training.scoring import scores
    from cambrian.search.delivery.missing_network import explain_missing
    from cambrian.search.result import result_of

    result = result_of(result)

    for kind in kinds:
        if kind not in CORRUPTIONS:
            raise UnknownName("corruption", kind, CORRUPTIONS)
    attack = PGD(eps, steps, step, restarts)
    if result.task is None or result.winner is None:
        raise RunError(explain_missing(result))
    if images is not None and images < 1:
        raise UsageError(f"images is at least 1, got {images}")
    network, task = result.model().network, result.task
    resolution = result.winner.fidelity.resolution
    part = make_images(
        task.inputs[task.test], task.targets[task.test], task.mean, task.std, "cpu", resolution
    )
    check_bytes(part, "robustness")
    part = take_some(part, images)
    names = tuple(kinds) or tuple(CORRUPTIONS)
    begin = _Counter(len(names) * len(SEVERITIES) + -(-len(part) // BATCH), watch)
    by_kind = {
        kind: tuple(
            score_corruption(network, part, kind, s, seed, BATCH) for s in begin.each(kind, SEVERITIES)
        )
        for kind in names
    }
    numbers = [number for row in by_kind.values() for number in row]
    return Robustness(
        len(part),
        scores(network, part, BATCH)["accuracy"],
        by_kind,
        sum(numbers) / len(numbers),
        score_attack(network, part, attack, seed, BATCH, partial(begin.each, "attack")),
        {"eps": eps, "steps": steps, "step": step, "restarts": restarts},
        seed,
    )
