"""The last stage: the best few trained again from scratch in the final skeleton, the best of them
on validation trained once more on all that is not test, and tested, once. Whatever it is compared
with is finished in the same way, after every choice has been made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import IllegalArchitecture
from cambrian.outcome import Fidelity, Outcome, Trial
from cambrian.randomness import stream
from cambrian.search.keys import trial_key
from cambrian.search.ledger import FINAL, Row
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Stop, Wait

DELIVERED = ("winner", "baseline")
"""Roles whose networks learn from train and validation and see the test split."""


class Final(msgspec.Struct, frozen=True):
    """`top` finalists at `fidelity`; `baselines` are finished beside the winner: names of published
    architectures that belong to the space, and "random", an architecture drawn from it."""

    fidelity: Fidelity
    top: int = 3
    baselines: tuple[str, ...] = ("random",)


class FinalStage:
    """Gives the rows of the final stage, in the manner of a `Coordinator`. Of a single candidate there
    is nothing to choose, so that one is delivered at once."""

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
    ) -> None:
        self.space, self.settings, self.seed, self.recipe = space, settings, seed, recipe
        self._known: dict[str, Trial] = {}
        for row in rows:
            self._known.setdefault(row.key, row.trial)
        self._count = len(rows)
        self._only = candidates[0] if len(candidates) == 1 else None
        self._finalists = self._plan([("finalist", a) for a in candidates if self._only is None])
        self._others = [(f"baseline {name}", a) for name, a in self._baselines(published)]
        self._delivered: list[tuple[str, str, Architecture]] | None = None
        self.thinking = 0.0

    def next(self) -> Row | Wait | Stop:
        for role, key, architecture in self._finalists:
            if key not in self._known:
                return self._row(role, key, architecture)
        outcomes = [self._known[key] for _, key, _ in self._finalists]
        if any(t.outcome is None for t in outcomes):
            return Wait()
        chosen = [self._only] if self._only else best_distinct(self.space, outcomes, 1)
        if not chosen:
            return Stop("no finalist could be trained")
        if self._delivered is None:
            self._delivered = self._plan([("winner", chosen[0]), *self._others])
        for role, key, architecture in self._delivered:
            if key not in self._known:
                return self._row(role, key, architecture)
        if any(self._known[key].outcome is None for _, key, _ in self._delivered):
            return Wait()
        return Stop("the final stage is complete")

    def claimed(self, row: Row) -> None:
        self._known[row.key] = row.trial
        self._count += 1

    def finished(self, number: int, outcome: Outcome) -> None:
        for key, trial in self._known.items():
            if trial.number == number:
                self._known[key] = msgspec.structs.replace(trial, outcome=outcome)

    def winner(self) -> Trial | None:
        """The trained network to hand over, once there is one."""
        if not self._delivered:
            return None
        found = self._known.get(self._delivered[0][1])
        return found if found is not None and found.value is not None else None

    def total(self) -> int:
        return len(self._finalists) + 1 + len(self._others)

    def _plan(self, roles: Sequence[tuple[str, Architecture]]) -> list[tuple[str, str, Architecture]]:
        return [(role, self._key(role, a), a) for role, a in roles]

    def _key(self, role: str, architecture: Architecture) -> str:
        stage = "deliver" if role.startswith(DELIVERED) else "finalist"
        return trial_key(self.space, architecture, self.settings.fidelity, f"{self.recipe} {stage}", 0)

    def _row(self, role: str, key: str, architecture: Architecture) -> Row:
        number = FINAL + self._count
        trial = Trial(number, architecture, self.settings.fidelity, kind="final", role=role)
        return Row(trial, key, "running", 1, 0)

    def _baselines(self, published: Mapping[str, Architecture]) -> list[tuple[str, Architecture]]:
        found: list[tuple[str, Architecture]] = []
        for name in self.settings.baselines:
            if name == "random":
                found.append((name, sample(self.space, stream(self.seed, "baseline"))))
            elif name in published:
                try:
                    found.append((name, replay(self.space, published[name])))
                except IllegalArchitecture:  # a smaller space does not hold it
                    continue
        return found


def best_distinct(space: Space, trials: Sequence[Trial], count: int) -> list[Architecture]:
    """The `count` best different architectures with a finite value, best first, earlier ones first
    among equals."""
    ranked = sorted((t for t in trials if t.value is not None), key=lambda t: (-(t.value or 0.0), t.number))
    found: dict[str, Architecture] = {}
    for trial in ranked:
        key = trial_key(space, trial.architecture, Fidelity(), "", 0)
        found.setdefault(key, trial.architecture)
    return list(found.values())[:count]
