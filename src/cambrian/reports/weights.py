"""The sections on weights: with whose weights trials began, which were trained anew, and the supernets."""

from __future__ import annotations

from collections import Counter

from cambrian.effort import find_epochs
from cambrian.outcome import Done, Trial, describe_collapse, describe_failure
from cambrian.reports.contents import Story
from cambrian.reports.evidence import search_trials
from cambrian.reports.formats import cell_text, integer_text
from cambrian.reports.page import Html, element, section, table
from cambrian.weights import Continue, Fresh, Inherit, Shared

_ROWS_SHOWN = 20


def weights_section(story: Story) -> Html | None:
    """With whose weights the trials began. None where all began with their own."""
    trials = search_trials(story.trials)
    counts = Counter(map(describe_weights, trials))
    # Only a training that was to be continued can be trained anew: all of them are in the table above.
    anew = [t for t in trials if retraining_reason(t)]
    if all(isinstance(t.weights, Fresh) for t in trials):
        return None
    return section(
        "Weights",
        table(["trials began with", "trials"], _count_rows(counts)),
        element("p", f"and {len(counts) - _ROWS_SHOWN} more", "note") if len(counts) > _ROWS_SHOWN else "",
        *_anew(anew),
    )


def _count_rows(counts: Counter[str]) -> list[list[object]]:
    """The commonest origins first; inheritance alone may give every trial one of its own."""
    return [[name, f"{count:,}"] for name, count in counts.most_common(_ROWS_SHOWN)]


def _anew(trials: list[Trial]) -> list[Html]:
    """The trials that were to continue a training and could not. Their values are the same, their cost is
    that of a whole training."""
    if not trials:
        return []
    # The first are enough: one file that was removed is the reason for all that follow.
    rows = [[t.number, describe_weights(t), retraining_reason(t)] for t in trials[:_ROWS_SHOWN]]
    parts = [
        element("h3", f"trained anew: {len(trials)}"),
        table(["trial", "was to begin with", "reason"], rows),
    ]
    if len(trials) > len(rows):
        parts.append(element("p", f"and {len(trials) - len(rows)} more", "note"))
    return parts


def describe_weights(trial: Trial) -> str:
    """The weights that a trial's request asks for, as a phrase."""
    weights = trial.weights
    if isinstance(weights, Continue):
        return f"the training of trial {weights.row}, continued"
    if isinstance(weights, Inherit):
        return f"the weights of trial {weights.row}" + (f", by {weights.move}" if weights.move else "")
    if isinstance(weights, Shared):
        return f"the weights of supernet {weights.row}"
    return "own first weights"


def retraining_reason(trial: Trial) -> str:
    """Why a training that was to be continued began anew (`TrainingRun`); "" where it did not."""
    return str(trial.outcome.data.get("anew", "")) if isinstance(trial.outcome, Done) else ""


def supernets_section(story: Story) -> Html | None:
    """Supernets by themselves: their value is a mean over random paths, so that they rank with no trial."""
    supernets = sorted((t for t in story.trials if t.kind == "supernet"), key=lambda t: t.number)
    if not supernets:
        return None
    # Trials refer to a supernet by its number: trials and supernets are numbered together.
    users = Counter(t.weights.row for t in search_trials(story.trials) if isinstance(t.weights, Shared))
    header = ["supernet", "method", story.metric, "trials scored", "epochs", "seconds", "weights", "remark"]
    return section(
        "Supernets",
        element(
            "p", "Trained once; the trials scored with one's weights were not trained themselves.", "note"
        ),
        table(header, [_supernet_row(story, t, users[t.number]) for t in supernets]),
    )


def _supernet_row(story: Story, trial: Trial, users: int) -> list[object]:
    outcome = trial.outcome
    began = "its own" if isinstance(trial.weights, Fresh) else f"supernet {trial.weights.row}, continued"
    return [
        trial.number,
        cell_text(trial.method.get("name") or "–"),
        story.value_of(trial),
        users,
        integer_text(find_epochs(trial)),
        "–" if outcome is None else f"{outcome.seconds:,.1f}",
        began,
        retraining_reason(trial) or describe_failure(trial) or describe_collapse(trial) or "–",
    ]
