"""The ranking of trials: the one notion of "best" for results, the final stage, the referee and reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from cambrian.architecture import Architecture
from cambrian.effort import compare_size, grade_fidelity
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Objective
from cambrian.weights import Inherit, Shared


def rank_trials(trials: Sequence[Trial], objectives: Sequence[Objective] = (Objective(),)) -> list[Trial]:
    """The measured trials, best first: those that were measured more fully (see `grade_fidelity`) before
    all others. Of equally full ones, one objective: by score. Several: front by front, a front being the
    trials that none of the rest dominates (Deb et al. 2002, fast non-dominated sorting), and by the first
    objective within a front. Among equals the `Leader` goes first, then earlier ones."""
    leader = find_leader(trials)
    measured = list_comparable(trials)
    levels = _number_fronts(measured, objectives) if len(objectives) > 1 else {}

    def order(trial: Trial) -> tuple[float, ...]:
        last = trial is not leader, trial.number
        fullness = (-part for part in grade_fidelity(trial.fidelity))
        return (*fullness, levels.get(trial.number, 0), -(trial.score or 0.0), *last)

    return sorted(measured, key=order)


def _number_fronts(trials: Sequence[Trial], objectives: Sequence[Objective]) -> dict[int, int]:
    """The number of each trial's front among those measured as fully, by the trial's number."""
    groups: dict[tuple[float, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(grade_fidelity(trial.fidelity), []).append(trial)
    levels: dict[int, int] = {}
    for group in groups.values():
        fronts = front_numbers([t.scores(objectives) for t in group])
        levels.update(zip((t.number for t in group), fronts, strict=True))
    return levels


def list_comparable(trials: Iterable[Trial]) -> list[Trial]:
    """The measured trials whose values can be compared: those of the highest grade that there is."""
    # A supernet's value is a mean over its architectures: it recommends none of them.
    measured = [t for t in trials if t.score is not None and t.kind != "supernet"]
    highest = max(map(grade_value, measured), default=0)
    return [t for t in measured if grade_value(t) == highest]


def grade_value(trial: Trial) -> int:
    """The worth of a trial's value as evidence of its architecture: 2 by the run's first estimator, 1 by a
    further one, as a zero-cost proxy, whose unit is its own; 0 with the weights of a supernet, which rank
    networks badly."""
    if isinstance(trial.weights, Shared):
        return 0
    return 1 if trial.estimator else 2


def place_trial(trial: Trial) -> tuple[float, ...]:
    """The place of a measured trial among others, higher for a better one: the grade of its value, how fully
    it was measured, since a score after less says less (as in BOHB, Falkner et al. 2018, Sec. 5), and then
    its score."""
    score = -math.inf if trial.score is None else trial.score
    return (grade_value(trial), *grade_fidelity(trial.fidelity), score)


def find_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Of the trials that were measured most fully, those that no other one dominates, sorted by the first
    objective; of trials with equal scores only the one that is ranked first."""
    # A value after fewer epochs says less, so that it neither stands on the front nor pushes others off it.
    ranked = list_fullest(rank_trials(trials, objectives))
    scores = [t.scores(objectives) for t in ranked]
    levels = front_numbers(scores) if ranked else []
    first: dict[tuple[float, ...], Trial] = {}
    for trial, vector, level in zip(ranked, scores, levels, strict=True):
        if level == 0:
            first.setdefault(vector, trial)
    return list(first.values())


def find_whole_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The front of the trials that have all objectives."""
    # Not those of the front that have them: where none that was measured most fully does, others may.
    whole = [t for t in list_comparable(trials) if all(map(math.isfinite, t.scores(objectives)))]
    return find_front(whole, objectives)


def list_fullest(trials: Sequence[Trial]) -> list[Trial]:
    """Those of the trials that were measured most fully, in their order."""
    fullest = max((grade_fidelity(t.fidelity) for t in trials), default=None)
    return [t for t in trials if grade_fidelity(t.fidelity) == fullest]


def list_ends(measured: Sequence[Trial]) -> list[Trial]:
    """The trials without those whose network another one of them went on with: that one is trained for longer
    than its own fidelity says, as a race's leader is in each heat."""
    architectures = {t.number: t.architecture for t in measured}
    went_on = {
        t.weights.row
        for t in measured
        if isinstance(t.weights, Inherit) and architectures.get(t.weights.row) == t.architecture
    }
    return [t for t in measured if t.number not in went_on]


def find_measurements(trials: Iterable[Trial], full: Fidelity) -> dict[Architecture, Trial]:
    """Of each architecture the trial that stands for it: the best of its fullest trainings. `full` is the
    search's own fidelity."""
    measured = list_ends([t for t in trials if t.score is not None])
    return {t.architecture: t for t in sorted(measured, key=lambda t: _rank_measurement(t, full))}


