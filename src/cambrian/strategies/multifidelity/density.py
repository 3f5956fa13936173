"""Kernel densities over architectures: those of BOHB (Falkner, Klein & Hutter 2018, Sec. 4.1), with the
kernels of statsmodels' `KDEMultivariate`, which its authors' code uses.

Every question path is a coordinate: a number between 0 and 1, or a category. A path that was not asked on the
way to an architecture has a value all the same, that of a random other architecture of the same set, or a
random one where none of the set was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, Walkable, questions
from cambrian.choices import Answer, Choice, Integer, OneOf, Real
from cambrian.errors import IllegalArchitecture, Rejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDER = 3.0
"""Factor of a number's bandwidth where candidates are drawn: "to encourage more exploration"."""
Row = Mapping[str, float]
"""The coordinates of an architecture by path."""


@dataclass(frozen=True)
class Coordinates:
    """The questions by path as they were first asked, and of each category its answers, whose places are its
    values."""

    choices: Mapping[str, Choice]
    answers: Mapping[str, tuple[Answer, ...]]

    def add(self, space: Walkable, architecture: Architecture) -> tuple[Coordinates, Row]:
        """The coordinates with all paths of the architecture, and its row."""
        choices, answers, row = dict(self.choices), dict(self.answers), dict[str, float]()
        for choice in questions(space, architecture):
            first, answer = choices.setdefault(choice.path, choice), architecture[choice.path]
            if isinstance(first, Real | Integer) and isinstance(answer, int | float):
                # In the range of this question, which earlier answers may have moved.
                asked = choice if isinstance(choice, Real | Integer) else first
                row[choice.path] = _read_number(asked, answer)
                continue
            known = answers.get(choice.path, choice.options if isinstance(choice, OneOf) else ())
            # By their texts: to Python 1 and True are one answer.
            texts = [repr(each) for each in known]
            if repr(answer) not in texts:
                known, texts = (*known, answer), [*texts, repr(answer)]
            answers[choice.path] = known
            row[choice.path] = float(texts.index(repr(answer)))
        return Coordinates(choices, answers), row

    @property
    def paths(self) -> list[str]:
        return list(self.choices)

    def count_options(self) -> NDArray[np.float64]:
        """By path, the number of answers of a category; 0 for a number."""
        return np.array([float(len(self.answers.get(path, ()))) for path in self.paths])

    def walk(
        self, space: Walkable, vector: NDArray[np.float64], rng: np.random.Generator
    ) -> Architecture | None:
        """The architecture whose answers are those of the vector where they are legal, else drawn; None where
        the space rejects it."""
        values = dict(zip(self.paths, vector.tolist()))

        def decide(choice: Choice) -> Answer:
            if choice.path in values:
                try:
                    return choice.check(self._read_answer(choice, values[choice.path]))
                except IllegalArchitecture:
                    pass
            return choice.draw(rng)

        try:
            return space.walk(decide)
        except Rejected:
            return None

    def _read_answer(self, choice: Choice, value: float) -> Answer:
        if choice.path in self.answers:
            return self.answers[choice.path][int(value)]
        if isinstance(choice, Real):
            return choice.at(value)
        asked = choice if isinstance(choice, Integer) else self.choices[choice.path]
        return asked.at(value) if isinstance(asked, Real) else _find_whole(asked, value)


def _find_whole(choice: Choice, value: float) -> int:
    """The whole number at a place between 0 and 1."""
    assert isinstance(choice, Integer)
    return min(choice.high, choice.low + int(value * choice.size))


def _read_number(choice: Real | Integer, answer: float) -> float:
    """The answer's place between 0 and 1; a whole number is in the middle of its share."""
    if isinstance(choice, Real):
        return min(1.0, max(0.0, choice.fraction(answer)))
    return min(1.0, max(0.0, (answer - choice.low + 0.5) / choice.size))


def impute(
    rows: Sequence[Row], paths: Sequence[str], options: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """float[rows, paths]: a path that a row lacks has the value of a random row that has it, and where none
    has it a random value, as in HpBandSter: a category of its `options` [paths], or a number (0 options)."""
    values = [[row.get(path, np.nan) for path in paths] for row in rows]
    table: NDArray[np.float64] = np.array(values).reshape(len(rows), -1)
    for column, count in zip(table.T, options.tolist()):
        missing = np.isnan(column)
        known, lacking = column[~missing], int(missing.sum())
        if len(known):
            column[missing] = rng.choice(known, lacking)
        else:
            column[missing] = rng.integers(int(count), size=lacking) if count else rng.random(lacking)
    return table


@dataclass(frozen=True)
class Density:
    """A product of kernels around each of `data` [rows, paths]: normal ones for numbers, those of Aitchison &
    Aitken (1976) for categories, of which `options` [paths] is the number of answers (0: a number)."""

    data: NDArray[np.float64]
    options: NDArray[np.float64]
    least: float = 1e-3

    @property
    def bandwidth(self) -> NDArray[np.float64]:
        """By normal reference: 1.06 standard deviations times n**(-1/(4 + d)), at least `least`."""
        rows, paths = self.data.shape
        wide = 1.06 * self.data.std(axis=0) * rows ** (-1 / (4 + paths))
        # A category's kernel is uniform at (c - 1) / c; beyond it would prefer what is not there.
        most = np.where(self.options > 0, (self.options - 1) / np.maximum(self.options, 1), np.inf)
        bounded: NDArray[np.float64] = np.minimum(np.maximum(wide, self.least), np.maximum(most, self.least))
        return bounded

    def at(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The density [vectors] of vectors [vectors, paths]."""
        width, shift = self.bandwidth, vectors[:, None, :] - self.data[None, :, :]
        normal = np.exp(-0.5 * (shift / width) ** 2) / (np.sqrt(2 * np.pi) * width)
        other = width / np.maximum(self.options - 1, 1)
        category = np.where(np.abs(shift) < 0.5, 1 - width, other)
        kernels = np.where(self.options > 0, category, normal)
        return np.asarray(kernels.prod(axis=2).mean(axis=1))

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A vector [paths] near a random row: a category is kept with the probability of 1 less its
        bandwidth, else drawn uniformly; a number is drawn from a normal of three bandwidths, truncated to
        [0, 1]."""
        vector: NDArray[np.float64] = self.data[int(rng.integers(len(self.data)))].copy()
        for place, (width, options) in enumerate(zip(self.bandwidth.tolist(), self.options.tolist())):
            if options > 0:
                vector[place] = vector[place] if rng.random() < 1 - width else rng.integers(int(options))
            else:
                vector[place] = _draw_truncated(vector[place], WIDER * width, rng)
        return vector


def _draw_truncated(mean: float, deviation: float, rng: np.random.Generator) -> float:
    """A normal draw between 0 and 1."""
    from scipy.special import ndtr, ndtri

    low, high = ndtr(-mean / deviation), ndtr((1 - mean) / deviation)
    return float(np.clip(mean + deviation * ndtri(low + rng.random() * (high - low)), 0.0, 1.0))
