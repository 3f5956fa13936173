"""The final stage: the best few are trained again from scratch in the final skeleton; the best of them on
validation is trained once more on train and validation, and tested once. The baselines are finished in
the same way, after every choice has been made, so that the test split decides nothing.

Where the stage continues the search, the best network goes on from the weights that the search left it with,
on train and validation, until the end of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import ENDLESS, Artifact, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.recommendation import rank_trials
from cambrian.request import Stop, Wait
from cambrian.search.ledger.keys import trial_key
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.baselines import list_baselines
from cambrian.search.loop.deadlines import FinalDeadlines
from cambrian.settings import SHARE, check_settings
from cambrian.spaces.space import Space
from cambrian.weights import FINAL, FRESH, Inherit, Weights

DELIVERED = ("winner", "front", "baseline")
"""Roles whose networks learn from train and validation and see the test split."""


class Final(msgspec.Struct, frozen=True):
    """`top` finalists at `fidelity`, of which the best on validation wins; of several objectives all `top`
    are handed over, as different points of one front. `baselines` are finished beside the winner: names of
    published architectures that belong to the space, and "random", one drawn from it of the winner's size.

    With `continues`, the winner goes on from the weights of its last trial, in that trial's skeleton: then
    `top` counts the architectures that are tried in turn should the first one fail. `estimator` names the
    one of the run's estimators that trains this stage; `share` is its part of a budget of time."""

    fidelity: Fidelity
    top: int = 3
    baselines: tuple[str, ...] = ("random",)
    continues: bool = False
    estimator: str = ""
    share: Annotated[float, SHARE] = 1 / 3

    def __post_init__(self) -> None:
        check_settings(self, "final")


def choose_final(given: Final | str | None, fidelity: Fidelity) -> Final | None:
    """The final stage that was asked for; of "auto" one for a search at `fidelity`: twice as many epochs, on
    all images."""
    if given is None or isinstance(given, Final):
        return given
    if given != "auto":
        raise UsageError(f"final is a Final, None or 'auto', got {given!r}")
    longer = fidelity.epochs if fidelity.epochs >= ENDLESS else 2 * fidelity.epochs
    return Final(msgspec.structs.replace(fidelity, epochs=longer, fraction=1.0))


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
    """The `top` different architectures of `ranked` trials, best first. Where the stage continues the search
    each has the weights of its latest training among `trials` whose files are `kept`, if there is one."""
    architectures = best_distinct(space, ranked, final.top)
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


class Part(NamedTuple):
    """A network's part in this stage: its role, the key of its training, and the network."""

    role: str
    key: str
    candidate: Candidate


