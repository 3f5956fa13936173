"""The outcome of a search in one or two sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cambrian.counts import counted
from cambrian.outcome import Done, Trial
from cambrian.reports.contents import Story
from cambrian.reports.evidence import best_trials, failures, search_trials
from cambrian.reports.tested import is_tested
from cambrian.tasks.targets.metrics import METRICS
from cambrian.weights import FINAL, Inherit

FEW_STEPS = 200
"""Steps below which a training has hardly begun: those of a race's first heat."""


def verdict(story: Story) -> str:
    """The winner and its baselines; else the best so far; else the reason why there is no value."""
    trials = search_trials(story.trials)
    ended = [t for t in trials if t.outcome is not None]
    if story.winner is not None:
        sentences = [_winner_sentence(story, story.winner, len(ended)), *_beside(story, story.winner)]
        return " ".join(
            [
                *sentences,
                *story.doubts,
                *tell_uncompared(story.trials),
                *tell_shortfall(story.winner, story.trials),
            ]
        )
    if not ended:
        return "Nothing has been measured yet."
    best = best_trials(trials, 1)
    if not best:
        return _nothing(ended)
    part = " on validation" if story.is_share(best[0].estimator) else ""
    return (
        f"The best of {counted(len(ended), 'architecture')} measured so far reaches "
        f"{story.value_of(best[0])}{part}; no final network has been trained."
    )


def tell_shortfall(winner: Trial, trials: Sequence[Trial] = ()) -> list[str]:
    """A sentence where the time ended before the winner had learned more than a beginning, in its last
    training and in those of the run's `trials` whose weights it goes on from."""
    outcome = winner.outcome
    if not isinstance(outcome, Done) or "planned_epochs" not in outcome.metrics:
        return []
    steps = _count_steps(winner, trials)
    if steps >= FEW_STEPS:
        return []
    return [
        f"There was time for {counted(int(steps), 'step')} of its training alone: resume the run with a"
        " larger --budget."
    ]


def tell_uncompared(trials: Sequence[Trial]) -> list[str]:
    """A sentence where the search that ended with a winner measured fewer than two networks, and why."""
    searched = search_trials(trials)
    # The gates of a supernet, or its children, compare networks without a trial for each.
    if not searched or any(t.kind == "supernet" for t in trials):
        return []
    valued = {t.architecture for t in searched if t.value is not None}
    if len(valued) > 1:
        return []
    if valued:
        return ["No network was compared with another: a single one was measured."]
    failed = sum(t.outcome is not None for t in searched)
    why = "the time was over before the first trial ended"
    if failed:
        why = f"{counted(failed, 'trial')} failed, and the time was over before another one ended"
    return [
        f"No network was compared with another: {why}. The winner is the first of the proposed networks that"
        " was still to be measured."
    ]


def _count_steps(trial: Trial, trials: Sequence[Trial]) -> float:
    """The steps of a training, and of all that it goes on from."""
    known = {(t.kind == "final", t.number): t for t in trials}
    steps = 0.0
    met: Trial | None = trial
    while met is not None and isinstance(met.outcome, Done):
        steps += met.outcome.metrics.get("steps", math.inf)
        weights = met.weights
        if not isinstance(weights, Inherit):
            break
        final = weights.move.startswith(FINAL)
        met = known.get((final, int(weights.move.removeprefix(FINAL)) if final else weights.row))
    return steps


def baselines(story: Story) -> list[tuple[str, Trial]]:
    """The baselines that were trained in the same way as the winner, as (name, trial)."""
    prefix = "baseline "
    return [
        (t.role.removeprefix(prefix), t)
        for t in story.trials
        if t.role.startswith(prefix) and t.value is not None and t != story.winner
    ]


def _list_over(story: Story) -> list[str]:
    """A sentence for each limit that a baseline is over: some are measured after its training."""
    limits: Mapping[str, float] = story.settings.get("limits") or {}
    return [
        f"The baseline {name} is over the limit on {measure}, which the winner had to keep."
        for name, trial in baselines(story)
        if isinstance(trial.outcome, Done)
        for measure, most in limits.items()
        if trial.outcome.metrics.get(measure, 0.0) > most
    ]


def _nothing(ended: list[Trial]) -> str:
    reasons = failures(ended)
    commonest = f": most often {reasons[0].reason} ({len(reasons[0].trials)})" if reasons else ""
    return f"None of the {counted(len(ended), 'evaluation')} gave a value{commonest}."


def _winner_sentence(story: Story, winner: Trial, count: int) -> str:
    part = ""
    if story.is_share(winner.estimator):
        part = f" on the test {story.noun}"
    elif isinstance(winner.outcome, Done) and is_tested(winner.outcome.metrics):
        part = f" ({story.name_of(winner.estimator)}) on the test {story.noun}"
    if not count:
        return f"The network trained reaches {story.value_of(winner)}{part}."
    return (
        f"The network found reaches {story.value_of(winner)}{part}. "
        f"It was chosen on validation among {counted(count, 'trained architecture')}."
    )


def _beside(story: Story, winner: Trial) -> list[str]:
    """The values of the baselines, and the least difference that means something: two standard errors
    of the difference of two shares of the test images."""
    others = [(name, t) for name, t in baselines(story) if t.value is not None]
    if not others or winner.value is None:
        return []
    phrases = [f"{_reaches(name)} {story.value_of(t)}" for name, t in others]
    sentences = [f"Finished in the same way, {' and '.join(phrases)}.", *_list_over(story)]
    count = story.task.get("test")
    if _counts(story, winner) and isinstance(count, int) and count:
        # The variance of a share p of n images is p (1 - p) / n; the difference of two has twice that.
        error = 2 * math.sqrt(2 * winner.value * (1 - winner.value) / count)
        # Below half a tenth of a point the rounded figure would read 0.0.
        size = f"{100 * error:.1f} points" if error >= 0.0005 else f"a handful of {story.noun}"
        sentences.append(
            f"This is one run on {count:,} test {story.noun}: differences below {size} say little."
        )
    return sentences


def _counts(story: Story, winner: Trial) -> bool:
    """Whether its value is the share of the test part that is right: an r2 is a share too, and may be below
    0."""
    metric = METRICS.get(story.name_of(winner.estimator))
    if not story.is_share(winner.estimator) or (metric is not None and not metric.counts):
        return False
    return winner.value is not None and 0 <= winner.value <= 1


def _reaches(name: str) -> str:
    return "a random architecture reaches" if name == "random" else f"{name} reaches"
