"""The figures of an audit as a table, as JSON, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from cambrian.audits.audit import Audit
from cambrian.audits.judgement import FAVOURED, find_rival, list_better
from cambrian.codec import encode
from cambrian.errors import join_words
from cambrian.referee.figures import plainly, seconds


def list_agreement(audit: Audit) -> tuple[list[str], list[list[str]]]:
    """Header and rows of texts: how well each ranks, and what it saves; shortcuts, then baselines."""
    header = ["shortcut", "Kendall (95 %)", "Spearman", "top third", "regret", "saves"]
    return header, [
        [
            each.label,
            str(each.kendall),
            str(each.spearman),
            str(each.top),
            "–" if each.regret.value is None else f"{each.regret.value:.3g}",
            "–" if each.saves is None else f"{each.saves:.3g}x",
        ]
        for each in audit.judgements
    ]


def list_leanings(audit: Audit) -> tuple[list[str], list[list[str]]]:
    """Header and rows of texts: what each favours at equal truth, and the seconds that one network takes."""
    kinds = [kind for kind in FAVOURED if kind in audit.kinds]
    return ["favours", *kinds, "a network"], [
        [
            each.label,
            *(_sign(each.leans[kind].value) for kind in kinds),
            "–" if each.seconds is None else seconds(each.seconds),
        ]
        for each in audit.judgements
    ]


def describe(audit: Audit) -> Iterator[str]:
    """Sentences: the noise ceiling, a verdict for each shortcut, and the recommendation."""
    yield describe_ceiling(audit)
    if audit.failed:
        yield f"{audit.failed} architectures of the sample have no truth and are left out."
    for each in audit.judgements:
        if each.verdict:
            lost = f" ({each.left_out} not measured)" if each.left_out else ""
            yield f"{each.label}: {each.verdict}{lost}."
    yield describe_recommendation(audit)


def describe_ceiling(audit: Audit) -> str:
    ceiling = audit.ceiling
    if ceiling is None:
        return "The noise ceiling is not known: no network has two trainings that differ."
    return (
        f"Noise ceiling: a second full training would agree with the first at Kendall {ceiling.kendall:.2f},"
        f" Spearman {ceiling.spearman:.2f}{_name_top(ceiling.top)}, and its choice would have a regret of"
        f" {ceiling.regret:.2g} (from {ceiling.pairs} pairs of trainings that differ by a standard deviation"
        f" of {ceiling.noise:.2g})."
    )


def _name_top(top: float | None) -> str:
    return "" if top is None else f", {top:.2f} in the top third"


def describe_recommendation(audit: Audit) -> str:
    chosen = audit.recommended
    if chosen is not None:
        return (
            f"Recommended: {chosen.label}, Kendall {chosen.kendall}, {chosen.saves:.3g} times cheaper than"
            " the truth."
        )
    rival = find_rival(audit.judgements)
    free = "a coin" if rival is None else f"{rival.label} (Kendall {rival.kendall}), which costs nothing"
    better = list_better(audit.judgements)
    if better:
        names = join_words([each.label for each in better])
        why = (
            "what the truth or they cost is not known, and so not what they save"
            if any(each.saves is None for each in better)
            else "none of them is cheaper than the truth"
        )
        return f"Recommended: none. Surely better than {free}: {names}; but {why}."
    return (
        f"Recommended: none. No shortcut here that a search can use is surely better than {free}; train in"
        " full, try others, or a larger --sample."
    )


def facts(audit: Audit) -> dict[str, Any]:
    """The whole audit, as JSON."""
    chosen = audit.recommended
    record = {
        "title": audit.subject.title,
        "settings": audit.subject.settings(),
        "unit": audit.subject.unit,
        "truth": {"label": audit.subject.truth, "seconds": audit.seconds, "epochs": audit.epochs},
        "sample": len(audit.scores),
        "failed": audit.failed,
        "ceiling": audit.ceiling,
        "shortcuts": audit.judgements,
        "recommended": None
        if chosen is None
        else {"label": chosen.label, **(chosen.setting or {}), "kendall": chosen.kendall},
        "verdict": list(describe(audit)),
        "architectures": audit.architectures,
        "scores": audit.truths.tolist(),
        "kinds": {kind: values.tolist() for kind, values in audit.kinds.items()},
        "directory": None if audit.directory is None else str(audit.directory),
    }
    plain: dict[str, Any] = plainly(msgspec.json.decode(encode(_drop_unknown(record))))
    return plain


def _drop_unknown(record: dict[str, Any]) -> dict[str, Any]:
    """The record without NaN, which JSON does not have: a score that was not measured is null."""
    rows = [msgspec.to_builtins(each) for each in record["shortcuts"]]
    for row in rows:
        row["scores"] = [score if np.isfinite(score) else None for score in row["scores"]]
    return {**record, "shortcuts": rows}


def _sign(value: float | None) -> str:
    """
    >>> _sign(0.34), _sign(-0.041), _sign(None)
    ('+.34', '-.04', '–')
    """
    return "–" if value is None else f"{value:+.2f}".replace("0.", ".", 1)
