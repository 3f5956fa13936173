"""An audit: a sample of a space is measured in full once, and every shortcut is held against that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.judgement import Judgement, conclude, judge, recommend
from cambrian.audits.kinds import describe_kinds
from cambrian.audits.measuring import Measurements
from cambrian.audits.noise import Ceiling, estimate_ceiling
from cambrian.audits.records import check_settings, write_settings
from cambrian.audits.shortcuts import BASELINES, COIN, Shortcut
from cambrian.audits.sizes import SIZES
from cambrian.audits.statistics import FEWEST
from cambrian.audits.subject import Subject
from cambrian.errors import UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.settings import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 30
SHARE_TWICE = 6
"""One network in so many is trained a second time, and at least FEWEST_TWICE."""
FEWEST_TWICE = 3
MOST = 5_000
"""Architectures of a sample: pairs of them are counted one by one."""


@dataclass(frozen=True)
class Audit:
    """An audit's figures: `judgements` of the shortcuts in the order in which they were asked for, then of
    the baselines. `scores` are the truth's, higher is better, `architectures` their networks, `kinds` what
    these are like by name."""

    subject: Subject
    architectures: tuple[Architecture, ...]
    scores: NDArray[np.float64]
    kinds: Mapping[str, NDArray[np.float64]]
    judgements: tuple[Judgement, ...]
    ceiling: Ceiling | None
    seconds: float | None
    epochs: float | None
    failed: int = 0
    directory: Path | None = None

    @cached_property
    def truths(self) -> NDArray[np.float64]:
        """The scores in the truth's own direction, as people know them."""
        return -self.scores if self.subject.minimize else self.scores

    @cached_property
    def recommended(self) -> Judgement | None:
        """The cheapest shortcut that is as good as the best one here; None where none beats the baselines."""
        return recommend(self.judgements, self.scores)

    def __getitem__(self, label: str) -> Judgement:
        """The judgement of the shortcut with this label."""
        for each in self.judgements:
            if each.label == label:
                return each
        raise UnknownName("shortcut of this audit", label, [each.label for each in self.judgements])

    def __repr__(self) -> str:
        ranked = [j for j in self.judgements if j.kendall.value is not None] or self.judgements
        best = max(ranked, key=lambda j: j.kendall.value or 0.0)
        advice = "none recommended" if self.recommended is None else f"recommended {self.recommended.label}"
        return (
            f"<Audit of {self.subject.title}: {len(self.scores)} architectures, {len(self.judgements)}"
            f" shortcuts, best {best.label} (Kendall {best.kendall}), {advice}>"
        )


def run_audit(
    subject: Subject,
    shortcuts: Sequence[str] | None = None,
    sample: int = SAMPLE,
    twice: int | None = None,
    home: Path | None = None,
    tell: Callable[[str], object] | None = None,
) -> Audit:
    """Measure, and judge. The same call goes on where an earlier one was interrupted, and one with further
    shortcuts adds to it. `tell` gets a sentence before the first measurement.

    Raises UsageError before anything is measured where a shortcut cannot be, RunChanged where `home` holds an
    audit with another truth or sample."""
    check_sample(sample)
    chosen = read_shortcuts(subject, shortcuts)
    again = max(FEWEST_TWICE, sample // SHARE_TWICE) if twice is None else twice
    if home is not None:
        settings = {**subject.settings(), "sample": sample, "twice": again}
        check_settings(home, settings)
        write_settings(home, settings, [s.label for s in chosen])
    architectures = subject.draw(sample)
    if tell is not None:
        more = f" and {again} of them twice" if subject.trains and again else ""
        tell(f"truth  {subject.truth}, of {len(architectures)} architectures{more}")
    measured, pairs = subject.measure_truth(architectures, again)
    valid = np.isfinite(measured.scores)
    _check_enough(int(valid.sum()), measured)
    kept = [a for a, ok in zip(architectures, valid.tolist(), strict=True) if ok]
    truth = _Truth(measured.scores[valid] * subject.scale, measured.seconds, measured.epochs)
    sizes, each = subject.count_sizes(kept)
    kinds = describe_kinds(subject.space, kept, sizes)
    judgements = [_judge(subject, s, kept, truth, kinds) for s in chosen]
    judgements += _judge_baselines(sizes, each, truth, kinds)
    ceiling = estimate_ceiling(truth.scores, pairs * subject.scale)
    return Audit(
        subject,
        tuple(kept),
        truth.scores,
        kinds,
        tuple(conclude(judgements, truth.scores, ceiling)),
        ceiling,
        truth.seconds,
        truth.epochs,
        int((~valid).sum()),
        home,
    )


def read_shortcuts(subject: Subject, shortcuts: Iterable[str] | None) -> list[Shortcut]:
    """The shortcuts of an audit. Raises UsageError where one cannot be."""
    return [subject.read(text) for text in list_asked(subject, shortcuts)]


def list_asked(subject: Subject, shortcuts: Iterable[str] | None) -> list[str]:
    """The texts of the shortcuts, without the baselines, which are always there."""
    texts = [text.strip() for text in (subject.list_usual() if shortcuts is None else shortcuts)]
    return [text for text in dict.fromkeys(texts) if text not in BASELINES]


@dataclass(frozen=True)
class _Truth:
    scores: NDArray[np.float64]
    seconds: float | None
    epochs: float | None

    def count_savings(self, seconds: float | None, epochs: float | None) -> float | None:
        """How many times cheaper a measurement of this cost is."""
        if self.seconds and seconds:
            return self.seconds / seconds
        return self.epochs / epochs if self.epochs and epochs else None


def _judge(
    subject: Subject,
    shortcut: Shortcut,
    architectures: Sequence[Architecture],
    truth: _Truth,
    kinds: Mapping[str, NDArray[np.float64]],
) -> Judgement:
    measured = subject.measure(shortcut, architectures)
    saves = truth.count_savings(measured.seconds, measured.epochs)
    setting = shortcut.describe() if shortcut.searchable else None
    return judge(
        shortcut.label,
        measured.scores,
        truth.scores,
        kinds,
        seconds=measured.seconds,
        saves=saves,
        setting=setting,
    )


def _judge_baselines(
    sizes: Sequence[Mapping[str, float]],
    seconds: float,
    truth: _Truth,
    kinds: Mapping[str, NDArray[np.float64]],
) -> list[Judgement]:
    columns = {s: np.array([row[s] for row in sizes]) for s in SIZES if all(s in row for row in sizes)}
    columns[COIN] = stream(0, "audit", COIN).random(len(truth.scores))
    return [
        judge(name, scores, truth.scores, kinds, baseline=True, seconds=0.0 if name == COIN else seconds)
        for name, scores in columns.items()
    ]


def check_sample(sample: int) -> None:
    """Raises UsageError for a sample from which nothing could be told."""
    Span(1, MOST, whole=True).check("the sample", sample)
    if sample < FEWEST:
        raise UsageError(f"a sample of {sample} is too small for an interval: give --sample {FEWEST} or more")


def _check_enough(count: int, measured: Measurements) -> None:
    if count < FEWEST:
        reason = f"; the first: {measured.failures[0]}" if measured.failures else ""
        raise UsageError(
            f"only {count} architectures of the sample have a truth, too few for an interval: give a larger"
            f" --sample{reason}"
        )
