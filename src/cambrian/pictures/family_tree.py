"""An evolution's family tree: the descent of its trials, and the changes on the way to the winner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.pictures.block_layout import SMALL, short, text_width
from cambrian.pictures.charts import ticks
from cambrian.pictures.difference import changes
from cambrian.pictures.layout import Box
from cambrian.pictures.shapes import Dot, Line, Rect, Shape, Sketch, Text, join
from cambrian.pictures.sketches import MARGIN, ROW, add_margin

MANY = 150  # trials, from which on lines that died out are left out
_CHILDREN, _RECENT = 6, 20  # of many: children shown of each of the winner's ancestors, and latest trials
_WIDTH, _ROW = 760.0, 11.0
_SHADES = 7
_CHANGES, _LONGEST = 3, 100
_FIRST, _LAST = 10, 40  # steps of the winner's line that a picture has; its text has all

Format = Callable[[float], str]


def plain(value: float) -> str:
    return f"{value:.4g}"


@dataclass(frozen=True)
class Family:
    """The trials of a search by number, and their descent. A parent comes before its children."""

    trials: Mapping[int, Trial]

    @staticmethod
    def of(trials: Sequence[Trial]) -> Family:
        """Raises UsageError where no trial names a parent among them."""
        by_number = {t.number: t for t in sorted(trials, key=lambda t: t.number) if t.kind == "trial"}
        family = Family(by_number)
        if all(family.parent(n) is None for n in by_number):
            raise UsageError(
                "no trial here names a parent: a family tree needs a strategy that makes new architectures"
                " of old ones, such as evolution or hill-climbing, and trials after those that it begins with"
            )
        return family

    def parent(self, number: int) -> Trial | None:
        # A parent that is not earlier is none: a row like that, damaged or by hand, would close a cycle.
        parent = self.trials[number].parent
        return None if parent is None or parent >= number else self.trials.get(parent)

    def ancestors(self, number: int) -> list[int]:
        """From the first one to `number` itself."""
        line = [number]
        while (parent := self.parent(line[-1])) is not None:
            line.append(parent.number)
        return line[::-1]

    def children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = defaultdict(list)
        for number in self.trials:
            if (parent := self.parent(number)) is not None:
                children[parent.number].append(number)
        return children

    def sizes(self) -> dict[int, int]:
        """The number of descendants of each trial, itself included."""
        children, size = self.children(), dict.fromkeys(self.trials, 1)
        # Backwards, since parents come first: a child's sum is complete when its parent adds it.
        for n in reversed(list(self.trials)):
            size[n] += sum(size[c] for c in children[n])
        return size

    def best(self) -> int:
        """The best trial, of equals the first."""
        return max(self.trials, key=lambda n: (self.score(n), -n))

    def score(self, number: int) -> float:
        score = self.trials[number].score
        return float("-inf") if score is None else score

    def thin_out(self, winner: int) -> Family:
        """Of many trials: the winner's ancestors, the best children of each, and the ancestors of the
        latest trials; of few, all."""
        if len(self.trials) <= MANY:
            return self
        children = self.children()
        kept = set(self.ancestors(winner))
        for number in sorted(kept):
            kept.update(sorted(children[number], key=self.score, reverse=True)[:_CHILDREN])
        for number in list(self.trials)[-_RECENT:]:
            kept.update(self.ancestors(number))
        return Family({n: t for n, t in self.trials.items() if n in kept})


def steps(family: Family, winner: int, show: Format = plain) -> list[str]:
    """The winner's line of descent, a line per trial with its changes."""
    line = family.ancestors(winner)
    lines = [f"trial {line[0]}: {_value(family, line[0], show)}"]
    for parent, child in pairwise(line):
        entries = changes(family.trials[parent].architecture, family.trials[child].architecture)
        # Aging evolution's identity mutation repeats the parent (`strategies/evolution/regularized.py`).
        shown = "; ".join(map(str, entries[:_CHANGES])) or "measured again"
        more = f"; and {len(entries) - _CHANGES} more" if len(entries) > _CHANGES else ""
        lines.append(f"trial {child}: {_value(family, child, show)}, {shown}{more}")
    return lines


