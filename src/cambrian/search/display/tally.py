"""The trials of a running search as its displays show them: by level, with the best, the mean, the failed
ones and the surrogate's rank correlation."""

from __future__ import annotations

from collections import defaultdict

from cambrian.outcome import Done, Trial, describe_collapse, describe_failure, failure_reason
from cambrian.recommendation import Leader, list_comparable, place_trial

FEWEST = 5
"""Pairs below which a rank correlation is mostly chance."""


class Tally:
    """Counts the trials that have ended. `levels` are those of each level, 0 where a search has none."""

    def __init__(self) -> None:
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
        return value_text(max(list_comparable(self.levels[level]), key=place_trial, default=None))

    def mean_of(self, level: int) -> str:
        ended = [t.outcome for t in list_comparable(self.levels[level]) if isinstance(t.outcome, Done)]
        if not ended:
            return "-"
        mean = sum(outcome.value for outcome in ended) / len(ended)
        # All trials of a search have one objective, hence one direction.
        return f"{mean:.4g}" if ended[0].minimize else percent(mean)

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


def describe_supernet(trial: Trial) -> str:
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
    counted = f"{epochs:.3g} epoch{'s' if epochs != 1 else ''}{late}"
    if "gates" in trial.outcome.data:
        collapse = f"; {describe_collapse(trial)}" if "collapse" in trial.outcome.data else ""
        return f"supernet{part}: {counted}; the architecture of its gates has {value_text(trial)}{collapse}"
    return f"supernet{part}: {counted}; its children have {value_text(trial)} on average"


def percent(value: float | None, absent: str = "-") -> str:
    """A share of 1 as people read it, other values as they are.

    >>> percent(0.98333), percent(3.25), percent(None)
    ('98.33 %', '3.25', '-')
    """
    if value is None:
        return absent
    # A value outside of 0 to 1 is not a share, such as a loss or a time.
    return f"{100 * value:.2f} %" if 0 <= value <= 1 else f"{value:.4g}"


def value_text(trial: Trial | None, absent: str = "-") -> str:
    """The value of a trial: a share as people read it, or as it is where lower is better."""
    if trial is None or trial.value is None:
        return absent
    minimize = isinstance(trial.outcome, Done) and trial.outcome.minimize
    return number_text(trial.value, minimize)


def number_text(value: float, minimize: bool) -> str:
    """
    >>> number_text(0.375, False), number_text(0.375, True)
    ('37.50 %', '0.375')
    """
    return f"{value:.4g}" if minimize else percent(value)
