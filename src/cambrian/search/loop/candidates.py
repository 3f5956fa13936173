"""The networks that the final stage may train: the best of the search, each with its first weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Artifact, Fidelity, Trial
from cambrian.search.ledger.keys import trial_key
from cambrian.search.loop.final import Final
from cambrian.spaces.space import Space
from cambrian.weights import FINAL, FRESH, Inherit, Weights

SPARE = 2
"""Networks of the search beyond the compared ones, that stand in should all of these fail."""


class Candidate(msgspec.Struct, frozen=True):
    """A network that may be trained in the final stage: its first weights, and the files with them."""

    architecture: Architecture
    fidelity: Fidelity
    weights: Weights = FRESH
    artifacts: dict[str, Artifact] = {}


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
        return [Candidate(architecture, final.fidelity) for architecture in architectures]
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
