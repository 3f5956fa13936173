"""The judgement of a shortcut: how well its scores agree with the truth, what it favours, what it saves, and
a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.audits.noise import Ceiling
from cambrian.audits.statistics import (
    FEWEST_TOP,
    TOP,
    Figure,
    estimate,
    kendall,
    kendall_at_the_top,
    lean,
    regret,
    spearman,
    subtract,
)
from cambrian.errors import join_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ONE_SIDED = 0.9
"""The level of an interval whose one end is a test at 5 %."""
NOTABLE = 0.2
"""A leaning below is not told, however surely it is above zero."""
FAVOURED = {
    "skips": ("many skips", "few skips"),
    "depth": ("deep networks", "shallow networks"),
    "width": ("wide networks", "narrow networks"),
    "size": ("large networks", "small networks"),
}
"""Words for what is favoured, by the kind and the sign."""


class Judgement(msgspec.Struct, frozen=True):
    """`leans` are partial rank correlations with kinds of architectures at equal truth; `saves` is the
    truth's cost over the shortcut's, in seconds, or in epochs where seconds are not known. `beats` says
    whether it ranks better than the best baseline; `scores` are NaN for architectures that it failed on."""

    label: str
    baseline: bool
    kendall: Figure
    spearman: Figure
    top: Figure
    regret: Figure
    leans: dict[str, Figure]
    scores: tuple[float, ...]
    seconds: float | None = None
    saves: float | None = None
    left_out: int = 0
    beats: bool = False
    verdict: str = ""
    setting: dict[str, object] | None = None
    """How a search is told to measure by it; None where it cannot."""


def judge(
    label: str,
    scores: Floats,
    truth: Floats,
    kinds: Mapping[str, Floats],
    *,
    baseline: bool = False,
    seconds: float | None = None,
    saves: float | None = None,
    setting: dict[str, object] | None = None,
) -> Judgement:
    """The figures of a shortcut, without a verdict: that needs those of the baselines."""
    valid = np.isfinite(scores)
    x, y = scores[valid], truth[valid]
    count = len(x)
    top = estimate(kendall_at_the_top(x, y), count) if count * TOP >= FEWEST_TOP else Figure(None)
    return Judgement(
        label,
        baseline,
        estimate(kendall(x, y), count),
        estimate(spearman(x, y), count),
        top,
        estimate(regret(x, y), count),
        {kind: estimate(lean(x, y, values[valid]), count) for kind, values in kinds.items()},
        tuple(scores.tolist()),
        seconds,
        saves,
        int((~valid).sum()),
        setting=setting,
    )


def conclude(judgements: Sequence[Judgement], truth: Floats, ceiling: Ceiling | None) -> list[Judgement]:
    """The judgements with their verdicts."""
    rival = find_rival(judgements)
    concluded = []
    for each in judgements:
        beats = rival is not None and not each.baseline and compare(each, rival, truth) > 0
        verdict = "" if each.baseline else _word(each, rival, beats, ceiling) + _word_leaning(each)
        concluded.append(msgspec.structs.replace(each, beats=beats, verdict=verdict))
    return concluded


def find_rival(judgements: Sequence[Judgement]) -> Judgement | None:
    """The baseline with the best agreement."""
    known = [j for j in judgements if j.baseline and j.kendall.value is not None]
    return max(known, key=lambda j: j.kendall.value or 0.0, default=None)


def compare(one: Judgement, other: Judgement, truth: Floats) -> int:
    """1 where `one` agrees better with the truth than `other`, -1 where it agrees less, 0 where the bootstrap
    of the paired difference cannot tell."""
    a, b = np.array(one.scores), np.array(other.scores)
    both = np.isfinite(a) & np.isfinite(b)
    difference = subtract(kendall(a[both], truth[both]), kendall(b[both], truth[both]))
    figure = estimate(difference, int(both.sum()), ONE_SIDED)
    if figure.low is None or figure.high is None:
        return 0
    return 1 if figure.low > 0 else -1 if figure.high < 0 else 0


def list_better(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Those that rank better than every baseline and that a search can use, whatever they cost."""
    return [j for j in judgements if j.beats and j.setting is not None]


def recommend(judgements: Sequence[Judgement], truth: Floats) -> Judgement | None:
    """The shortcut that saves most, of those that rank better than every baseline and not surely worse than
    the best of them; None where no shortcut that a search can use does, and surely saves."""
    usable = [j for j in list_better(judgements) if j.saves is not None and j.saves > 1]
    if not usable:
        return None
    best = max(usable, key=lambda j: j.kendall.value or 0.0)
    alike = [j for j in usable if compare(j, best, truth) >= 0]
    return max(alike, key=lambda j: j.saves or 0.0)


def _word(each: Judgement, rival: Judgement | None, beats: bool, ceiling: Ceiling | None) -> str:
    if each.left_out == len(each.scores):
        return "measured no architecture"
    if each.kendall.value is None:
        return "gives all networks the same score"
    if each.kendall.low is None or each.kendall.high is None:
        return "too few networks to tell"
    if each.kendall.low <= 0:
        return "not surely better than a coin"
    if rival is not None and not beats:
        return f"not surely better than {rival.label}, which costs nothing"
    if ceiling is not None and each.kendall.high >= ceiling.kendall:
        return "as good as a second training, as far as this sample can tell"
    return "ranks better than the sizes of the networks do"


def _word_leaning(each: Judgement) -> str:
    told = sorted(
        ((kind, f.value) for kind, f in each.leans.items() if f.value is not None and _is_notable(f)),
        key=lambda pair: -abs(pair[1]),
    )
    words = [FAVOURED[kind][value < 0] for kind, value in told[:2]]
    return f"; favours {join_words(words)}" if words else ""


def _is_notable(figure: Figure) -> bool:
    if figure.value is None or figure.low is None or figure.high is None:
        return False
    return abs(figure.value) >= NOTABLE and (figure.low > 0 or figure.high < 0)