def family_sketch(family: Family, winner: int, title: str, show: Format = plain) -> Sketch:
    """Trials from left to right by number, coloured by value; the winner's line on top, its steps below."""
    shown = family.thin_out(winner)
    tree = _tree(shown, winner, max(family.trials), show)
    below = _steps(_shorten(steps(family, winner, show)))
    return add_margin(join(title, [_legend(shown, len(family.trials), show), tree, below], 10, False), title)


def rows(family: Family, winner: int, room: float = 0.0) -> dict[int, int]:
    """The row of every trial, so that no two links cross. A trial shares the row of the child that carries
    its line on, and the winner's line is the first row; every other line hangs below its parent, in the
    first row that is free `room` numbers around. Trials without family share the last row.

    The latest branch of a line is placed first: an earlier one's link down then passes on the left."""
    children, size = family.children(), family.sizes()
    line = set(family.ancestors(winner))
    row: dict[int, int] = {}
    taken: list[list[tuple[float, float]]] = []  # per row the stretches of lines and of links passing down
    founders = [n for n in family.trials if family.parent(n) is None and children[n]]
    # The winner's founder first, so that its line takes the first row; then the largest families.
    for founder in sorted(founders, key=lambda n: (n not in line, -size[n])):
        waiting = [(-founder, founder)]  # (minus the parent's number, first of the branch): the latest first
        while waiting:
            parent, first = heappop(waiting)
            chain = [first]
            while heirs := children[chain[-1]]:
                chain.append(max(heirs, key=lambda c: (c in line, size[c], c)))
            # A founder begins below everything placed so far, a branch right below its parent.
            above = len(taken) - 1 if first == founder else row[-parent]
            at = _free(taken, above + 1, -parent - room, chain[-1] + room)
            # The link down crosses the rows between at the parent's place, where nothing else may lie then.
            for passed in taken[above + 1 : at]:
                passed.append((-parent, -parent))
            taken[at].append((-parent, chain[-1]))
            row |= dict.fromkeys(chain, at)
            for n in chain:
                for c in children[n]:
                    if c not in row:
                        heappush(waiting, (-n, c))
    return {n: row.get(n, len(taken)) for n in family.trials}


def _free(taken: list[list[tuple[float, float]]], first: int, left: float, right: float) -> int:
    """The first row from `first` on that is free from `left` to `right`; a new one if need be."""
    for at in range(first, len(taken)):
        if all(b < left or a > right for a, b in taken[at]):
            return at
    taken += [[] for _ in range(max(first, len(taken)) + 1 - len(taken))]
    return len(taken) - 1


def _tree(family: Family, winner: int, last: int, show: Format) -> Sketch:
    # Nine pixels in trials' numbers: dots of one row do not touch.
    row = rows(family, winner, 9.0 * max(last, 1) / _WIDTH)
    line = family.ancestors(winner)
    shade = _shades(family)

    def at(n: int) -> tuple[float, float]:
        return 10 + (_WIDTH - 20) * n / max(last, 1), 26 + _ROW * row[n]

    links: list[Shape] = []
    for n in family.trials:
        if (parent := family.parent(n)) is not None:
            (x0, y0), (x1, y1) = at(parent.number), at(n)
            links.append(Line(((x0, y0), (x0, y1), (x1, y1)), "flow"))
    descent = [Line((at(a), at(b)), "descent") for a, b in pairwise(line)]
    dots = [
        Dot(*at(n), 5.0 if n in line else 3.2, shade[n], f"trial {n}: {_value(family, n, show)}")
        for n in family.trials
    ]
    bottom = 26 + _ROW * max(row.values()) + 14
    shapes = [*_axis(last, bottom), *links, *descent, *dots, *_numbers(line, at)]
    return Sketch("", _WIDTH, bottom + 36, tuple(shapes))


