"""Architectures as numbers, for curve models that read them beside curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Answer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def describe_architectures(architectures: Sequence[Architecture]) -> NDArray[np.float64]:
    """float[n, m]: one column for every number that is asked, in units of its range here, one for every
    other answer, 1 where it was given, and one for every word that several questions have as an answer: how
    often it was given, in units of its range. The last are for models that know a hundred architectures or
    fewer, which tell early how many convolutions there are, and late what each edge has."""
    pairs = dict.fromkeys(_name(path, answer) for a in architectures for path, answer in a.items())
    words = Counter(answer for path, answer in pairs if path and answer)
    shared = [("", word) for word, questions in words.items() if questions > 1]
    columns = {name: place for place, name in enumerate([*pairs, *shared])}
    table = np.zeros((len(architectures), len(columns)))
    for row, architecture in enumerate(architectures):
        for path, answer in architecture.items():
            name = _name(path, answer)
            table[row, columns[name]] = float(answer) if _is_number(answer) else 1.0  # type: ignore[arg-type]
            if ("", name[1]) in columns:
                table[row, columns["", name[1]]] += 1
    low, high = table.min(axis=0, initial=np.inf), table.max(axis=0, initial=-np.inf)
    # A column that is the same everywhere tells nothing, and is 0.
    described: NDArray[np.float64] = (table - low) / np.where(high > low, high - low, 1.0)
    return described


def measure_distances(descriptions: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, n]: the sums of absolute differences, in units of the largest of them."""
    apart = np.abs(descriptions[:, None] - descriptions[None]).sum(axis=-1)
    distances: NDArray[np.float64] = apart / max(float(apart.max(initial=0.0)), 1e-12)
    return distances


def _name(path: str, answer: Answer) -> tuple[str, str]:
    """The question, and the answer if it is none of a range."""
    return path, "" if _is_number(answer) else repr(answer)


def _is_number(answer: Answer) -> bool:
    return isinstance(answer, int | float) and not isinstance(answer, bool)
