"""The critical-difference picture: Demšar (2006), Fig. 1, with the groups of pairwise signed-rank tests
instead of a single critical distance (Benavoli et al., "Should We Really Use Post-Hoc Tests Based on
Mean-Ranks?", JMLR 2016)."""

from __future__ import annotations

import math

from cambrian.delivery.charts import plain
from cambrian.delivery.markup import label, number, svg_document
from cambrian.referee.judgement import Judgement

_WIDTH, _LEFT, _RIGHT, _AXIS = 380.0, 24.0, 356.0, 44.0
_ROW, _BAR = 20.0, 7.0


def picture(judgement: Judgement) -> str:
    """Strategies hang at their mean ranks, the best on the left; bars join those that cannot be told
    apart."""
    order, groups = judgement.order, judgement.alike()
    last = len(judgement.strategies)

    def at(rank: float) -> float:
        return _LEFT + (rank - 1) / max(1, last - 1) * (_RIGHT - _LEFT)

    body = [
        label(_WIDTH / 2, 18, "mean rank over seeds, 1 is best", "soft middle"),
        _line(_LEFT, _AXIS, _RIGHT, _AXIS),
    ]
    for rank in range(1, last + 1):
        body.append(_line(at(rank), _AXIS - 5, at(rank), _AXIS))
        body.append(label(at(rank), _AXIS - 9, plain(rank), "soft middle"))
    for i, group in enumerate(groups):
        y, ranks = _AXIS + _BAR * (i + 1), [judgement.rank(name) for name in group]
        ends = f"M{number(at(min(ranks)) - 3)} {number(y)}H{number(at(max(ranks)) + 3)}"
        body.append(f'<path d="{ends}" stroke="var(--a)" stroke-width="4" stroke-linecap="round"/>')
    top, half = _AXIS + _BAR * (len(groups) + 1) + 14, math.ceil(last / 2)
    for i, name in enumerate(order):
        left = i < half
        row = i if left else last - 1 - i
        x, y = at(judgement.rank(name)), top + _ROW * row
        body.append(_line(x, _AXIS, x, y) + _line(x, y, _LEFT if left else _RIGHT, y))
        kind = "halo" if left else "halo end"
        body.append(label(_LEFT if left else _RIGHT, y - 3, f"{name} {judgement.rank(name):.2f}", kind))
    return svg_document("Mean ranks", _WIDTH, top + _ROW * (half - 1) + 12, body)


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path class="flow" d="M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}"/>'
