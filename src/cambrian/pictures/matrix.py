"""A matrix of counts as SVG, such as whom a network takes for whom."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.pictures.charts import WIDTH
from cambrian.pictures.markup import escape, label, number, svg_document


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]], width: float = WIDTH) -> str:
    """Counts by row and column, darker the larger a share of their row; the diagonal in another hue."""
    longest = min(max(map(len, names), default=1), 14)
    left = 16.0 + 6.5 * longest
    # Cells of a desktop are wider than high, so that the whole is seen at once.
    across = (width - left - 8) / max(len(names), 1)
    down = min(across, 26.0)
    top = 14.0 + 6.5 * longest
    body = []
    for i, name in enumerate(names):
        y, x = top + down * i, left + across * (i + 0.5)
        body.append(label(left - 6, y + down / 2 + 4, _short(name), "soft end"))
        turn = f'<g transform="translate({number(x + 4)} {number(top - 6)}) rotate(-90)">'
        body.append(turn + label(0, 0, _short(name), "soft") + "</g>")
        for j, count in enumerate(counts[i]):
            hint = f"{name}, taken for {names[j]}: {count:,}"
            body += _matrix_cell(left + across * j, y, across, down, count, sum(counts[i]), i == j, hint)
    return svg_document(title, width, top + down * len(names) + 8, body)


def _matrix_cell(
    x: float, y: float, width: float, height: float, count: int, total: int, right: bool, hint: str
) -> list[str]:
    share = count / total if total else 0.0
    # A single mistake of many is seen: the shade begins at a tenth. The darkest one leaves numbers legible.
    opacity = 0.0 if not count else 0.1 + 0.4 * share**0.5
    box = f'x="{number(x)}" y="{number(y)}" width="{number(width - 1)}" height="{number(height - 1)}"'
    hue = "a" if right else "b"
    parts = [
        f'<rect {box} fill="var(--frame)"/>',
        f'<rect {box} fill="var(--{hue})" opacity="{opacity:.2f}"><title>{escape(hint)}</title></rect>',
    ]
    # A number that is wider than its cell is left to the hint.
    if count and 6.5 * len(str(count)) <= width - 2 and height >= 13:
        parts.append(label(x + width / 2, y + height / 2 + 4, count, "small middle"))
    return parts


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"
