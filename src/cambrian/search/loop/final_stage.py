"""The final stage: the best few are trained again from scratch in the final skeleton; the best of them on
validation is trained once more on train and validation, and tested once. The baselines are finished in
the same way, after every choice has been made, so that the test split decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import OneOf
from cambrian.errors import IllegalArchitecture, Rejected
from cambrian.outcome import Artifact, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.randomness import stream
from cambrian.recommendation import rank_trials
from cambrian.request import Stop, Wait
from cambrian.search.ledger.keys import trial_key
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.deadlines import FinalDeadlines
from cambrian.spaces.space import Space
from cambrian.weights import Weights

DELIVERED = ("winner", "baseline")
"""Roles whose networks learn from train and validation and see the test split."""


class Final(msgspec.Struct, frozen=True):
    """`top` finalists at `fidelity`; `baselines` are finished beside the winner: names of published
    architectures that belong to the space, and "random", one drawn from it of the winner's size."""

    fidelity: Fidelity
    top: int = 3
    baselines: tuple[str, ...] = ("random",)


class FinalStage:
    """The source of the final stage's rows, as a `Coordinator` is of a search's. A single candidate is the
    winner at once: there is nothing to choose."""

    def __init__(
        self,
        space: Space,
        settings: Final,
        candidates: Sequence[Architecture],
        rows: Sequence[Row],
        *,
        seed: int,
        recipe: str,
        published: Mapping[str, Architecture],
        again: bool = False,
    ) -> None:
        """`rows` are those of earlier sessions; with `again`, trainings that their budget cut short are done
        anew."""
        self.space, self.settings, self.seed, self.recipe = space, settings, seed, recipe
        self._known: dict[str, Trial] = {}
        # By key, so that a resumed run takes up its rows, and a training that is the same is never done
        # twice.
        for row in rows:
            if not (again and cut_short(row.trial)):
                self._known.setdefault(row.key, row.trial)
        self._count = len(rows)
        self._only = candidates[0] if len(candidates) == 1 else None
        self._finalists = self._plan([("finalist", a) for a in candidates if self._only is None])
        self._best = candidates[0] if candidates else None
        self._published = published
        self._others = self.settings.baselines
        self._deadlines: FinalDeadlines | None = None
        self._elapsed: Callable[[], float] = lambda: 0.0
        self._delivered: list[tuple[str, str, Architecture]] | None = None
        self.thinking = 0.0

    def next(self) -> Row | Wait | Stop:
        if self._delivered is None:
            row = self._open(self._finalists)
            if row is not None:
                return row
            outcomes = [self._known[key] for _, key, _ in self._finalists if key in self._known]
            # On validation alone: the winner is settled before anything sees the test split.
            chosen = [self._only] if self._only else best_distinct(self.space, rank_trials(outcomes), 1)
            # The budget cut all finalists short: the search's own best is delivered, rather than no network.
            if not chosen and self._best is not None and all(map(cut_short, outcomes)):
                chosen = [self._best]
            if not chosen:
                return Stop("no finalist could be trained")
            self._delivered = self._plan([("winner", chosen[0]), *self._baselines(chosen[0])])
        return self._open(self._delivered) or Stop("the final stage is complete")

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
        if self._deadlines is not None and isinstance(outcome, Done):
            self._deadlines.learn(outcome.seconds)
        return {}

    def artifacts(self, trial: Trial) -> dict[str, Artifact]:
        """None: final networks are trained from fresh weights."""
        return {}

    def list_needed(self) -> None:
        """Unknown here: a search that goes on after this stage may name any artifact of its trials."""

    def history(self, trial: Trial) -> tuple[Trial, ...]:
        return ()

    def root(self, weights: Weights) -> Weights:
        return weights

    def winner(self) -> Trial | None:
        """The trained network to hand over, once there is one."""
        if not self._delivered:
            return None
        trial = self._known.get(self._delivered[0][1])
        return trial if trial is not None and trial.value is not None else None

    def total(self) -> int:
        """The number of networks that are trained at most."""
        return len(self._finalists) + 1 + len(self._others)

    def _open(self, plan: Sequence[tuple[str, str, Architecture]]) -> Row | Wait | None:
        """The next row of a round, or Wait for those under way, or None when the round is over."""
        # In the plan's order, in which the winner comes before the baselines: it must not wait for them.
        for role, key, architecture in plan:
            if key not in self._known and (role == "winner" or self._fits(role)):
                return self._row(role, key, architecture)
        if any(key in self._known and self._known[key].outcome is None for _, key, _ in plan):
            return Wait()
        return None

    def _fits(self, role: str) -> bool:
        return self._deadlines is None or self._deadlines.fits(role, self._elapsed())

    def _plan(self, roles: Sequence[tuple[str, Architecture]]) -> list[tuple[str, str, Architecture]]:
        return [(role, self._key(role, a), a) for role, a in roles]

    def _key(self, role: str, architecture: Architecture) -> str:
        # Finalists learn from train alone, delivered networks from train and validation: other measurements.
        stage = "deliver" if role.startswith(DELIVERED) else "finalist"
        return trial_key(self.space, architecture, self.settings.fidelity, f"{self.recipe} {stage}", 0)

    def _row(self, role: str, key: str, architecture: Architecture) -> Row:
        trial = Trial(self._count, architecture, self.settings.fidelity, kind="final", role=role)
        return Row(trial, key, "running", 1, 0)

    def _baselines(self, winner: Architecture) -> list[tuple[str, Architecture]]:
        """The baselines by role; one that the space does not hold is left out."""
        baselines: list[tuple[str, Architecture]] = []
        for name in self.settings.baselines:
            with suppress(IllegalArchitecture):
                if name == "random":
                    baselines.append((f"baseline {name}", self._random(winner)))
                elif name in self._published:
                    baselines.append((f"baseline {name}", replay(self.space, self._published[name])))
        return baselines

    def _random(self, winner: Architecture) -> Architecture:
        """A random architecture of the winner's size: with as many layers or blocks."""
        depths = [c.path for c in questions(self.space, winner) if isinstance(c, OneOf) and c.depth]
        # Rejection, as `sample` does it: a space may reject most draws, but not for ever.
        rng = stream(self.seed, "baseline")
        for _ in range(1000):
            try:
                same = {path: winner[path] for path in depths}
                return replay(self.space, same, lambda choice: choice.draw(rng))
            except Rejected:
                continue
        raise IllegalArchitecture("the space rejects random architectures of the winner's size")


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
