"""Small charts as SVG, one idea each, sized so that their text is legible at a phone's width."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cambrian.pictures.markup import escape, label, number, rect, svg_document

WIDTH, WIDE = 380.0, 1040.0
"""Of a chart that a phone shows whole, and of one that has a desktop page to itself."""
_HEIGHT = 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 34.0, 44.0
EXACT = 1e15
"""Whole numbers from here on have digits that a float does not hold."""
_NEAR, _FAR = 1e-300, 5e307
"""Differences of which no tick can be computed, and numbers whose differences are infinite."""
Format = Callable[[float], str]


def plain(value: float) -> str:
    """
    >>> plain(1200.0), plain(0.25), plain(3.0), plain(1e300)
    ('1,200', '0.25', '3', '1e+300')
    """
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < EXACT else f"{value:.4g}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`.

    >>> ticks(0.0, 10.0), ticks(0.913, 0.984, 4)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [0.92, 0.94, 0.96, 0.98])
    """
    if not high > low:
        return [low]
    # The nearest in ratio, not in difference: 1, 2, 5 and 10 are spaced by ratios.
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    # 1e-9 of a step: an end that is a tick but for rounding keeps it.
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    digits = max(0, -math.floor(math.log10(step)))
    return [round((first + i) * step, digits) for i in range(count)]