def _rank_measurement(trial: Trial, full: Fidelity) -> tuple[float, ...]:
    """The place of a measurement of one architecture among others of it, the last being the best. First come
    the kind of value and the fidelity: one with shared weights, or of small images, is another quantity, and
    may be higher."""
    fullness = *grade_fidelity(trial.fidelity), compare_size(trial.fidelity, full)
    return grade_value(trial), *fullness, trial.score or 0.0, -trial.number


def insert_better(
    preferred: Sequence[Trial], others: Iterable[Trial], objectives: Sequence[Objective]
) -> list[Trial]:
    """The trials that a strategy prefers, in its order, and before the first one that it outdoes each of the
    `others`, of which the strategy knows nothing: by the same kind of value, after a training that was no
    shorter. The rest of the others is left out."""
    ranked = list(preferred)
    for trial in others:
        end = ranked.index(trial) if trial in ranked else len(ranked)
        place = next((n for n, than in enumerate(ranked[:end]) if _outdoes(trial, than, objectives)), None)
        if place is not None:
            ranked = [t for t in ranked if t.number != trial.number]
            ranked.insert(place, trial)
    return ranked


def _outdoes(trial: Trial, than: Trial, objectives: Sequence[Objective]) -> bool:
    if trial.score is None or grade_value(trial) != grade_value(than):
        return False
    # One that is higher after a longer training may owe it to that; it is still the best that is known.
    fuller = grade_fidelity(trial.fidelity) >= grade_fidelity(than.fidelity)
    return fuller and dominates(trial.scores(objectives), than.scores(objectives))


def front_numbers(scores: Sequence[tuple[float, ...]]) -> list[int]:
    """The number of each vector's front, counted from 0; higher is better in every coordinate.

    >>> front_numbers([(1, 3), (3, 1), (1, 1), (0, 0)])
    [0, 0, 1, 2]
    """
    if not scores:
        return []
    import numpy as np  # late: listing trials does without it

    # Sorted first, a vector can be dominated by earlier ones only, and is where none of its coordinates is
    # higher than theirs. In columns, since a search has thousands of vectors.
    distinct = sorted(set(scores), reverse=True)
    columns = np.array(distinct, dtype=np.float64).T.copy()
    fronts = np.zeros(len(distinct), dtype=np.int64)
    for place in range(1, len(distinct)):
        above = (columns[1:, :place] >= columns[1:, place, None]).all(0)
        fronts[place] = 1 + fronts[:place][above].max(initial=-1)
    numbers = dict(zip(distinct, fronts.tolist(), strict=True))
    return [numbers[vector] for vector in scores]


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is at least as high as `b` in every coordinate and higher in one.

    >>> dominates((1, 2), (1, 1)), dominates((1, 2), (1, 2)), dominates((2, 0), (1, 1))
    (True, False, False)
    """
    return all(x >= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


class Leader:
    """The recommended one of the trials that were added, in whichever order they ended: of those of the
    highest grade that were measured most fully (see `place_trial`), the one with the highest score; among
    equals the one that the strategy preferred last (`Trial.prefers`), else the one of the lowest number."""

    def __init__(self) -> None:
        self._highest: tuple[float, ...] | None = None
        self._equals: list[Trial] = []  # all trials at the highest place
        self._first: Trial | None = None
        self._preferred: tuple[int, ...] = ()
        self._asked = -1  # the trial that said what is preferred

    def add(self, trial: Trial) -> None:
        """Count a trial, which need not have a value."""
        if trial.prefers and trial.number >= self._asked:
            self._preferred, self._asked = trial.prefers, trial.number
        if trial.score is None or trial.kind == "supernet":
            return
        place = place_trial(trial)
        if self._highest is None or place > self._highest:
            self._highest, self._equals, self._first = place, [trial], trial
        elif place == self._highest:
            self._equals.append(trial)
            if self._first is not None and trial.number < self._first.number:
                self._first = trial

    @property
    def trial(self) -> Trial | None:
        """None before there is a value."""
        # Without a preference the first is enough: where all values are equal, the list is long.
        if not self._preferred:
            return self._first
        preferred = (t for t in self._equals if t.number in self._preferred)
        return min(preferred, key=lambda t: t.number, default=self._first)


def find_leader(trials: Iterable[Trial]) -> Trial | None:
    """The `Leader` of these trials."""
    leader = Leader()
    for trial in trials:
        leader.add(trial)
    return leader.trial


def find_incumbents(trials: Iterable[Trial]) -> Iterator[Trial | None]:
    """The `Leader` after each of the trials, in their order."""
    leader = Leader()
    for trial in trials:
        leader.add(trial)
        yield leader.trial