def _numbers(line: Sequence[int], at: Callable[[int], tuple[float, float]]) -> list[Shape]:
    """The number of each trial of the line over it, from the last on as far as there is room."""
    shapes: list[Shape] = []
    free = float("inf")
    for n in reversed(line):
        x, y = at(n)
        half = text_width(str(n), SMALL) / 2 + 2
        if x + half <= free:
            shapes.append(Text(x, y - 9, str(n), "soft middle"))
            free = x - half
    return shapes


def _axis(last: int, bottom: float) -> list[Shape]:
    shapes: list[Shape] = [Line(((10, bottom), (_WIDTH - 10, bottom)), "grid")]
    for number in (t for t in ticks(0, max(last, 1), 8) if t == round(t)):
        x = 10 + (_WIDTH - 20) * number / max(last, 1)
        shapes.append(Line(((x, bottom), (x, bottom + 4)), "grid"))
        shapes.append(Text(x, bottom + 16, f"{number:.0f}", "soft middle"))
    return [*shapes, Text(_WIDTH / 2, bottom + 31, "trial", "soft middle")]


def _shades(family: Family) -> dict[int, str]:
    """By rank, a seventh of the trials each, equal values alike; a trial without a value is empty."""
    scores = sorted(t.score for t in family.trials.values() if t.score is not None)
    # Reversed, so that of equal scores the lowest rank is the one that stays.
    first = {score: i for i, score in reversed(list(enumerate(scores)))}
    return {
        n: "plain" if t.score is None else f"ring v{_SHADES * first[t.score] // len(scores)}"
        for n, t in family.trials.items()
    }


def _legend(family: Family, total: int, show: Format) -> Sketch:
    measured = [t for t in family.trials.values() if t.value is not None]
    values = [t.value for t in sorted(measured, key=lambda t: t.score or 0.0) if t.value is not None]
    shapes: list[Shape] = [Rect(Box(7 + 14 * i, 8, 14, 12), f"v{i}", 0) for i in range(_SHADES)]
    text = "no values"
    if values:
        ends = ", ".join(show(v) for v in (values[0], values[len(values) // 2], values[-1]))
        text = f"worst, median and best value: {ends}"
    rows = [text]
    if len(family.trials) < total:
        count = f"{len(family.trials):,} of {total:,} trials"
        rows.append(f"{count}: the winner's line, its best offspring, the latest lines")
    # A row each, and as wide as its words: a picture cuts off what lies beyond its width.
    left = 14 * _SHADES + 10
    shapes += [Text(left, 12 + 15 * i, row, "soft") for i, row in enumerate(rows)]
    width = max(left + text_width(row, SMALL, longest=_LONGEST) for row in rows)
    return Sketch("", max(_WIDTH, width), 3 + 15 * len(rows), tuple(shapes))


def _shorten(lines: Sequence[str]) -> list[str]:
    """The first and the last of many steps: a line of thousands would be taller than anybody scrolls."""
    left = len(lines) - _FIRST - _LAST
    return [*lines[:_FIRST], f"… {left:,} more …", *lines[-_LAST:]] if left > 1 else list(lines)


def _steps(lines: Sequence[str]) -> Sketch:
    shown = [short(line, _LONGEST) for line in ["The winner's line of descent", *lines]]
    kinds = ["bold", *("" for _ in lines)]
    shapes = tuple(Text(0, ROW * i + 13, line, kind) for i, (line, kind) in enumerate(zip(shown, kinds)))
    width = max(text_width(line, longest=_LONGEST) for line in shown)
    return Sketch("", width + MARGIN, ROW * len(shown), shapes)


def _value(family: Family, number: int, show: Format) -> str:
    value = family.trials[number].value
    return "no value" if value is None else show(value)