class FinalStage:
    """The source of the final stage's rows, as a `Coordinator` is of a search's. A single candidate is the
    winner at once: there is nothing to choose. Nor is there among points of a front: the first `front`
    candidates, if any, are all delivered, and the others stand in should these fail."""

    def __init__(
        self,
        space: Space,
        settings: Final,
        candidates: Sequence[Candidate],
        rows: Sequence[Row],
        *,
        seed: int,
        recipe: str,
        published: Mapping[str, Architecture],
        again: bool = False,
        threads: int = 0,
        front: int = 0,
    ) -> None:
        """`rows` are those of earlier sessions; with `again`, trainings that their budget cut short are done
        anew."""
        self.threads = threads
        self.space, self.settings, self.seed, self.recipe = space, settings, seed, recipe
        self._known: dict[str, Trial] = {}
        # By key, so that a resumed run takes up its rows, and a training that is the same is never done
        # twice.
        for row in rows:
            if not (again and cut_short(row.trial)):
                self._known.setdefault(row.key, row.trial)
        self._count = len(rows)
        self._candidates = list(candidates)
        self._front = 1 if settings.continues else front
        decided = settings.continues or len(candidates) == 1 or bool(front)
        self._finalists = self._plan([("finalist", c) for c in candidates if not decided])
        self._published = published
        self._artifacts = {c.weights: c.artifacts for c in candidates}
        self._others = self.settings.baselines
        self._deadlines: FinalDeadlines | None = None
        self._elapsed: Callable[[], float] = lambda: 0.0
        self._delivered: list[Part] | None = None
        self.thinking = 0.0

    def next(self) -> Row | Wait | Stop:
        if self._delivered is None:
            row = self._open(self._finalists)
            if row is not None:
                return row
            chosen = self._choose()
            if chosen is None:
                return Stop("no finalist could be trained")
            others = [self._candidates.pop(0) for _ in self._candidates[: self._front - 1]]
            roles = [(f"front {n}", each) for n, each in enumerate(others, start=2)]
            baselines = self._baselines(chosen.architecture)
            self._delivered = self._plan([("winner", chosen), *roles, *baselines])
        if self._failed(self._delivered[0].key) and self._candidates:
            # The next one in its place: a run ends with a network.
            self._delivered[:1] = self._plan([("winner", self._candidates.pop(0))])
        return self._open(self._delivered) or Stop("the final stage is complete")

    def _choose(self) -> Candidate | None:
        """The winner: of several finalists the best on validation, else the best of the search."""
        if not self._finalists:
            return self._candidates.pop(0) if self._candidates else None
        outcomes = [self._known[part.key] for part in self._finalists if part.key in self._known]
        # On validation alone: the winner is settled before anything sees the test split.
        best = best_distinct(self.space, rank_trials(outcomes), 1)
        first, self._candidates = self._candidates[0], []
        if best:
            return msgspec.structs.replace(first, architecture=best[0])
        # The budget cut all finalists short: the search's own best is delivered, rather than no network.
        return first if all(map(cut_short, outcomes)) else None

    def _failed(self, key: str) -> bool:
        trial = self._known.get(key)
        return trial is not None and trial.outcome is not None and trial.value is None

    def within(self, deadlines: FinalDeadlines, elapsed: Callable[[], float]) -> None:
        """Keep to these deadlines from now on: a training that would be late is not begun, the winner's
        is."""
        self._deadlines, self._elapsed = deadlines, elapsed

    def claim(self, row: Row) -> None:
        self._known[row.key] = row.trial
        self._count += 1

    def finish(self, number: int, outcome: Outcome) -> dict[int, int]:
        for key, trial in self._known.items():
            if trial.number == number:
                self._known[key] = msgspec.structs.replace(trial, outcome=outcome)
        return {}

    def artifacts(self, trial: Trial) -> dict[str, Artifact]:
        """The files of the trial whose weights a final training begins with."""
        return self._artifacts.get(trial.weights, {})

    def list_needed(self) -> None:
        """Unknown here: a search that goes on after this stage may name any artifact of its trials."""

    def history(self, trial: Trial) -> tuple[Trial, ...]:
        return ()

    def root(self, weights: Weights) -> Weights:
        return weights

    def begun(self, weights: Weights) -> None:
        """No final training continues one that is its own beginning."""

    def winner(self) -> Trial | None:
        """The trained network to hand over, once there is one."""
        parts = [part for part in self._delivered or () if not part.role.startswith("baseline")]
        trials = [self._known[part.key] for part in parts if part.key in self._known]
        # Where its training fails, another network of the front is handed over first.
        return next((t for t in trials if t.value is not None), None)

    def front(self) -> list[Trial]:
        """The other networks of the front that were trained."""
        parts = [part for part in self._delivered or () if part.role.startswith("front")]
        trials = [self._known[part.key] for part in parts if part.key in self._known]
        return [t for t in trials if t.value is not None and t != self.winner()]

    def total(self) -> int:
        """The number of networks that are trained at most."""
        return len(self._finalists) + max(1, self._front) + len(self._others)

    def _open(self, parts: Sequence[Part]) -> Row | Wait | None:
        """The next row of a round, or Wait for those under way, or None when the round is over."""
        # In their order, in which the winner comes before the baselines: it must not wait for them.
        for part in parts:
            if part.key not in self._known and (part.role == "winner" or self._fits(part.role)):
                return self._row(part)
        if any(part.key in self._known and self._known[part.key].outcome is None for part in parts):
            return Wait()
        return None

    def _fits(self, role: str) -> bool:
        return self._deadlines is None or self._deadlines.fits(role, self._elapsed())

    def _plan(self, roles: Sequence[tuple[str, Candidate]]) -> list[Part]:
        return [Part(role, self._key(role, candidate), candidate) for role, candidate in roles]

    def _key(self, role: str, candidate: Candidate) -> str:
        # Finalists learn from train alone, delivered networks from train and validation: other measurements.
        stage = "deliver" if role.startswith(DELIVERED) else "finalist"
        recipe = f"{self.recipe} {stage}"
        architecture, fidelity = candidate.architecture, candidate.fidelity
        return trial_key(self.space, architecture, fidelity, recipe, 0, weights=candidate.weights)

    def _row(self, part: Part) -> Row:
        candidate = part.candidate
        trial = Trial(
            self._count,
            candidate.architecture,
            candidate.fidelity,
            kind="final",
            role=part.role,
            weights=candidate.weights,
            estimator=self.settings.estimator,
        )
        return Row(trial, part.key, "running", 1, 0)

    def _baselines(self, winner: Architecture) -> list[tuple[str, Candidate]]:
        """The baselines by role; one that the space does not hold is left out."""
        names = self.settings.baselines
        architectures = list_baselines(self.space, names, self._published, winner, self.seed)
        return [(role, Candidate(each, self.settings.fidelity)) for role, each in architectures]


def cut_short(trial: Trial) -> bool:
    """Whether the budget ended before the trial's training did."""
    if isinstance(trial.outcome, Done):
        return "planned_epochs" in trial.outcome.metrics
    return isinstance(trial.outcome, Infeasible) and trial.outcome.reason == "timeout"


def best_distinct(space: Space, ranked: Sequence[Trial], count: int) -> list[Architecture]:
    """The first `count` different architectures of `ranked` trials, best first."""
    # By canonical key: two encodings of one network would take two of the places.
    distinct: dict[str, Architecture] = {}
    for trial in ranked:
        key = trial_key(space, trial.architecture, Fidelity(), "", 0)
        distinct.setdefault(key, trial.architecture)
    return list(distinct.values())[:count]
