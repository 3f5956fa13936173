"""N-grams: the probabilities of the next character by counting, which say what a text gives without a
network.

Interpolated Kneser-Ney smoothing (Kneser & Ney, ICASSP 1995; Chen & Goodman 1999, "An Empirical Study of
Smoothing Techniques for Language Modeling", Sec. 2.7): with the characters h before w, and h' those without
the first,

    p(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) p(w | h')

where N(h) is how many characters follow h, D = n1 / (n1 + 2 n2) by how many n-grams occur once and twice, and
below the highest order c(h w) is how many characters precede h w. The lowest order is mixed with equal
shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cambrian.goal import IGNORED
from cambrian.tasks.targets.metrics import METRICS, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.tasks.task import Task

ORDERS = (2, 4, 6, 8)
"""The lengths of n-grams that are tried on the validation part."""
DISCOUNT = 0.5
"""D where no n-gram occurs once, or none twice."""


class Places(NamedTuple):
    """The characters before each place, int64 [n, order - 1], and those at it, int64 [n]."""

    before: NDArray[np.int64]
    at: NDArray[np.int64]


class Level(NamedTuple):
    """The n-grams of one order. `contexts` int64 [c] are the numbers of their beginnings, rising; those that
    end the context k lie from `starts[k]` to before `starts[k + 1]`, each with its character and its share of
    the probability; `left[k]` is the share of lower orders."""

    contexts: NDArray[np.int64]
    starts: NDArray[np.int64]
    characters: NDArray[np.int64]
    shares: NDArray[np.float64]
    left: NDArray[np.float64]


@dataclass(frozen=True)
class NGrams:
    """`levels` are those of the orders 1, 2, ...; `characters` are told apart."""

    characters: int
    levels: Sequence[Level]

    def predict(self, before: NDArray[np.int64]) -> NDArray[np.float64]:
        """The probabilities float64 [n, characters] of the next character after `before` int64 [n, at least
        order - 1]."""
        probabilities = np.full((len(before), self.characters), 1 / self.characters)
        for order, level in enumerate(self.levels, 1):
            wanted = number_grams(before[:, before.shape[1] - order + 1 :], self.characters)
            place = np.minimum(np.searchsorted(level.contexts, wanted), len(level.contexts) - 1)
            rows = np.flatnonzero(level.contexts[place] == wanted)
            place = place[rows]
            probabilities[rows] *= level.left[place, None]
            counts = level.starts[place + 1] - level.starts[place]
            # The n-grams of each row's context, one after the other.
            ends = np.cumsum(counts)
            grams = np.arange(counts.sum()) + np.repeat(level.starts[place] - ends + counts, counts)
            probabilities[np.repeat(rows, counts), level.characters[grams]] += level.shares[grams]
        return probabilities


def number_grams(grams: NDArray[np.int64], characters: int) -> NDArray[np.int64]:
    """A number for each row of [n, order], by which rows are sorted from their first character on."""
    numbers = np.zeros(len(grams), np.int64)
    for column in grams.T:
        numbers = numbers * characters + column
    return numbers


def fit_ngrams(places: Places, order: int, characters: int) -> NGrams:
    """The n-grams of up to `order` characters, at least one, at these places; `characters`**order is below
    2**63."""
    before = places.before[:, places.before.shape[1] - order + 1 :]
    grams = number_grams(np.column_stack([before, places.at]), characters)
    numbers, counts = np.unique(grams, return_counts=True)
    levels = []
    for size in range(order, 0, -1):
        levels.append(_make_level(numbers, counts, characters))
        # Without their first character; each is counted once for every character before it.
        numbers, counts = np.unique(numbers % characters ** (size - 1), return_counts=True)
    return NGrams(characters, levels[::-1])


def _make_level(numbers: NDArray[np.int64], counts: NDArray[np.int64], characters: int) -> Level:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else DISCOUNT
    contexts, starts = np.unique(numbers // characters, return_index=True)
    kinds = np.diff(starts, append=len(numbers))
    totals = np.add.reduceat(counts, starts)
    shares = (counts - discount) / np.repeat(totals, kinds)
    return Level(
        contexts, np.append(starts, len(numbers)), numbers % characters, shares, discount * kinds / totals
    )


def find_places(task: Task, which: NDArray[np.int64], order: int, every: bool = True) -> Places:
    """The places of a language task in the pieces `which`, each once: pieces overlap by half, and in the
    first half of one only those count that the piece before does not have. Without `every`, only those that
    judge a network."""
    read = task.inputs[which, :, 0].argmax(2)
    targets = task.targets[which]
    half = read.shape[1] // 2
    counts = targets != IGNORED
    anew = np.ones(len(read), np.bool_)
    anew[1:] = (read[1:, :half] != read[:-1, read.shape[1] - half :]).any(1)
    counts[:, :half] &= anew[:, None] & every
    counts[:, : max(order - 2, 0)] = False  # too little is read before them
    pieces, rows = np.nonzero(counts)
    before = read[pieces[:, None], rows[:, None] + np.arange(2 - order, 1)]
    return Places(before, targets[pieces, rows])


def score_ngrams(task: Task) -> tuple[int, float]:
    """The order that is best on the validation part, and its score on the test part in the task's metric, by
    counts of all the rest: at the same places as a network's."""
    metric = METRICS[task.metric]
    sign = 1 if metric.minimize else -1
    # Numbers of n-grams have 62 bits, and that much is read before every place that is judged.
    most = min(int(62 / np.log2(task.classes)), task.height // 2 + 2)
    orders = [n for n in ORDERS if n <= most]
    values = [sign * _score(task, n, task.train, task.validation) for n in orders]
    order = orders[int(np.argmin(values))]
    learned = np.sort(np.concatenate([task.train, task.validation]))
    return order, _score(task, order, learned, task.test)


def _score(task: Task, order: int, learned: NDArray[np.int64], judged: NDArray[np.int64]) -> float:
    model = fit_ngrams(find_places(task, learned, order), order, task.classes)
    places = find_places(task, judged, order, every=False)
    return measure(task.metric, places.at, model.predict(places.before), task.goal)
