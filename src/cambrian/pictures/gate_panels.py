"""Gates over time: a small panel for each site, in which the probabilities of its options are areas over the
epochs, or bars that move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import UsageError
from cambrian.files import stage_file
from cambrian.pictures.markup import escape, label, number, rect, svg_document

HUES = "abcdef"
PANEL, TALL, GAP = 170.0, 84.0, 14.0
"""Pixels of a panel, and between two."""
ROW = 15.0
"""Pixels of a bar's row."""
MARGIN, TOP = 12.0, 40.0
MOST = 60
"""Epochs of a panel: more are finer than it is wide, and make a page of many gates heavy."""
SECONDS = 0.4
"""Of an epoch in a moving picture."""

Course = Mapping[str, Sequence[Sequence[float]]]
"""By site, the probabilities of its options after each epoch."""


@dataclass(frozen=True)
class GatePanels:
    """The `course` of gates, with the names of the options of each site."""

    title: str
    course: Course
    options: Mapping[str, Sequence[str]]

    @property
    def epochs(self) -> int:
        return max((len(table) for table in self.course.values()), default=0)

    def name_options(self, site: str) -> list[str]:
        """The names of a site's options, or their numbers where it has none."""
        count = len(self.course[site][0])
        names = self.options.get(site, ())
        return list(names) if len(names) == count else [str(i) for i in range(count)]

    def list_legend(self) -> list[str]:
        """The names of all options, each once."""
        return list(dict.fromkeys(name for site in self.course for name in self.name_options(site)))


