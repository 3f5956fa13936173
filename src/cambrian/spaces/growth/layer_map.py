"""The questions of a program, layer by layer, explored by walks, for spaces with one `pick.depth`."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, Walkable
from cambrian.choices import Answer, Choice, Integer, OneOf, Real, Scalar, SomeOf
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError
from cambrian.paths import Parts, kind_of, numbers_of
from cambrian.randomness import stream

if TYPE_CHECKING:
    import numpy as np

Slot = tuple[str, Scalar | None]
"""A path, and which of its options where several may be had."""

BINS = 32  # tokens of a real question, and of a whole-number one with more answers than twice that
EXPLORED = 4000  # walks at most to learn a program's questions


def depth_path(space: Walkable, walks: int = 16) -> str | None:
    """The path of the one `pick.depth` that every walk asks, or None where walks differ in it."""
    depths: set[tuple[str, ...]] = set()
    for n in range(walks):
        asked = _ask(space, {}, stream(0, "depth", n))
        if asked is not None:
            depths.add(tuple(c.path for c, _ in asked if isinstance(c, OneOf) and c.depth))
    return next(iter(depths))[0] if len(depths) == 1 and len(next(iter(depths))) == 1 else None


@dataclass(frozen=True)
class DepthMap:
    """The outcome of exploring a program's questions. `rows` counts, from 0, the lowest level at which a path
    is asked, the depth's own left out; `place` is the (row, column) of each slot's path, `words` the
    answers of each kind of slot."""

    depth: str
    levels: tuple[int, ...]
    continuous: bool
    choices: dict[str, Choice]
    rows: dict[str, int]
    place: dict[Slot, tuple[int, int]]
    columns: list[tuple[str, int]]
    words: dict[str, list[Scalar]]

    def tokens(self, architecture: Architecture) -> Iterator[tuple[int, int, int]]:
        """(row, column, token) of every answer; one that exploring did not reach does not have a token."""
        for path, answer in architecture.items():
            choice = self.choices.get(path)
            if choice is None:
                continue
            known = self._vocabularies[path]
            for slot, word in _words(choice, answer):
                if slot in self.place and word in known:
                    row, column = self.place[slot]
                    yield row, column, known[word]

    @cached_property
    def _vocabularies(self) -> dict[str, dict[Scalar, int]]:
        """The token of each word, by path; paths of one kind share theirs."""
        tokens = {kind: {word: n + 1 for n, word in enumerate(words)} for kind, words in self.words.items()}
        return {path: tokens.get(_kind(choice), {}) for path, choice in self.choices.items()}

    @cached_property
    def layers(self) -> dict[str, tuple[str, int, int]]:
        """(kind, layer counted from 0, n-th of the kind in its layer) of every path that belongs to one.

        Paths that differ only in numbers that count are one kind. A kind belongs to layers where each level
        above the first brings the same number of its paths, and the first as many for each of its layers."""
        rows: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for path, row in self.rows.items():
            rows[kind_of(_parts(self.choices[path]))][row].append(path)
        places: dict[str, tuple[str, int, int]] = {}
        for kind, asked in rows.items():
            # Row 0 holds all layers of the lowest level: only row 1 shows the paths of one layer.
            width = len(asked[1])
            expected = [width * self.levels[0], *[width] * (len(self.levels) - 1)]
            if width and [len(asked[row]) for row in range(len(self.levels))] == expected:
                ordered = [p for row in sorted(asked) for p in sorted(asked[row], key=self._numbers)]
                places |= {path: (kind, i // width, i % width) for i, path in enumerate(ordered)}
        return places

    def _numbers(self, path: str) -> tuple[int, ...]:
        return numbers_of(self.choices[path].parts)

    @cached_property
    def paths(self) -> dict[tuple[str, int, int], str]:
        """The inverse of `layers`."""
        return {place: path for path, place in self.layers.items()}


def explore(space: Walkable) -> DepthMap:
    """Walk until every answer to every question has been given once, each in a walk otherwise like the one
    in which its question was first asked."""
    depth = depth_path(space)
    if depth is None:
        raise SpaceError("not every walk of the space asks the same `pick.depth`, so that it has no order")
    rng = stream(0, "explore")
    todo = deque[tuple[Mapping[str, Answer], Mapping[str, Answer]]]([({}, {})])  # answers, those changed
    left = EXPLORED - 1  # more would never be walked, and would fill the memory
    tried: set[tuple[str, Answer]] = set()
    first: dict[str, int] = {}  # the lowest level at which a path is asked
    choices: dict[str, Choice] = {}
    probed: dict[str, Choice] = {}  # the question of each path whose answers were tried last
    words: dict[str, dict[Scalar, None]] = {}
    while todo:
        # Breadth first: an answer is tried in the plainest walk that reaches its question.
        before, changed = todo.popleft()
        asked = _ask(space, {**before, **changed}, rng)
        if asked is None:
            continue
        answers = {c.path: answer for c, answer in asked}
        lower = [d for c, own in asked if c.path == depth for d in c.answers() if d < own]  # type: ignore[operator]
        for choice, _answer in asked:
            if choice.path not in choices:  # is it asked at lower levels too, all else being equal?
                todo.extend((answers, {depth: d}) for d in lower[:left])
                left -= min(left, len(lower))
            choices[choice.path] = _merge(choices.get(choice.path), choice)
            first[choice.path] = min(first.get(choice.path, 10**9), int(answers[depth]))  # type: ignore[arg-type]
            # Nearly all walks ask the very same questions as one before, which have nothing new to try.
            if probed.get(choice.path) is choice:
                continue
            probed[choice.path] = choice
            for answer in _probes(choice):
                for _, word in _words(choice, answer) if choice.path != depth else ():
                    words.setdefault(_kind(choice), {})[word] = None
                if (choice.path, answer) not in tried:
                    tried.add((choice.path, answer))
                    if left:
                        todo.append((answers, {choice.path: answer}))
                        left -= 1
    # The level is not a token: it is the number of rows.
    del first[depth]
    levels = tuple(sorted(int(a) for p, a in tried if p == depth))  # type: ignore[arg-type]
    rows = {p: levels.index(at) for p, at in first.items()}
    place, columns = _layout(choices, rows)
    continuous = any(isinstance(c, Real) for c in choices.values())
    vocabularies = {kind: list(answers) for kind, answers in words.items()}
    return DepthMap(depth, levels, continuous, choices, rows, place, columns, vocabularies)


def _layout(
    choices: dict[str, Choice], rows: dict[str, int]
) -> tuple[dict[Slot, tuple[int, int]], list[tuple[str, int]]]:
    """A column for the n-th slot of a kind in its row."""
    place: dict[Slot, tuple[int, int]] = {}
    columns: dict[tuple[str, int], int] = {}
    count: dict[tuple[int, str], int] = {}
    for path, row in rows.items():
        kind = _kind(choices[path])
        for slot in _slots(choices[path]):
            nth = count.get((row, kind), 0)
            count[row, kind] = nth + 1
            place[slot] = (row, columns.setdefault((kind, nth), len(columns)))
    return place, list(columns)


def _ask(
    space: Walkable, wanted: Mapping[str, Answer], rng: np.random.Generator, tries: int = 20
) -> list[tuple[Choice, Answer]] | None:
    """The questions and answers of a walk that answers as `wanted` where legal; None if rejected."""
    for _ in range(tries):
        asked: list[tuple[Choice, Answer]] = []

        def decide(choice: Choice, asked: list[tuple[Choice, Answer]] = asked) -> Answer:
            try:
                answer = choice.check(wanted[choice.path])
            except (KeyError, IllegalArchitecture):
                answer = choice.draw(rng)
            asked.append((choice, answer))
            return answer

        try:
            space.walk(decide)
        except Rejected:
            continue
        return asked
    return None


def _merge(old: Choice | None, new: Choice) -> Choice:
    """The question with the options of both: those of some-of-n may depend on other answers, and each option
    gets a slot."""
    if isinstance(old, SomeOf) and isinstance(new, SomeOf):
        options = tuple(dict.fromkeys(old.options + new.options))
        return SomeOf(old.path, options, min(old.least, new.least), max(old.most, new.most), parts=old.parts)
    return new if old is None else old


def _is_binned(choice: Choice) -> bool:
    return isinstance(choice, Real) or (isinstance(choice, Integer) and choice.size > 2 * BINS)


def _probes(choice: Choice) -> list[Answer]:
    """Answers worth trying: all of them, or one per bin, or subsets that together hold each option
    and leave each out."""
    if isinstance(choice, Real):
        # The middles of the bins: each answer falls into a bin of its own.
        return [choice.at((n + 0.5) / BINS) for n in range(BINS)]
    if isinstance(choice, Integer) and _is_binned(choice):
        return [choice.low + (2 * n + 1) * (choice.size - 1) // (2 * BINS) for n in range(BINS)]
    if isinstance(choice, SomeOf) and choice.size > 2 * BINS:
        # Rotations: in the smallest and the largest subsets of each, every option is present once and absent
        # once, without 2^n walks.
        turned = [choice.options[n:] + choice.options[:n] for n in range(len(choice.options))]
        return [choice.check(t[:k]) for t in turned for k in {choice.least, choice.most}]
    return list(choice.answers())


def _words(choice: Choice, answer: Answer) -> list[tuple[Slot, Scalar]]:
    """(slot, word) of an answer: one slot per question, but one per option where several may be had."""
    if isinstance(choice, SomeOf):
        assert isinstance(answer, tuple)
        return [(slot, option in answer) for slot, option in zip(_slots(choice), choice.options)]
    assert not isinstance(answer, tuple)
    if isinstance(choice, Real):
        return [((choice.path, None), min(int(choice.fraction(float(answer)) * BINS), BINS - 1))]
    if isinstance(choice, Integer) and _is_binned(choice):
        return [((choice.path, None), (int(answer) - choice.low) * BINS // choice.size)]
    return [((choice.path, None), answer)]


def _slots(choice: Choice) -> list[Slot]:
    if isinstance(choice, SomeOf):
        return [(choice.path, option) for option in choice.options]
    return [(choice.path, None)]


def _kind(choice: Choice) -> str:
    """The same for slots that share a vocabulary: those of questions that differ in numbers that count, and
    of one question's options."""
    return kind_of(_parts(choice)) + "?" * isinstance(choice, SomeOf)


def _parts(choice: Choice) -> Parts:
    return choice.parts or (choice.path,)
