"""The verdict in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import groupby

from cambrian.counts import counted
from cambrian.referee.judgement import ALPHA, Judgement
from cambrian.referee.statistics import fewest_seeds

Phrase = Callable[[float], str]
"""A budget in words: "60 evaluations"."""


def verdict(judgement: Judgement, phrase: Phrase) -> list[str]:
    """Sentences on victories with their budgets, on strategies that cannot be told apart, and on early leads
    that did not last."""
    return [*_victories(judgement, phrase), *_alike(judgement, phrase), *_leads(judgement, phrase)]


def noninferior(judgement: Judgement, margin: float, phrase: Phrase) -> list[str]:
    """A sentence on the strategies that are as good as the best in rank, within the margin."""
    best, *others = judgement.order
    alpha = ALPHA / max(1, len(others))  # Bonferroni's: one claim for each
    good = [name for name in others if not _inferior(judgement, name, best, margin, alpha)]
    if not good:
        return []
    verb = "is" if len(good) == 1 else "are"
    return [
        f"After {phrase(judgement.at[-1])}, {join_names(good)} {verb} not inferior to {best} by more than "
        f"{margin:g} (bootstrap interval and signed-rank test of the differences)."
    ]


def too_few(judgement: Judgement) -> list[str]:
    """A sentence where the seeds are too few for any significant difference."""
    needed = fewest_seeds(len(judgement.pairs), ALPHA)
    if judgement.seeds >= needed:
        return []
    return [
        f"{counted(judgement.seeds, 'seed')} cannot tell {len(judgement.strategies)} strategies apart, "
        f"whatever they do: {needed} is the least."
    ]


def describe_power(strategies: int, seeds: int) -> str:
    """A sentence for before a comparison: whether so many seeds can decide at all."""
    pairs = math.comb(strategies, 2)
    needed = fewest_seeds(pairs, ALPHA)
    begin = (
        f"{strategies} strategies are {counted(pairs, 'pair')}, none of which fewer than {needed} seeds can"
        " tell apart"
    )
    if seeds < needed:
        return f"{begin}: {counted(seeds, 'seed')} will not decide, whatever the searches do"
    # The least is for one that is better under every seed; anything closer takes more.
    return f"{begin}; {seeds:,} are played, and the closer two are the more it takes"


def evaluations(count: float) -> str:
    return counted(count, "evaluation")


def epochs(count: float) -> str:
    return counted(count, "epoch")


def join_names(names: Iterable[str]) -> str:
    """
    >>> join_names(["a"]), join_names(["a", "b"]), join_names(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    *most, end = names
    return f"{', '.join(most)} and {end}" if most else end


def _victories(judgement: Judgement, phrase: Phrase) -> list[str]:
    return [
        f"{winner} beats {join_names(_since(judgement, beaten, phrase))}."
        for winner in judgement.order
        if (beaten := judgement.beaten_by(winner))
    ]


def _since(judgement: Judgement, beaten: dict[str, int], phrase: Phrase) -> list[str]:
    """The beaten strategies, those beaten from one budget on together, the earliest budget first."""
    earliest = sorted(beaten, key=lambda name: beaten[name])
    phrases = []
    for since, names in groupby(earliest, key=lambda name: beaten[name]):
        when = f"from {phrase(judgement.at[since])} on"
        # "From the last budget on" would promise a future that nobody measured.
        if since == len(judgement.at) - 1:
            when = f"after {phrase(judgement.at[since])}"
        phrases.append(f"{join_names(names)} {when}")
    return phrases


def _alike(judgement: Judgement, phrase: Phrase) -> list[str]:
    # Of the end alone: at equal times, or earlier, one may well be ahead of another.
    end = phrase(judgement.at[-1])
    return [f"{join_names(group)} cannot be told apart after {end}." for group in judgement.alike()]


def _leads(judgement: Judgement, phrase: Phrase) -> list[str]:
    return [
        f"{lead.ahead} was ahead of {lead.behind} from {phrase(judgement.at[lead.first])} to "
        f"{phrase(judgement.at[lead.last])}."
        for lead in judgement.leads()
    ]


def _inferior(judgement: Judgement, name: str, best: str, margin: float, alpha: float) -> bool:
    for pair in judgement.pairs:
        if {pair.a, pair.b} == {name, best}:
            return pair.inferior(margin, alpha)[pair.b == name]
    raise KeyError(name)
