"""The kinds of question that a space may ask, and the operations on their answers.

A question is a value: its path and its set of legal answers. It draws answers, checks them, and lists the
answers next to a given one. Nothing in this module knows of networks.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.errors import IllegalArchitecture, SpaceError
from cambrian.options import Scalar as Scalar
from cambrian.options import (
    check_bound,
    check_distinct,
    check_path,
    check_real,
    check_some,
    check_weights,
    check_whole,
    list_options,
    subsets,
)
from cambrian.paths import Parts

if TYPE_CHECKING:
    import numpy as np

NEAR = 1024
"""The longest range of whole numbers in which all numbers are neighbours; in a longer one only some are."""

Answer = Scalar | tuple[Scalar, ...]


class Chance:
    """Decides a walk by drawing every answer. It takes uniform numbers from `rng` 32 at a time, which is
    several times as quick as one by one; drawn answers need no check."""

    __slots__ = ("integers", "random")

    def __init__(self, rng: np.random.Generator) -> None:
        self.random: Callable[[], float] = _numbers(rng).__next__
        self.integers = rng.integers

    def __call__(self, choice: Choice) -> Answer:
        return choice.draw(self)


def _numbers(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(32).tolist()


class OneOf(msgspec.Struct, frozen=True, tag="one"):
    """One of `options`. `weights` affect sampling only. `depth` marks a complexity order (the
    options ascend); `module` marks a fork whose options one network can hold at once. `parts` are
    the parts of the path, where its numbers are known (see `cambrian.paths`)."""

    path: str
    options: tuple[Scalar, ...]
    weights: tuple[float, ...] | None = None
    depth: bool = False
    module: bool = False
    parts: Parts = ()

    def __post_init__(self) -> None:
        check_path(self.path)
        check_distinct(self.path, self.options)
        if self.weights is not None:
            check_weights(self.path, self.weights, len(self.options))

    @property
    def size(self) -> int:
        return len(self.options)

    @property
    def legal(self) -> str:
        """The legal answers, as a phrase for people."""
        return f"one of {list_options(self.options)}"

    def draw(self, rng: np.random.Generator | Chance) -> Answer:
        options = self.options
        if self.weights is None:
            # A third of the time of rng.integers, and no further from uniform than 1e-15.
            return options[int(rng.random() * len(options))]
        return options[_draw_index(self.weights, rng)]

    def check(self, answer: object) -> Answer:
        for option in self.options:
            if option is answer:  # `draw` returns the option itself, so most checks end here
                return option
        return _option(self.path, answer, self.options)

    def answers(self) -> Iterator[Answer]:
        yield from self.options

    def near(self, answer: Answer, rng: np.random.Generator) -> Iterator[Answer]:
        yield from (o for o in self.options if o != answer)


class SomeOf(msgspec.Struct, frozen=True, tag="some"):
    """Between `least` and `most` distinct `options`, answered as a tuple in the options' order."""

    path: str
    options: tuple[Scalar, ...]
    least: int
    most: int
    module: bool = False
    parts: Parts = ()

    def __post_init__(self) -> None:
        check_path(self.path)
        check_distinct(self.path, self.options)
        check_some(self.path, self.least, self.most, len(self.options))

    @property
    def legal(self) -> str:
        return f"a list of {self.least} to {self.most} of {list_options(self.options)}"

    @property
    def size(self) -> int:
        return sum(subsets(len(self.options), self.least, self.most))

    def draw(self, rng: np.random.Generator | Chance) -> Answer:
        """Uniform over the subsets, not over their sizes."""
        # First the size, each in proportion to its number of subsets, then a subset of that size.
        counts = [math.comb(len(self.options), k) for k in range(self.least, self.most + 1)]
        wanted = self.least + (_draw_index(counts, rng) if len(counts) > 1 else 0)
        chosen, left = [], len(self.options)
        for option in self.options:  # selection sampling: Knuth, TAOCP 2, 3.4.2, algorithm S
            if rng.random() * left < wanted:
                chosen.append(option)
                wanted -= 1
            left -= 1
        return tuple(chosen)

    def check(self, answer: object) -> Answer:
        if not isinstance(answer, tuple | list):
            raise IllegalArchitecture(f"question {self.path!r}: expected {self.legal}, got {answer!r}")
        chosen = [_option(self.path, a, self.options) for a in answer]
        if len(set(chosen)) != len(chosen) or not self.least <= len(chosen) <= self.most:
            raise IllegalArchitecture(
                f"question {self.path!r}: expected {self.legal}, each once, got {list(answer)}"
            )
        return tuple(sorted(chosen, key=self.options.index))

    def answers(self) -> Iterator[Answer]:
        for k in range(self.least, self.most + 1):
            yield from itertools.combinations(self.options, k)

    def near(self, answer: Answer, rng: np.random.Generator) -> Iterator[Answer]:
        """One option added, dropped, or exchanged."""
        subset = set(answer) if isinstance(answer, tuple) else set()
        absent = [o for o in self.options if o not in subset]
        # By the options' order, not the set's: text hashes differently in every process.
        present = [o for o in self.options if o in subset]
        sets = itertools.chain(
            (subset | {o} for o in absent),
            (subset - {o} for o in present),
            ((subset - {old}) | {new} for old in present for new in absent),
        )
        for chosen in sets:
            if self.least <= len(chosen) <= self.most:
                yield tuple(o for o in self.options if o in chosen)