def draw_panels(panels: GatePanels, width: float) -> str:
    """Areas stacked over the epochs, in which an option's share is its height."""
    legend = panels.list_legend()
    body, y = _draw_legend(legend, width)
    columns = _count_columns(width)
    for n, site in enumerate(panels.course):
        left = MARGIN + n % columns * (PANEL + GAP)
        top = y + n // columns * (TALL + 30)
        body.append(label(left, top + 10, _shorten(site), "soft"))
        body += _draw_areas(panels, site, legend, left, top + 16)
    rows = -(-len(panels.course) // columns)
    return svg_document(panels.title, width, y + rows * (TALL + 30), body)


def draw_movie(panels: GatePanels, width: float) -> str:
    """Bars of the options' probabilities that move from epoch to epoch, again and again; the option that an
    architecture would be given is strong, and the others are faint."""
    legend = panels.list_legend()
    body, y = _draw_legend(legend, width)
    body += _draw_clock(panels.epochs, width)
    columns, most = _count_columns(width), max(len(panels.name_options(site)) for site in panels.course)
    tall = 20 + ROW * most
    for n, site in enumerate(panels.course):
        left = MARGIN + n % columns * (PANEL + GAP)
        top = y + n // columns * (tall + 12)
        body.append(label(left, top + 10, _shorten(site), "soft"))
        body += _draw_bars(panels, site, legend, left, top + 16)
    rows = -(-len(panels.course) // columns)
    return svg_document(panels.title, width, y + rows * (tall + 12), body)


def save_picture(svg: str, target: Path) -> Path:
    """Write the picture to a file whose name ends in .svg, whole or not at all."""
    if target.suffix != ".svg":
        raise UsageError(f"cannot draw {target}: a picture that moves is an .svg")
    try:
        with stage_file(target) as draft:
            draft.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the picture cannot be written to {target}: {error.strerror or error}") from error
    return target


def _draw_areas(panels: GatePanels, site: str, legend: Sequence[str], left: float, top: float) -> list[str]:
    table, names = panels.course[site], panels.name_options(site)
    epochs = _choose_epochs(len(table))
    rows = [table[e] for e in epochs]
    xs = [left + PANEL * e / max(1, len(table) - 1) for e in epochs]
    if len(rows) == 1:  # one epoch is drawn as if it lasted
        rows, xs = rows * 2, [left, left + PANEL]
    below = [0.0] * len(rows)
    body = [rect(left, top, PANEL, TALL, "frame", 2)]
    for i, name in enumerate(names):
        above = [low + row[i] for low, row in zip(below, rows, strict=True)]
        there = " ".join(
            f"{number(x)} {number(top + TALL * (1 - v))}" for x, v in zip(xs, above, strict=True)
        )
        back = " ".join(
            f"{number(x)} {number(top + TALL * (1 - v))}" for x, v in zip(xs[::-1], below[::-1], strict=True)
        )
        hint = f"{site}: {name}, {100 * rows[-1][i]:.0f} % in the end"
        body.append(
            f'<path d="M{there} {back}Z" {_fill(legend.index(name))}><title>{escape(hint)}</title></path>'
        )
        below = above
    return body


def _draw_bars(panels: GatePanels, site: str, legend: Sequence[str], left: float, top: float) -> list[str]:
    table = panels.course[site]
    chosen = [row.index(max(row)) for row in table]
    body = []
    for i, name in enumerate(panels.name_options(site)):
        widths = [PANEL * row[i] for row in table]
        opacities = ["1" if best == i else "0.45" for best in chosen]
        place = f'x="{number(left)}" y="{number(top + ROW * i)}" width="{number(widths[-1])}" height="11"'
        moves = _animate("width", [number(w) for w in widths]) + _animate("opacity", opacities, "discrete")
        hint = escape(f"{site}: {name}")
        body.append(f"<rect {place} {_fill(legend.index(name))}><title>{hint}</title>{moves}</rect>")
    return body


def _draw_clock(epochs: int, width: float) -> list[str]:
    """The number of the epoch, of which one at a time is seen."""
    place = f'x="{number(width - MARGIN)}" y="20" class="soft end"'
    texts = []
    for epoch in range(epochs):
        seen = _animate("opacity", [str(int(epoch == now)) for now in range(epochs)], "discrete")
        last = int(epoch == epochs - 1)
        texts.append(f'<text {place} opacity="{last}">epoch {epoch + 1} of {epochs}{seen}</text>')
    return texts


def _choose_epochs(count: int) -> list[int]:
    """The epochs that a panel's width can show, the first and the last among them.

    >>> _choose_epochs(3), len(_choose_epochs(1000))
    ([0, 1, 2], 60)
    """
    shown = min(count, MOST)
    return [round(n * (count - 1) / max(1, shown - 1)) for n in range(shown)]


def _animate(attribute: str, values: Sequence[str], mode: str = "linear") -> str:
    if len(values) < 2:
        return ""
    return (
        f'<animate attributeName="{attribute}" values="{";".join(values)}" dur="{SECONDS * len(values):.1f}s"'
        f' calcMode="{mode}" repeatCount="indefinite"/>'
    )


def _draw_legend(legend: Sequence[str], width: float) -> tuple[list[str], float]:
    """The names of the options in rows, and the height below them."""
    body: list[str] = []
    x, y = MARGIN, TOP
    for i, name in enumerate(legend):
        wide = 26 + 7.0 * len(name)
        if x + wide > width - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 20
        body.append(f'<rect x="{number(x)}" y="{number(y - 10)}" width="12" height="11" {_fill(i)}/>')
        body.append(label(x + 17, y, name, "soft"))
        x += wide
    return body, y + 16


def _fill(i: int) -> str:
    """The hue of an option; those beyond the sixth are paler."""
    paler = "" if i < len(HUES) else ' fill-opacity="0.5"'
    return f'fill="var(--{HUES[i % len(HUES)]})"{paler}'


def _count_columns(width: float) -> int:
    return max(1, int((width - 2 * MARGIN + GAP) // (PANEL + GAP)))


def _shorten(site: str, most: int = 28) -> str:
    """A site's name that fits above its panel: both ends of it, which tell it from the others.

    >>> _shorten("normal/node2/inputs/previous-previous")
    'normal/node2/pr…ous-previous'
    """
    text = site.replace("/inputs/", "/")
    return text if len(text) <= most else f"{text[:15]}…{text[16 - most :]}"
