"""Which images are trained on, chosen by, and judged by: seeded, disjoint, every class in every split.

Parts that a data set brings along are kept as they are. A missing part is carved out of the training part
by proportional allocation: every class gives its share, to the image. Where examples belong together
(`cambrian.tasks.blocks`), whole blocks are carved out instead, and a part is about as large.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cambrian.errors import DataError, UsageError
from cambrian.randomness import stream
from cambrian.tasks.blocks import carve_blocks
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Examples
from cambrian.tasks.nouns import count_examples, singular
from cambrian.tasks.phrases import short

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint sorted int64 indices."""

    train: Indices
    validation: Indices
    test: Indices


def split(
    examples: Examples,
    *,
    validation: float | None = None,
    test: float = 0.2,
    limit: int | None = None,
    seed: int = 0,
) -> Split:
    """Split `examples`. `validation` and `test`, for a data set without parts of its own, are fractions
    (below 1) or numbers of images (whole numbers): `test` of all images, `validation` of those that are not
    test. `validation=None` is a tenth, or up to a fifth where a tenth would be fewer than 500 images.

    `limit` keeps that many images, class by class in proportion, of those that are not in a validation or
    test part of the data set's own: those stay whole."""
    if examples.goal.kind != "classes":
        examples = _as_one_class(examples)
    pool = np.flatnonzero(examples.parts == TRAIN)
    own = {part: np.flatnonzero(examples.parts == part) for part in (VALIDATION, TEST)}
    needed = 1 + sum(not len(indices) for indices in own.values())  # splits that share the pool
    if examples.blocks is not None and needed == 1:
        raise DataError(
            f"{examples.name}: {examples.blocks.what} would say how parts are drawn, and the data have all of"
            " theirs: leave group= and order= out, or the parts"
        )
    _check(examples, pool, needed)
    if limit is not None and limit < len(pool):
        pool = _limit(examples, pool, needed, limit, seed)
    # The test part is carved first, so that it is the same whatever `validation` says.
    test_part = own[TEST]
    if not len(test_part):
        test_part = _carve(examples, pool, "test", test, needed - 1, seed)
        pool = np.setdiff1d(pool, test_part, assume_unique=True)
    validation_part = own[VALIDATION]
    if not len(validation_part):
        share = min(max(500 / len(pool), 0.1), 0.2) if validation is None else validation
        validation_part = _carve(examples, pool, "validation", share, 1, seed)
        pool = np.setdiff1d(pool, validation_part, assume_unique=True)
    return Split(pool, validation_part, test_part)


def _as_one_class(examples: Examples) -> Examples:
    """The same examples as a single class, since they have none to keep the shares of."""
    return replace(examples, targets=np.zeros(len(examples.targets), np.int64), labels=("examples",))


def quotas(sizes: Indices, total: int, low: Indices, high: Indices) -> Indices:
    """How many of each class to take: int64[classes] that sum to `total` (as far as the bounds allow),
    each between `low` and `high` and otherwise in proportion to `sizes`, by largest remainders.

    >>> quotas(np.array([50, 30, 20]), 10, np.array([1, 1, 1]), np.array([50, 30, 20]))
    array([5, 3, 2])
    """
    ideal = sizes * (total / sizes.sum())
    taken: Indices = np.clip(np.floor(ideal).astype(np.int64), low, high)
    # Invariant: low <= taken <= high. A round moves each class by one at most, those first that are farthest
    # from their ideal; ties go by the class's number, so that a seed gives one split.
    while (missing := total - int(taken.sum())) != 0:
        step = 1 if missing > 0 else -1
        free = np.flatnonzero(taken < high if step > 0 else taken > low)
        if not len(free):
            break
        neediest = free[np.argsort(-step * (ideal - taken)[free], kind="stable")]
        taken[neediest[: abs(missing)]] += step
    return taken


def _check(examples: Examples, pool: Indices, needed: int) -> None:
    """Every class must be able to give an image to every split that is to be carved."""
    if len(examples.labels) < 2 and examples.goal.kind == "classes":
        raise DataError(
            f"{examples.name}: there is only one class, {short(examples.labels[0])}: "
            "a classifier needs at least two"
        )
    counts = np.bincount(examples.targets[pool], minlength=len(examples.labels))
    few = np.flatnonzero(counts < needed)
    if not len(few):
        return
    label, count = short(examples.labels[few[0]]), int(counts[few[0]])
    others = f" (and {len(few) - 1} more classes too few)" if len(few) > 1 else ""
    none = f"no training {singular(examples.noun)}"
    have = f"only {count_examples(count, examples.noun, 'training')}" if count else none
    raise DataError(
        f"{examples.name}: class {label} has {have}{others}, too few to be in every split: "
        f"give every class at least {needed}, or leave it out"
    )


def _limit(examples: Examples, pool: Indices, needed: int, limit: int, seed: int) -> Indices:
    least = needed * len(examples.labels)
    if limit < least:
        raise DataError(
            f"{examples.name}: a limit of {limit} {examples.noun} is too few for {len(examples.labels)}"
            f" classes in {needed} splits: give at least {least}"
        )
    return _draw(examples, pool, limit, needed, 0, stream(seed, "task", "limit"))


def _carve(examples: Examples, pool: Indices, part: str, share: float, keep: int, seed: int) -> Indices:
    """Draw the part, leaving at least `keep` images of every class behind."""
    images = share > 1 and float(share).is_integer()  # 1 would leave it open which is meant
    if not (share < len(pool) if images else 0 < share < 1):
        raise UsageError(
            f"{part}={share}: expected a fraction between 0 and 1, "
            f"or a number of {examples.noun} from 2 to {len(pool) - 1}"
        )
    count = int(share) if images else round(share * len(pool))
    if examples.blocks is not None:
        return carve_blocks(examples, examples.blocks, pool, count, keep, stream(seed, "task", part))
    return _draw(examples, pool, count, 1, keep, stream(seed, "task", part))


def _draw(
    examples: Examples, pool: Indices, count: int, least: int, keep: int, rng: np.random.Generator
) -> Indices:
    targets = examples.targets[pool]
    sizes = np.bincount(targets, minlength=len(examples.labels))
    taken = quotas(sizes, count, np.full_like(sizes, least), sizes - keep)
    order = np.lexsort((rng.random(len(pool)), targets))  # class by class, shuffled within
    # The place of each image within its class: the start of its class is taken off.
    rank = np.arange(len(pool)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn: Indices = np.sort(pool[order[rank < taken[targets[order]]]])
    return drawn
