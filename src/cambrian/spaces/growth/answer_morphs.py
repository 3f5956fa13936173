"""Network morphisms as edits of answers: of any space whose questions ask for depths, widths, kernels and
connections (Chen et al. 2016; Elsken et al. 2017, Sec. 3; Cai et al. 2018, "Path-Level Network
Transformation", Sec. 3; Elsken et al. 2019, Sec. 4.1).

An edit is one answer that is larger than the one before it: the next depth or width, the same operation with
a larger kernel, an operation where there was none, one input more. Shrinking takes the same steps back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import Answer, Choice, Integer, OneOf, Scalar, SomeOf
from cambrian.errors import IllegalArchitecture, Rejected
from cambrian.paths import kind_of
from cambrian.spaces.growth.moves import MOVES, TRIES
from cambrian.spaces.knowledge import Moves, know

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

SHRINKS = {
    "deepen": "shallow",
    "widen": "narrow",
    "kernel": "shrink-kernel",
    "branch": "cut",
    "skip": "unskip",
}
"""The approximate morphism that takes each morphism back."""
WORDS = {
    "deepen": ("depth", "layers", "blocks", "repeat"),
    "widen": ("width", "filters", "channels", "units", "hidden", "expansion", "expand", "features", "widen"),
    "kernel": ("kernel",),
    "skip": ("skips",),
}
"""By which a question tells what it asks, in spaces that do not say."""
NOTHING = frozenset({"none", "zero", "nothing"})
OPERATION = {"operation": ("kernel", "branch")}
POOLS = ("pool", "max", "avg", "mean")
"""A larger pooling is another function."""
IDENTITIES = ("skip", "identity")
"""Connections without weights, which cannot begin as nothing."""


@dataclass(frozen=True)
class AnswerMorphs:
    """`Morphs` of a space. `kinds` says by which morphism each kind of question grows, as paths in which #
    stands for a number (`{"stage#/width": "widen"}`), "operation" standing for kernels and branches of named
    operations; None: as their names tell. `nothing` are the operations that any other may take the place
    of. `keeps(parent, child)` says whether an edit that enlarges is a morphism, in spaces where an answer
    decides about other connections too."""

    space: Space
    kinds: Mapping[str, str] | None = None
    nothing: frozenset[str] = NOTHING
    keeps: Callable[[Architecture, Architecture], bool] | None = None

    @cached_property
    def morphs(self) -> tuple[str, ...]:
        if self.kinds is None:
            return tuple(SHRINKS)
        named = [k for kind in self.kinds.values() for k in OPERATION.get(kind, (kind,))]
        return tuple(dict.fromkeys(named))

    @property
    def shrinks(self) -> tuple[str, ...]:
        return tuple(SHRINKS[kind] for kind in self.morphs)

    def morph(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A random edit of that kind; None where there is none."""
        grows = kind in SHRINKS
        growth = kind if grows else next(k for k, back in SHRINKS.items() if back == kind)
        if growth == "deepen":
            moved = self._move_layer("duplicate" if grows else "delete", architecture, rng)
            if moved is not None:
                return moved
        edits = list(self._list_edits(growth, grows, architecture))
        for at in rng.permutation(len(edits)).tolist():
            child = self._replay({**architecture, **edits[at]}, rng)
            if child is None or child == architecture:
                continue
            if not grows or self._is_morphism(growth, edits[at], architecture, child):
                return child
        return None

    def _is_morphism(
        self, growth: str, edit: Mapping[str, Answer], architecture: Architecture, child: Architecture
    ) -> bool:
        if growth == "deepen" and not _keeps(child, edit, architecture):
            return False
        return self.keeps is None or self.keeps(architecture, child)

    def _move_layer(
        self, kind: str, architecture: Architecture, rng: np.random.Generator
    ) -> Architecture | None:
        """A layer doubled or taken out, where the space's layers are numbered."""
        # A copy is as wide as the layer before it, so that an identity is among its functions.
        moving = know(self.space, Moves)
        if moving is None or not set(MOVES) <= set(moving.moves) or not self._asks_depth(architecture):
            return None
        for _ in range(TRIES):
            child = moving.move(kind, architecture, rng)
            if child is None:
                continue
            copied = kind == "duplicate"
            small, large = (architecture, child) if copied else (child, architecture)
            if _adds_layer(small, large, copied):
                return child
        return None

    def _asks_depth(self, architecture: Architecture) -> bool:
        asked = questions(self.space, architecture)
        return any(self.read_kind(c) == "deepen" and isinstance(c, OneOf) and c.depth for c in asked)

    def _list_edits(
        self, growth: str, grows: bool, architecture: Architecture
    ) -> Iterable[dict[str, Answer]]:
        for choice in questions(self.space, architecture):
            for answer in self._find_steps(choice, architecture[choice.path], growth, grows):
                yield {choice.path: answer}

    def _find_steps(self, choice: Choice, answer: Answer, growth: str, grows: bool) -> list[Answer]:
        if self.read_kind(choice) == growth and not _is_text(answer):
            return list(_step(choice, answer, grows))
        if isinstance(choice, OneOf) and _is_text(answer) and self._reads_text(choice):
            larger, smaller = ((answer, o) for o in choice.options), ((o, answer) for o in choice.options)
            pairs = zip(choice.options, larger if grows else smaller)
            return [o for o, (a, b) in pairs if _grows_from(a, b, growth, self.nothing)]
        return []

    def _reads_text(self, choice: Choice) -> bool:
        return self.kinds is None or self.read_kind(choice) in ("operation", "kernel")

    def read_kind(self, choice: Choice) -> str:
        """The morphism by which the question's answer grows; "" for none."""
        path = kind_of(choice.parts or (choice.path,))
        if self.kinds is not None:
            return self.kinds.get(path, "")
        if isinstance(choice, OneOf) and choice.depth:
            return "deepen"
        word = path.rsplit("/", 1)[-1].lower()
        return next((kind for kind, words in WORDS.items() if any(w in word for w in words)), "")

    def _replay(self, wanted: Mapping[str, Answer], rng: np.random.Generator) -> Architecture | None:
        """The architecture with these answers. A question that they open is answered as the last one of its
        kind, so that a new layer is as wide as the one before it: an identity is among its functions."""
        known = {_count_free(path): answer for path, answer in wanted.items() if "#" in _count_free(path)}

        for _ in range(TRIES):
            try:
                return replay(self.space, wanted, lambda choice: _draw_alike(choice, known, rng))
            except Rejected:
                continue
        return None