class _Axes:
    """The frame of a chart: data coordinates to pixels, gridlines, numbers, names."""

    def __init__(
        self, x: Sequence[float], y: Sequence[float], whole: bool = False, width: float = WIDTH
    ) -> None:
        self.width = width
        self.x0, self.x1 = _range(x, pad=0.0 if whole else 0.05)
        self.y0, self.y1 = _range(y, pad=0.06)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x0) / (self.x1 - self.x0)
        up = (y - self.y0) / (self.y1 - self.y0)
        return _LEFT + across * (self.width - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (
            _HEIGHT - _TOP - _BOTTOM
        )

    def grid(self, x_name: str, y_name: str, x_format: Format, y_format: Format) -> list[str]:
        bottom, right = _HEIGHT - _BOTTOM, self.width - _RIGHT
        parts = []
        for value in ticks(self.y0, self.y1):
            _, y = self.at(self.x0, value)
            parts.append(_line(_LEFT, y, right, y, "grid"))
            parts.append(label(_LEFT - 7, y + 4, y_format(value), "soft end"))
        for value in ticks(self.x0, self.x1, round(self.width / 95)):
            x, _ = self.at(value, self.y0)
            parts.append(_line(x, bottom, x, bottom + 4, "grid"))
            parts.append(label(x, bottom + 17, x_format(value), "soft middle"))
        parts.append(label((_LEFT + right) / 2, _HEIGHT - 8, x_name, "soft middle"))
        parts.append(label(8, 24, y_name, "soft"))
        return parts


def steps(
    title: str,
    points: Sequence[tuple[float, float]],
    x_name: str,
    y_name: str,
    y_format: Format = plain,
    width: float = WIDTH,
) -> str:
    """A value that holds from each point to the next, such as the best so far."""
    axes = _Axes([0.0, *(x for x, _ in points)], [y for _, y in points], whole=True, width=width)
    data = ""
    # Across first, then up: a best value holds until the moment it is beaten.
    for i, (x, y) in enumerate(points):
        px, py = axes.at(x, y)
        data += f"{'H' + number(px) + 'V' + number(py) if i else 'M' + number(px) + ' ' + number(py)}"
    body = axes.grid(x_name, y_name, plain, y_format)
    body.append(f'<path d="{data}" fill="none" stroke="var(--a)" stroke-width="2"/>')
    x, y = axes.at(*points[-1])
    body.append(_dot(x, y, 4, y_format(points[-1][1])))
    return svg_document(title, width, _HEIGHT, body)


def lines(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_name: str,
    y_name: str,
    y_format: Format = plain,
    width: float = WIDTH,
) -> str:
    """Named lines through their points, and their names below."""
    points = [p for _, line in series for p in line]
    axes = _Axes([x for x, _ in points], [y for _, y in points], whole=True, width=width)
    body = axes.grid(x_name, y_name, plain, y_format)
    for i, (name, line) in enumerate(series):
        path = _path(axes, [x for x, _ in line], [y for _, y in line])
        body.append(f'<path d="M{path}" {_look(i)}><title>{escape(name)}</title></path>')
        body += _legend_row(i, name)
    return svg_document(title, width, _HEIGHT + 18.0 * len(series), body)


def _legend_row(i: int, name: str) -> list[str]:
    y = _HEIGHT + 8 + 18.0 * i
    line = f'<path d="M{number(_LEFT)} {number(y - 4)}h24" {_look(i)}/>'
    return [line, label(_LEFT + 32, y, name, "soft")]


def scatter(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    x_name: str,
    y_name: str,
    value_format: Format = plain,
    width: float = WIDTH,
) -> str:
    """Points, and the line on which both coordinates agree where it passes."""
    axes = _Axes(x, y, width=width)
    body = axes.grid(x_name, y_name, value_format, value_format)
    # The diagonal as far as it lies within both ranges, which need not overlap.
    low, high = max(axes.x0, axes.y0), min(axes.x1, axes.y1)
    if low < high:
        body.append(_line(*axes.at(low, low), *axes.at(high, high), "grid", ' stroke-dasharray="4 4"'))
    for a, b in zip(x, y):
        body.append(_dot(*axes.at(a, b), 3, f"{x_name} {value_format(a)}, {y_name} {value_format(b)}", 0.65))
    return svg_document(title, width, _HEIGHT, body)


def front(
    title: str,
    dominated: Sequence[tuple[float, float]],
    best: Sequence[tuple[float, float]],
    x_name: str,
    y_name: str,
    x_format: Format = plain,
    y_format: Format = plain,
    width: float = WIDTH,
    chosen: Sequence[tuple[float, float]] = (),
    names: tuple[str, str] = ("on the front", "dominated"),
    begun: Mapping[str, tuple[float, float]] | None = None,
    line: tuple[str, Sequence[tuple[float, float]]] = ("", ()),
) -> str:
    """Points of two objectives: those on the front large and in another hue, the dominated ones faint, those
    that were chosen with a ring. `names` are of the front's points and of the others; those `begun` with have
    their names beside them. `line` is the name of some of the points and they, joined by a line."""
    every = [*dominated, *best, *chosen, *(begun or {}).values()]
    axes = _Axes([x for x, _ in every], [y for _, y in every], width=width)
    body = axes.grid(x_name, y_name, x_format, y_format)
    # The front is drawn last, so that a crowd of dominated points does not hide it.
    for points, radius, opacity, hue in ((dominated, 3, 0.45, "a"), (best, 4.5, 1.0, "b")):
        for x, y in points:
            hint = f"{x_name} {x_format(x)}, {y_name} {y_format(y)}"
            body.append(_dot(*axes.at(x, y), radius, hint, opacity, hue))
    body += [
        _ring(*axes.at(x, y), f"chosen: {x_name} {x_format(x)}, {y_name} {y_format(y)}") for x, y in chosen
    ]
    for name, point in (begun or {}).items():
        x, y = axes.at(*point)
        body.append(label(x + 9 if x < width / 2 else x - 9 - 6 * len(name), y + 4, name, "soft"))
    for i, (name, hue) in enumerate(zip(names, "ba", strict=True)):
        y = _HEIGHT + 8 + 18.0 * i
        body.append(_dot(_LEFT + 6, y - 4, 4, name, 1.0, hue))
        body.append(label(_LEFT + 18, y, name, "soft"))
    depth = 36.0
    if line[1]:
        places = " ".join(f"{number(x)},{number(y)}" for x, y in (axes.at(*point) for point in line[1]))
        dashes = 'fill="none" stroke="var(--c)" stroke-width="1.5" stroke-dasharray="5 3"'
        body.append(f'<polyline points="{places}" {dashes}/>')
        body += [_dot(*axes.at(*point), 2.5, line[0], 1.0, "c") for point in line[1]]
        y, depth = _HEIGHT + depth + 8, depth + 18
        body += [_dot(_LEFT + 6, y - 4, 4, line[0], 1.0, "c"), label(_LEFT + 18, y, line[0], "soft")]
    if chosen:
        y, depth = _HEIGHT + depth + 8, depth + 18
        body += [
            _ring(_LEFT + 6, y - 4, "chosen"),
            label(_LEFT + 18, y, "chosen for the final training", "soft"),
        ]
    return svg_document(title, width, _HEIGHT + depth, body)


def _ring(x: float, y: float, hint: str) -> str:
    look = 'r="8" fill="none" stroke="var(--b)" stroke-width="2"'
    return f'<circle cx="{number(x)}" cy="{number(y)}" {look}><title>{escape(hint)}</title></circle>'


@dataclass(frozen=True)
class Series:
    """A named line through (x, y), within a band from `low` to `high`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


_HUES = "abcdef"


def bands(
    title: str,
    series: Sequence[Series],
    x_name: str,
    y_name: str,
    y_range: tuple[float, float],
    x_format: Format = plain,
) -> str:
    """Lines with their bands over the same axes, from zero on, and their names below. Parts outside `y_range`
    are cut off. After the sixth, hues are used again, dashed."""
    axes = _Axes([0.0, *(x for s in series for x in s.x)], y_range, whole=True)
    left, bottom = axes.at(axes.x0, axes.y0)
    right, top = axes.at(axes.x1, axes.y1)
    width, height = number(right - left), number(bottom - top)
    area = f'<rect x="{number(left)}" y="{number(top)}" width="{width}" height="{height}"/>'
    # The clip's name is from the title: several charts share a page, where names must differ.
    name = f"area-{zlib.crc32(title.encode()):x}"
    body = [f'<clipPath id="{name}">{area}</clipPath>', *axes.grid(x_name, y_name, x_format, plain)]
    body.append(f'<g clip-path="url(#{name})">')
    body += [_band(axes, s, i) for i, s in enumerate(series)]
    body += [_stroke(axes, s, i) for i, s in enumerate(series)]
    body.append("</g>")
    for i, s in enumerate(series):
        body += _legend_row(i, s.name)
    return svg_document(title, WIDTH, _HEIGHT + 18.0 * len(series), body)


def _path(axes: _Axes, x: Sequence[float], y: Sequence[float]) -> str:
    return "L".join(" ".join(map(number, axes.at(a, b))) for a, b in zip(x, y))


def _band(axes: _Axes, series: Series, i: int) -> str:
    there = _path(axes, series.x, series.high)
    back = _path(axes, list(series.x)[::-1], list(series.low)[::-1])
    return f'<path d="M{there}L{back}Z" fill="var(--{_HUES[i % 6]})" opacity="0.18"/>'


def _stroke(axes: _Axes, series: Series, i: int) -> str:
    return f'<path d="M{_path(axes, series.x, series.y)}" {_look(i)}/>'


def _look(i: int) -> str:
    dashes = f' stroke-dasharray="{6 + i // 6} 4"' if i >= 6 else ""
    return f'fill="none" stroke="var(--{_HUES[i % 6]})" stroke-width="2"{dashes}'


def shares(
    title: str, parts: Sequence[tuple[str, float]], value_format: Format = plain, width: float = WIDTH
) -> str:
    """Parts of a whole: a bar each, of a length in proportion."""
    longest = max((v for _, v in parts), default=0.0) or 1.0
    height = 34.0 * len(parts) + 16
    body = []
    for i, (name, value) in enumerate(parts):
        y = 12 + 34.0 * i
        body.append(label(10, y + 10, name, "soft"))
        body.append(label(width - 10, y + 10, value_format(value), "soft end"))
        # Two pixels at least, so that a small part is seen to be there.
        body.append(rect(10, y + 15, max(2.0, (width - 20) * value / longest), 8, f"bar{i % 3}", 3))
    return svg_document(title, width, height, body)


def _range(values: Sequence[float], pad: float) -> tuple[float, float]:
    low, high = (min(max(end, -_FAR), _FAR) for end in (min(values), max(values)))
    # Equal values have no range: a tenth around them puts the line in the middle of the chart.
    around = pad * (high - low) if high - low > _NEAR else max(abs(low) * 0.1, _NEAR * 10) if low else 1.0
    if low >= 0 and 0 < high <= 1:  # shares, of which none is below nothing or above all
        return max(0.0, low - around), min(1.0, high + around)
    return low - around, high + around


def _line(x0: float, y0: float, x1: float, y1: float, kind: str, more: str = "") -> str:
    ends = f'x1="{number(x0)}" y1="{number(y0)}" x2="{number(x1)}" y2="{number(y1)}"'
    return f'<line class="{kind}" {ends}{more}/>'


def _dot(x: float, y: float, radius: float, title: str, opacity: float = 1.0, hue: str = "a") -> str:
    return (
        f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="var(--{hue})" '
        f'opacity="{opacity:g}"><title>{escape(title)}</title></circle>'
    )
