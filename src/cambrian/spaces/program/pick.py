"""The questioner handed to a space's program."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

from msgspec.structs import replace

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Chance, Choice, Integer, OneOf, Real, Scalar, SomeOf
from cambrian.errors import Rejected, SpaceError
from cambrian.options import MOST, check_options, check_path, count_range, validate_weights
from cambrian.paths import Parts, Path, check_index, parts_of

Known = dict[str, tuple[Any, Any, Sequence[Scalar], tuple[Any, ...]]]
"""The question last asked under each path, with its kind, options and settings."""

_TEXTS = (str, Path)


class Pick:
    """The questioner handed to a space's program: each call asks one question and returns its answer.

    A path may be asked once in a walk; `inside` gives sub-programs a prefix of their own."""

    def __init__(
        self,
        decide: Decide,
        prefix: str = "",
        answers: dict[str, Answer] | None = None,
        known: Known | None = None,
        above: Parts = (),
    ) -> None:
        self._decide = decide
        # Sampling is most of the calls: a `Chance` draws without a call through `decide`, and needs no check.
        self._chance = decide if type(decide) is Chance else None
        self._random = self._chance.random if self._chance else None
        self._prefix = prefix
        self._above = above  # the parts of the prefix, where it has numbers
        self._answers: dict[str, Answer] = {} if answers is None else answers
        self._known: Known = {} if known is None else known

    def __call__(self, path: str, options: Sequence[Scalar], weights: Sequence[float] | None = None) -> Any:
        if weights is not None:
            return self._ask(OneOf, path, options, (self._check_weights(path, weights),))
        try:
            name = self._prefix + path
            known = self._known.get(name)
            if self._random and known and known[1] is OneOf and not known[3] and name not in self._answers:
                before = known[2]
                if before is options or (len(before) == len(options) and all(map(is_, before, options))):
                    # `_ask` and OneOf.draw, without their calls: most questions of a sample come here.
                    answer = self._answers[name] = before[int(self._random() * len(before))]
                    return answer
        except (TypeError, OverflowError):  # neither path nor options need be what they should: see `_ask`
            pass
        return self._ask(OneOf, path, options, ())

    def some(
        self, path: str, options: Sequence[Scalar], least: int, most: int | None = None
    ) -> tuple[Any, ...]:
        """`least` of the options, or between `least` and `most` of them, as a tuple."""
        most = least if most is None else most
        answer = self._ask(SomeOf, path, options, (least, most))
        assert isinstance(answer, tuple)
        return answer

    def integer(self, path: str, low: int, high: int) -> int:
        return self._ask(_integer, path, (low, high), ())  # type: ignore[no-any-return]

    def real(self, path: str, low: float, high: float, log: bool = False) -> float:
        return self._ask(_real, path, (low, high), (log,))  # type: ignore[no-any-return]

    def depth(self, path: str, low: int, high: int, weights: Sequence[float] | None = None) -> int:
        """How many repetitions of a part: the complexity order that progressive search climbs."""
        counts = count_range(self._path(path), low, high)
        return self._ask(OneOf, path, counts, (self._check_weights(path, weights), True))  # type: ignore[no-any-return]

    def require(self, ok: object, reason: str) -> None:
        """Reject the walk unless `ok`: samples are drawn again, neighbours and growth skip it."""
        if not ok:
            raise Rejected(reason)

    def inside(self, prefix: str, index: int | None = None) -> Pick:
        """The same questioner for a sub-space, whose paths all begin with `prefix/`, or for one of several
        that are alike, with `prefix{index}/`: questions that differ in the index alone are of one kind."""
        return Pick(self._decide, *self._inner(prefix, index))

    def _inner(self, prefix: str, index: int | None) -> tuple[str, dict[str, Answer], Known, Parts]:
        """All that a questioner inside has but its way of deciding."""
        above = self._below(prefix)
        if index is None:
            above = (*above, "/") if above else above
            return f"{self._prefix}{prefix}/", self._answers, self._known, above
        text = f"{self._prefix}{prefix}{index}/"
        if type(index) is not int or index < 0:
            check_index(text, index)
        return text, self._answers, self._known, (*(above or (self._prefix, prefix)), index, "/")

    def _below(self, path: str) -> Parts:
        """The parts of a path under this prefix; none where none of its numbers is known."""
        if not self._above and type(path) is not Path:
            return ()
        return (*(self._above or (self._prefix,)), *parts_of(path))

    def ask(self, choice: Choice) -> Answer:
        if choice.path in self._answers:
            raise SpaceError(f"question {choice.path!r} is asked twice in one walk")
        # A loop without an end would fill the memory before anyone saw an error.
        if len(self._answers) >= MOST:
            first, last = next(iter(self._answers)), choice.path
            raise SpaceError(
                f"{MOST} questions are asked in one walk, from {first!r} on, and {last!r} is one more: does "
                f"a loop end?"
            )
        answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
        self._answers[choice.path] = answer
        return answer

    def architecture(self) -> Architecture:
        return Architecture(self._answers)

    def _ask(self, kind: Any, path: str, options: Sequence[Scalar], settings: tuple[Any, ...]) -> Any:
        """The answer to the question of that kind, the very one of the last walk where it is the same:
        checking that options are distinct takes longer than asking."""
        asked, path = path, self._prefix + path if type(path) in _TEXTS else self._path(path)
        if path in self._known and path not in self._answers:
            choice, of_kind, before, set_so = self._known[path]
            # Equal is not the same: 1, 1.0 and True are three options.
            try:
                same = before is options or (len(before) == len(options) and all(map(is_, before, options)))
            except (TypeError, OverflowError):
                same = False
            if same and of_kind is kind and set_so == settings:
                answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
                self._answers[path] = answer
                return answer
        choice = kind(path, check_options(path, options), *settings)
        if parts := self._below(asked):
            choice = replace(choice, parts=parts)
        # A list may change in place and then equal itself: only fixed sequences are compared by identity.
        kept = options if isinstance(options, tuple | range) else choice.options
        self._known[path] = (choice, kind, kept, settings)
        return self.ask(choice)

    def _path(self, path: Any) -> str:
        """The whole path of a question, which is text."""
        if not isinstance(path, str):
            check_path(path)
        return f"{self._prefix}{path}"

    def _check_weights(self, path: Any, weights: Any) -> tuple[float, ...] | None:
        return None if weights is None else validate_weights(self._path(path), weights)


def _integer(path: str, bounds: tuple[int, int]) -> Integer:
    return Integer(path, *bounds)


def _real(path: str, bounds: tuple[float, float], log: bool) -> Real:
    return Real(path, *bounds, log)