def can_morph(choice: Choice) -> bool:
    """Whether the answers of a question whose space does not say more are larger and smaller ones."""
    reader = AnswerMorphs(None)  # type: ignore[arg-type]
    if isinstance(choice, OneOf) and any(map(_is_text, choice.options)):
        pairs = ((a, b) for a in choice.options for b in choice.options)
        return any(_grows_from(a, b, kind, NOTHING) for a, b in pairs for kind in ("kernel", "branch"))
    return bool(reader.read_kind(choice))


def _draw_alike(choice: Choice, known: Mapping[str, Answer], rng: np.random.Generator) -> Answer:
    try:
        return choice.check(known[_count_free(choice.path)])
    except (KeyError, IllegalArchitecture):
        return choice.draw(rng)


def _keeps(child: Architecture, edit: Mapping[str, Answer], architecture: Architecture) -> bool:
    """Whether all answers but the edited ones stay, and no new one is a pooling or a kind of layer that the
    architecture does not have: where a chain becomes dense is no identity."""
    kinds = {(_count_free(path), answer) for path, answer in architecture.items()}
    new = {path: answer for path, answer in child.items() if path not in architecture}
    if any(child.get(path) != answer for path, answer in architecture.items() if path not in edit):
        return False
    return all(
        not _is_pool(answer) and (not isinstance(answer, str) or (_count_free(path), answer) in kinds)
        for path, answer in new.items()
    )


def _adds_layer(small: Architecture, large: Architecture, copied: bool) -> bool:
    """Whether `large` is `small` with one layer more that is not a pooling, and where `copied` the same as
    the one before it. A layer is what has the same number in one place of its paths."""
    most = max((len(_numbers(path)) for path in large), default=0)
    return any(_adds_at(small, large, place, copied) for place in range(most))


def _adds_at(small: Architecture, large: Architecture, place: int, copied: bool) -> bool:
    few, many = _list_layers(small, place), _list_layers(large, place)
    if len(many) != len(few) + 1:
        return False
    for n, new in enumerate(many):
        rest = many[:n] + many[n + 1 :]
        alike = not copied or (n > 0 and new == many[n - 1])
        if rest == few and alike and not any(map(_is_pool, new.values())):
            return True
    return False


def _list_layers(architecture: Architecture, place: int) -> list[dict[str, Answer]]:
    """The answers of each layer, by their paths without its number, which is at this place in them."""
    layers: dict[int, dict[str, Answer]] = {}
    for path, answer in architecture.items():
        numbers = _numbers(path)
        if place < len(numbers):
            match = numbers[place]
            name = f"{path[: match.start()]}#{path[match.end() :]}"
            layers.setdefault(int(match.group()), {})[name] = answer
    return [layers[n] for n in sorted(layers)]


def _numbers(path: str) -> list[re.Match[str]]:
    return list(re.finditer(r"\d+", path))


def _count_free(path: str) -> str:
    return re.sub(r"\d+", "#", path)


def _is_pool(answer: object) -> bool:
    return isinstance(answer, str) and any(word in answer for word in POOLS)


def _is_text(answer: Answer) -> bool:
    return isinstance(answer, str)


def _step(choice: Choice, answer: Answer, grows: bool) -> Iterable[Answer]:
    """The next larger answer, or the next smaller; of several options, one more or one less."""
    if isinstance(choice, SomeOf):
        assert isinstance(answer, tuple)
        chosen = set(answer)
        for option in choice.options:
            if (option in chosen) != grows and choice.least <= len(chosen) + (
                1 if grows else -1
            ) <= choice.most:
                yield tuple(o for o in choice.options if (o in chosen) != (o == option))
        return
    numbers = _list_numbers(choice)
    beyond = [n for n in numbers if (n > answer if grows else n < answer)]  # type: ignore[operator]
    if beyond:
        yield (min if grows else max)(beyond)


def _list_numbers(choice: Choice) -> list[Scalar]:
    if isinstance(choice, Integer):
        return list(range(choice.low, choice.high + 1))
    options = choice.options if isinstance(choice, OneOf) else ()
    return [o for o in options if isinstance(o, int | float) and not isinstance(o, bool)]


def _grows_from(answer: object, option: object, growth: str, nothing: Collection[str]) -> bool:
    """Whether the operation `option` is `answer` with larger numbers, or any where `answer` is nothing."""
    if not isinstance(answer, str) or not isinstance(option, str) or _is_pool(option):
        return False
    if growth == "branch":
        return answer in nothing and option not in nothing and not option.startswith(IDENTITIES)
    if growth != "kernel" or answer == option:
        return False
    split: Callable[[str], list[str]] = lambda text: re.split(r"(\d+)", text)  # noqa: E731
    mine, other = split(answer), split(option)
    words = mine[::2] == other[::2]
    return words and all(int(a) <= int(b) for a, b in zip(mine[1::2], other[1::2]))
