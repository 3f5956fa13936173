"""The networks that the final stage may train: the best of the search, each with its first weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

import msgspec

from cambrian.architecture import Architecture
from cambrian.effort import STOPPED
from cambrian.outcome import Artifact, Done, Fidelity, Outcome, Trial
from cambrian.search.ledger.keys import trial_key
from cambrian.search.loop.final import Final
from cambrian.spaces.space import Space
from cambrian.weights import AS_TRAINED, FINAL, FRESH, Inherit, Weights

SPARE = 2
"""Networks of the search beyond the compared ones, that stand in should all of these fail."""


class Trained(msgspec.Struct, frozen=True):
    """A network as a trial of the search left it, at the fidelity of the final stage: its weights, the files
    with them, and the seconds of that training."""

    weights: Inherit
    artifacts: dict[str, Artifact]
    seconds: float


class Candidate(msgspec.Struct, frozen=True):
    """A network that may be trained in the final stage: its first weights, and the files with them. It may be
    handed over as it was `trained` already, should there be no time for that."""

    architecture: Architecture
    fidelity: Fidelity
    weights: Weights = FRESH
    artifacts: dict[str, Artifact] = {}
    trained: Trained | None = None

    def keep_trained(self) -> Candidate:
        """The network as it was trained already."""
        assert self.trained is not None
        weights, artifacts = self.trained.weights, self.trained.artifacts
        return Candidate(self.architecture, self.fidelity, weights, artifacts)


def find_candidates(
    space: Space,
    final: Final,
    ranked: Sequence[Trial],
    trials: Sequence[Trial],
    kept: Callable[[Artifact], bool] = lambda artifact: True,
) -> list[Candidate]:
    """The `top` different architectures of `ranked` trials, best first, and after them a few to stand in.
    Where the stage continues the search each has the weights of its latest training among `trials` whose
    files are `kept`, if there is one."""
    architectures = best_distinct(space, ranked, final.top + SPARE)
    if not final.continues:
        return [_find_trained(final, architecture, trials, kept) for architecture in architectures]
    return [_find_latest(final, architecture, trials, kept) for architecture in architectures]


def _find_latest(
    final: Final, architecture: Architecture, trials: Sequence[Trial], kept: Callable[[Artifact], bool]
) -> Candidate:
    same = [t for t in trials if t.architecture == architecture and t.value is not None]
    fidelity = final.fidelity
    if same:  # weights fit the skeleton in which they were trained
        fidelity = msgspec.structs.replace(fidelity, skeleton=same[-1].fidelity.skeleton)
    for trial in reversed(same):
        if trial.artifacts and all(map(kept, trial.artifacts.values())):
            return Candidate(architecture, fidelity, Inherit(trial.number), trial.artifacts)
    return Candidate(architecture, fidelity)


def _find_trained(
    final: Final, architecture: Architecture, trials: Sequence[Trial], kept: Callable[[Artifact], bool]
) -> Candidate:
    """To be trained from scratch, with what the search left of it where that is the same training."""
    for trial in reversed(trials):
        outcome, files = trial.outcome, trial.artifacts
        same = trial.architecture == architecture and trial.fidelity == final.fidelity
        if not same or trial.estimator != final.estimator or not _is_whole(outcome):
            continue
        if files and all(map(kept, files.values())):
            trained = Trained(Inherit(trial.number, AS_TRAINED), files, outcome.seconds)
            return Candidate(architecture, final.fidelity, trained=trained)
    return Candidate(architecture, final.fidelity)


def _is_whole(outcome: Outcome | None) -> TypeGuard[Done]:
    """Whether a training came to its end: no deadline was before it, nor a forecast."""
    ended = isinstance(outcome, Done) and "planned_epochs" not in outcome.metrics
    return ended and STOPPED not in outcome.data  # type: ignore[union-attr]


def continue_winner(winner: Trial, again: bool) -> Candidate | None:
    """The network that an earlier session handed over, to be trained on from the weights of that training
    where its budget is another one now (`again`), or as it was begun. None where it did not come from a trial
    of the search, or where its weights were not kept."""
    weights = winner.weights
    if not isinstance(weights, Inherit):
        return None
    if not again:
        return Candidate(winner.architecture, winner.fidelity, weights) if weights.move else None
    if not winner.artifacts:
        return None
    weights = Inherit(weights.row, f"{FINAL}{winner.number}")
    return Candidate(winner.architecture, winner.fidelity, weights, winner.artifacts)


def best_distinct(space: Space, ranked: Sequence[Trial], count: int) -> list[Architecture]:
    """The first `count` different architectures of `ranked` trials, best first."""
    # By canonical key: two encodings of one network would take two of the places.
    distinct: dict[str, Architecture] = {}
    for trial in ranked:
        key = trial_key(space, trial.architecture, Fidelity(), "", 0)
        distinct.setdefault(key, trial.architecture)
    return list(distinct.values())[:count]
