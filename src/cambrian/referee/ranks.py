"""The critical-difference picture: Demšar (2006), Fig. 1, with the groups of pairwise signed-rank tests
instead of a single critical distance (Benavoli et al., "Should We Really Use Post-Hoc Tests Based on
Mean-Ranks?", JMLR 2016)."""

from __future__ import annotations

import math

from cambrian.pictures.charts import plain
from cambrian.pictures.markup import label, number, svg_document
from cambrian.referee.judgement import Judgement

_LONG, _AXIS, _ROW, _BAR = 300.0, 44.0, 20.0, 7.0
_LETTER = 7.5


def picture(judgement: Judgement) -> str:
    """Strategies hang at their mean ranks, the better half named on the left; bars join those that
    cannot be told apart."""
    order, groups = judgement.order, judgement.alike()
    last = len(judgement.strategies)
    # Fonts are not measured: room for the longest name at a generous width per letter.
    left = 24 + _LETTER * max(len(_label_rank(judgement, name)) for name in order)
    right = left + _LONG

    def at(rank: float) -> float:
        return left + (rank - 1) / max(1, last - 1) * _LONG

    body = [label((left + right) / 2, 18, "mean rank over seeds, 1 is best", "soft middle")]
    body.append(_line(left, _AXIS, right, _AXIS))
    for rank in range(1, last + 1):
        body.append(_line(at(rank), _AXIS - 5, at(rank), _AXIS))
        body.append(label(at(rank), _AXIS - 9, plain(rank), "soft middle"))
    # A row for each bar: groups may overlap without all their members being alike.
    for i, group in enumerate(groups):
        y, ranks = _AXIS + _BAR * (i + 1), [judgement.rank(name) for name in group]
        ends = f"M{number(at(min(ranks)) - 3)} {number(y)}H{number(at(max(ranks)) + 3)}"
        body.append(f'<path d="{ends}" stroke="var(--a)" stroke-width="4" stroke-linecap="round"/>')
    top, half = _AXIS + _BAR * (len(groups) + 1) + 10, math.ceil(last / 2)
    for i, name in enumerate(order):
        # The outermost ranks hang highest, so that inner lines pass beside them and not through them.
        x, better = at(judgement.rank(name)), i < half
        y = top + _ROW * (i if better else last - 1 - i)
        end = left - 8 if better else right + 8
        body.append(_line(x, _AXIS, x, y) + _line(x, y, end, y))
        body.append(
            label(end + (-6 if better else 6), y + 4, _label_rank(judgement, name), "end" if better else "")
        )
    return svg_document("Mean ranks", left + right, top + _ROW * (half - 1) + 16, body)


def _label_rank(judgement: Judgement, name: str) -> str:
    return f"{name} {judgement.rank(name):.2f}"


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path class="flow" d="M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}"/>'