class Integer(msgspec.Struct, frozen=True, tag="integer"):
    """A whole number, `low` and `high` included."""

    path: str
    low: int
    high: int
    parts: Parts = ()

    def __post_init__(self) -> None:
        check_path(self.path)
        check_whole(self.path, self.low, self.high)

    @property
    def legal(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    def draw(self, rng: np.random.Generator | Chance) -> Answer:
        span = self.high - self.low + 1
        # A float has 53 bits: up to 2^32 each number's share is right to 2^-21 of itself.
        if span < 1 << 32:
            return self.low + int(rng.random() * span)
        return int(rng.integers(self.low, self.high + 1))

    def check(self, answer: object) -> Answer:
        if isinstance(answer, bool) or not isinstance(answer, int) or not self.low <= answer <= self.high:
            raise IllegalArchitecture(f"question {self.path!r}: expected {self.legal}, got {answer!r}")
        return answer

    def answers(self) -> Iterator[Answer]:
        yield from range(self.low, self.high + 1)

    def near(self, answer: Answer, rng: np.random.Generator) -> Iterator[Answer]:
        """All other numbers of a range of up to NEAR; of a longer one the two next to the answer and a few
        seeded steps, as for a real number."""
        assert isinstance(answer, int)
        every = range(self.low, self.high + 1)
        if self.size <= NEAR:
            yield from (n for n in every if n != answer)
            return
        steps = (round(float(z) * self.size) for z in rng.normal(0.0, 0.2, size=4))
        wanted = (answer - 1, answer + 1, *(answer + step for step in steps))
        yield from dict.fromkeys(n for n in wanted if n in every and n != answer)


class Real(msgspec.Struct, frozen=True, tag="real"):
    """A real number between `low` and `high`, drawn uniformly, or log-uniformly if `log`."""

    path: str
    low: float
    high: float
    log: bool = False
    parts: Parts = ()

    def __post_init__(self) -> None:
        check_path(self.path)
        for name in ("low", "high"):
            if type(getattr(self, name)) not in (int, float):  # NumPy's, which cannot be written as JSON
                msgspec.structs.force_setattr(self, name, check_bound(self.path, getattr(self, name)))
        check_real(self.path, self.low, self.high, self.log)

    @property
    def legal(self) -> str:
        return f"a number from {self.low} to {self.high}"

    @property
    def size(self) -> None:
        return None

    def draw(self, rng: np.random.Generator | Chance) -> Answer:
        return self.at(float(rng.random()))

    def check(self, answer: object) -> Answer:
        number = isinstance(answer, int | float) and not isinstance(answer, bool)
        if not number or not self.low <= answer <= self.high:  # type: ignore[operator]
            raise IllegalArchitecture(f"question {self.path!r}: expected {self.legal}, got {answer!r}")
        return float(answer)  # type: ignore[arg-type]

    def answers(self) -> Iterator[Answer]:
        raise SpaceError(f"question {self.path!r} is real: its answers cannot be counted")

    def near(self, answer: Answer, rng: np.random.Generator) -> Iterator[Answer]:
        """Four seeded steps around the answer, a fifth of the range in standard deviation."""
        assert isinstance(answer, int | float)
        centre = self.fraction(float(answer))
        for step in rng.normal(0.0, 0.2, size=4):
            yield self.at(min(max(centre + float(step), 0.0), 1.0))

    def at(self, fraction: float) -> float:
        """The number that lies `fraction` of the way from low to high, on the question's scale."""
        if self.log:
            value = math.exp(math.log(self.low) + fraction * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + fraction * (self.high - self.low)
        return min(max(value, self.low), self.high)  # exp(log(high)) may round to more than high

    def fraction(self, value: float) -> float:
        """The position of `value` between low and high, from 0 to 1: the inverse of `at`."""
        if self.high == self.low:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


Choice = OneOf | SomeOf | Integer | Real


def describe_question(choice: Choice) -> dict[str, Any]:
    """The question as JSON, without the parts of its path: only their text counts."""
    fields: dict[str, Any] = msgspec.to_builtins(choice)
    del fields["parts"]
    return fields


def read_whole(answer: Answer) -> int:
    """The answer to a question about a whole number, typed as an int."""
    assert isinstance(answer, int)
    return answer


def _draw_index(weights: Sequence[float], rng: np.random.Generator | Chance) -> int:
    """An index, drawn with a probability in proportion to its weight."""
    sums = list(itertools.accumulate(weights))
    # The bound is the last index of a positive weight: a product that rounds up to the sum must not pass it.
    return min(bisect(sums, rng.random() * sums[-1]), sums.index(sums[-1]))


def _option(path: str, answer: object, options: tuple[Scalar, ...]) -> Scalar:
    for option in options:
        # To Python 1 == True; as answers they are two options.
        if option == answer and isinstance(answer, bool) == isinstance(option, bool):
            return option
    raise IllegalArchitecture(f"question {path!r}: {answer!r} is not an option", str(answer), options)
