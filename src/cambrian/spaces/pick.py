"""The questioner handed to a space's program."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Chance, Choice, Integer, OneOf, Real, Scalar, SomeOf
from cambrian.errors import Rejected, SpaceError

Known = dict[str, tuple[Any, Any, Sequence[Scalar], tuple[Any, ...]]]
"""The question last asked under each path, and what it was made of: its kind, options and settings."""


class Pick:
    """The questioner handed to a space's program: each call asks one question and returns its answer.

    A path may be asked once in a walk; `inside` gives sub-programs a prefix of their own."""

    def __init__(
        self,
        decide: Decide,
        prefix: str = "",
        answers: dict[str, Answer] | None = None,
        known: Known | None = None,
    ) -> None:
        self._decide = decide
        self._chance = decide if type(decide) is Chance else None
        self._random = self._chance.random if self._chance else None
        self._prefix = prefix
        self._answers: dict[str, Answer] = {} if answers is None else answers
        self._known: Known = {} if known is None else known

    def __call__(self, path: str, options: Sequence[Scalar], weights: Sequence[float] | None = None) -> Any:
        if weights is not None:
            return self._asked(OneOf, path, options, (as_weights(weights),))
        name = self._prefix + path
        known = self._known.get(name)
        if self._random and known and known[1] is OneOf and not known[3] and name not in self._answers:
            offered = known[2]
            if offered is options or (len(offered) == len(options) and all(map(is_, offered, options))):
                # `_asked` and OneOf.draw, without their calls: most of what a sample asks comes here.
                answer = self._answers[name] = offered[int(self._random() * len(offered))]
                return answer
        return self._asked(OneOf, path, options, ())

    def some(
        self, path: str, options: Sequence[Scalar], least: int, most: int | None = None
    ) -> tuple[Any, ...]:
        """`least` of the options, or between `least` and `most` of them, as a tuple."""
        most = least if most is None else most
        answer = self._asked(SomeOf, path, options, (least, most))
        assert isinstance(answer, tuple)
        return answer

    def integer(self, path: str, low: int, high: int) -> int:
        return self._asked(_integer, path, (low, high), ())  # type: ignore[no-any-return]

    def real(self, path: str, low: float, high: float, log: bool = False) -> float:
        return self._asked(_real, path, (low, high), (log,))  # type: ignore[no-any-return]

    def depth(self, path: str, low: int, high: int, weights: Sequence[float] | None = None) -> int:
        """How many repetitions of a part: the complexity order that progressive search climbs."""
        counts = counting(self._prefix + path, low, high)
        return self._asked(OneOf, path, counts, (as_weights(weights), True))  # type: ignore[no-any-return]

    def require(self, ok: object, reason: str) -> None:
        """Reject the walk unless `ok`: samples are drawn again, neighbours and growth skip it."""
        if not ok:
            raise Rejected(reason)

    def inside(self, prefix: str) -> Pick:
        """The same questioner for a sub-space, whose paths all begin with `prefix/`."""
        return Pick(self._decide, f"{self._prefix}{prefix}/", self._answers, self._known)

    def ask(self, choice: Choice) -> Answer:
        if choice.path in self._answers:
            raise SpaceError(f"question {choice.path!r} is asked twice in one walk")
        answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
        self._answers[choice.path] = answer
        return answer

    def architecture(self) -> Architecture:
        return Architecture(self._answers)

    def _asked(self, kind: Any, path: str, options: Sequence[Scalar], settings: tuple[Any, ...]) -> Any:
        """The answer to the question of that kind, the very one of the last walk where it is the same:
        checking that options are distinct takes longer than asking."""
        path = self._prefix + path
        if path in self._known and path not in self._answers:
            choice, of_kind, offered, set_so = self._known[path]
            # Equal is not the same: 1, 1.0 and True are three options.
            same = offered is options or (len(offered) == len(options) and all(map(is_, offered, options)))
            if same and of_kind is kind and set_so == settings:
                answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
                self._answers[path] = answer
                return answer
        if isinstance(options, str):
            raise SpaceError(f"question {path!r}: options are a list, got the text {options!r}")
        choice = kind(path, tuple(options), *settings)
        offered = options if isinstance(options, tuple | range) else choice.options
        self._known[path] = (choice, kind, offered, settings)
        return self.ask(choice)


def _integer(path: str, bounds: tuple[int, int]) -> Integer:
    return Integer(path, *bounds)


def _real(path: str, bounds: tuple[float, float], log: bool) -> Real:
    return Real(path, *bounds, log)


def as_weights(weights: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if weights is None else tuple(float(w) for w in weights)


def counting(path: str, low: int, high: int) -> range:
    """The numbers from `low` to `high`, how many of something there may be."""
    if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high):
        raise SpaceError(f"question {path!r}: there cannot be between {low!r} and {high!r} of something")
    return range(low, high + 1)
