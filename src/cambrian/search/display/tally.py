"""The trials of a running search as its displays show them: by level, with the best, the mean, the failed
ones and the surrogate's rank correlation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from cambrian.outcome import Done, Trial, describe_collapse, describe_failure, failure_reason
from cambrian.recommendation import Leader, list_comparable, place_trial

FEWEST = 5
"""Pairs below which a rank correlation is mostly chance."""


class Tally:
    """Counts the trials that have ended. `levels` are those of each level, 0 where a search has none;
    `shares` names the estimators whose values are shares (see `find_shares`)."""

    def __init__(self, shares: Collection[str] = ()) -> None:
        self.shares = shares
        self.levels: dict[int, list[Trial]] = defaultdict(list)
        self.failed = 0
        self.leader = Leader()
        self._first_failures: dict[str, Trial] = {}

    def add(self, trial: Trial) -> int:
        """Count a trial; returns its level."""
        level = int(trial.reason.get("level", 0))
        self.levels[level].append(trial)
        self.leader.add(trial)
        if trial.value is None:
            self.failed += 1
            self._first_failures.setdefault(failure_reason(trial), trial)
        return level

    def is_first_failure(self, trial: Trial) -> bool:
        """Whether no trial before this one failed for the same reason: that is told at once."""
        return trial.value is None and self._first_failures.get(failure_reason(trial)) is trial

    @property
    def best(self) -> Trial | None:
        return self.leader.trial

    @property
    def count(self) -> int:
        return sum(map(len, self.levels.values()))

    def best_of(self, level: int) -> str:
        best = max(list_comparable(self.levels[level]), key=place_trial, default=None)
        return value_text(best, self.shares)

    def mean_of(self, level: int) -> str:
        ended = list_comparable(self.levels[level])
        if not ended:
            return "-"
        mean = sum(trial.value or 0.0 for trial in ended) / len(ended)
        # All that can be compared are values of one kind.
        return number_text(mean, is_share(ended[0], self.shares))

    def rank_correlation(self, level: int) -> str:
        """Spearman's, between what the surrogate predicted and what was measured."""
        from cambrian.predictors.rank_correlation import spearman

        pairs = [
            (t.reason["predicted"], t.score)
            for t in self.levels[level]
            if t.score is not None and t.reason.get("predicted") is not None
        ]
        if len(pairs) < FEWEST:
            return "-"
        return f"{spearman([p for p, _ in pairs], [v for _, v in pairs]):+.2f}"

    def describe_level(self, level: int) -> str:
        """The line of a level that is complete; trials without a level are all of level 0."""
        count, best = len(self.levels[level]), self.best_of(level)
        if not level:
            return f"{count} tried, best {best}"
        rho = self.rank_correlation(level)
        return f"level {level}: {count} trained, best {best}, surrogate's rank correlation {rho}"


def describe_supernet(trial: Trial, shares: Collection[str] = ()) -> str:
    """The line for a part of a supernet's training that has ended."""
    chunk, chunks = trial.reason.get("chunk", 1), trial.reason.get("chunks", 1)
    part = f", part {chunk} of {chunks}" if chunks != 1 else ""
    if "back" in trial.reason:
        back = trial.reason["back"]
        part += f", taken back to {f'epoch {back}' if back else 'its start'}"
    if not isinstance(trial.outcome, Done):
        return f"supernet{part}: {describe_failure(trial)}"
    epochs = trial.outcome.metrics.get("epochs", trial.fidelity.epochs)
    late = f" of {trial.fidelity.epochs}, its time" if "planned_epochs" in trial.outcome.metrics else ""
    value = value_text(trial, shares)
    counted = f"{epochs:.3g} epoch{'s' if epochs != 1 else ''}{late}"
    if "gates" in trial.outcome.data:
        collapse = f"; {describe_collapse(trial)}" if "collapse" in trial.outcome.data else ""
        return f"supernet{part}: {counted}; the architecture of its gates has {value}{collapse}"
    return f"supernet{part}: {counted}; its children have {value} on average"


def percent(value: float | None, absent: str = "-") -> str:
    """A share of 1 as people read it, of which r2 may be below 0; what cannot be one, as a percentage
    already, as it is.

    >>> percent(0.98333), percent(-0.0125), percent(3.25), percent(None)
    ('98.33 %', '-1.25 %', '3.25', '-')
    """
    if value is None:
        return absent
    return f"{100 * value:.2f} %" if value <= 1 else f"{value:.4g}"


def value_text(trial: Trial | None, shares: Collection[str] = (), absent: str = "-") -> str:
    """The value of a trial: as people read a share where its estimator is one of `shares`, else as it is."""
    if trial is None or trial.value is None:
        return absent
    return number_text(trial.value, is_share(trial, shares))


def is_share(trial: Trial, shares: Collection[str]) -> bool:
    """Whether the trial's value is a share: an accuracy, and no loss of one, of which lower is better."""
    minimized = isinstance(trial.outcome, Done) and trial.outcome.minimize
    return trial.estimator in shares and not minimized


def number_text(value: float, share: bool) -> str:
    """
    >>> number_text(0.375, True), number_text(0.375, False)
    ('37.50 %', '0.375')
    """
    return percent(value) if share else f"{value:.4g}"
