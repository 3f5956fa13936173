"""The final stage: the best few are trained again from scratch in the final skeleton; the best of them on
validation is trained once more on train and validation, and tested once. The baselines are finished in
the same way, after every choice has been made, so that the test split decides nothing.

Where the stage continues the search, the best network goes on from the weights that the search left it with,
on train and validation, until the end of the budget."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from cambrian.architecture import Architecture
from cambrian.outcome import Artifact, Outcome, Trial
from cambrian.recommendation import rank_trials
from cambrian.request import Stop, Wait
from cambrian.search.ledger.keys import trial_key
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.baselines import list_baselines
from cambrian.search.loop.candidates import Candidate
from cambrian.search.loop.deadlines import WHOLE, FinalDeadlines
from cambrian.search.loop.final import DELIVERED, Final
from cambrian.search.loop.trainings import Trainings, has_failed, is_late
from cambrian.spaces.space import Space
from cambrian.weights import Weights

DRAWING = 0.05
"""The share of the time that is left in which a random baseline is looked for."""


class Part(NamedTuple):
    """A network's part in this stage: its role, the key of its training, and the network."""

    role: str
    key: str
    candidate: Candidate


class FinalStage:
    """The source of the final stage's rows, as a `Coordinator` is of a search's. The first `top` candidates
    are compared; a single one is the winner at once: there is nothing to choose. Nor is there among points
    of a front: the first `front` candidates, if any, are all delivered. The others stand in should these
    fail."""

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
        growth: float = 1.0,
        keeps: Callable[[Architecture], bool] = lambda _: True,
        warn: Callable[[str], object] = warnings.warn,
    ) -> None:
        """`rows` are those of earlier sessions; with `again`, trainings that their budget cut short are done
        anew. A delivered network learns from `growth` times as many examples as a trial. A random baseline is
        one that `keeps` the limits; `warn` gets a sentence where none is found."""
        self.threads = threads
        self._keeps, self._warn, self._growth = keeps, warn, growth
        self.space, self.settings, self.seed, self.recipe = space, settings, seed, recipe
        self._trainings = Trainings(rows, again)
        self._count = len(rows)
        self._candidates = list(candidates)
        self._front = 1 if settings.continues else front
        compared = candidates[: settings.top]
        decided = settings.continues or len(compared) == 1 or bool(front)
        self._finalists = self._plan([("finalist", c) for c in compared if not decided])
        self._published = published
        trained = {c.trained.weights: c.trained.artifacts for c in candidates if c.trained is not None}
        self._artifacts = {c.weights: c.artifacts for c in candidates} | trained
        self._others = self.settings.baselines
        self._deadlines: FinalDeadlines | None = None
        self._elapsed: Callable[[], float] = lambda: 0.0
        self._delivered: list[Part] | None = None
        self._first: Architecture | None = None
        self._has_baselines = False
        self.thinking = 0.0

    def next(self) -> Row | Wait | Stop:
        if self._delivered is None:
            row = self._open(self._finalists)
            if row is not None:
                return row
            self._candidates = self._rank_candidates()
            if not self._candidates:
                return Stop("no finalist could be trained")
            self._hand_over_late()
            winner = self._appoint()
            self._first = winner.candidate.architecture
            others = [self._candidates.pop(0) for _ in self._candidates[: max(0, self._front - 1)]]
            roles = [(f"front {n}", each) for n, each in enumerate(others, start=2)]
            self._delivered = [winner, *self._plan(roles)]
        while has_failed(self._find(self._delivered[0])) and self._candidates:
            # The next one in its place: a run ends with a network.
            self._delivered[0] = self._appoint()
        step = self._open(self._delivered)
        if not isinstance(step, Row) and not self._has_baselines:
            # Only now: under limits it may take seconds to draw one, for which the winner does not wait.
            self._has_baselines = True
            self._delivered += self._plan(self._baselines())
            step = self._open(self._delivered)
        return step or Stop("the final stage is complete")

    def _rank_candidates(self) -> list[Candidate]:
        """Those that may be handed over, best first: of several finalists by their values on validation, then
        those that there was no time to compare, in the order of the search, never one that failed, and at
        last the candidates beyond."""
        if not self._finalists:
            return self._candidates
        # On validation alone: the winner is settled before anything sees the test split.
        trials = [self._trainings.recall(part.key) for part in self._finalists]
        ranked = rank_trials([trial for trial in trials if trial is not None])
        pairs = list(zip(self._finalists, trials, strict=True))
        valued = [(ranked.index(trial), part) for part, trial in pairs if trial in ranked]
        late = [part.candidate for part, trial in pairs if trial is None or is_late(trial)]
        best = [part.candidate for _, part in sorted(valued, key=itemgetter(0))]
        return [*best, *late, *self._candidates[len(self._finalists) :]]

    def _hand_over_late(self) -> None:
        """Take the candidates as the search trained them, where there is no time to train anew what is
        delivered: a training that ends long before its end is worse than a whole one on fewer examples."""
        delivered = self._candidates[: max(1, self._front)]
        if self._deadlines is None or not all(self._may_keep(each) for each in delivered):
            return
        needed = self._growth * sum(each.trained.seconds for each in delivered if each.trained)
        if needed * WHOLE > self._deadlines.seconds - self._elapsed():
            self._candidates = [c.keep_trained() if self._may_keep(c) else c for c in self._candidates]
            self._has_baselines = True  # they would be cut short, and be compared with a whole training

    def _may_keep(self, candidate: Candidate) -> bool:
        """Whether it was trained in the search, and no earlier session has begun to train it anew."""
        return candidate.trained is not None and self._trainings.find(self._key("winner", candidate)) is None

    def _appoint(self) -> Part:
        """The next candidate as the winner."""
        (part,) = self._plan([("winner", self._candidates.pop(0))])
        # The winner is trained however late it is, unlike one of a front, which it may have been before.
        self._trainings.forgive(part.key)
        return part

    def find_another(self, trials: Sequence[Trial]) -> Architecture | None:
        """The network to hand over, where it has had no training for that, and among the `trials` of earlier
        sessions another one has, or is in training; else None."""
        first = self._find_untrained()
        others = [t for t in trials if t.role.startswith(("winner", "front")) and t.architecture != first]
        return first if not all(map(has_failed, others)) else None

    def _find_untrained(self) -> Architecture | None:
        ended = {each.architecture: self._list_delivered(each.architecture) for each in self._candidates}
        valued = [a for a, trials in ended.items() if any(t.value is not None for t in trials)]
        if self._finalists and (valued or any(self._find(part) for part in self._finalists)):
            return None
        # One that failed is passed over, as it will be.
        left = [a for a, trials in ended.items() if a in valued or all(map(is_late, trials))]
        return left[0] if left and left[0] not in valued else None

    def _list_delivered(self, architecture: Architecture) -> list[Trial]:
        return [t for t in self._trainings.list_ended(architecture) if t.role.startswith(DELIVERED)]

    def _find(self, part: Part) -> Trial | None:
        return self._trainings.find(part.key)

    def within(self, deadlines: FinalDeadlines, elapsed: Callable[[], float]) -> None:
        """Keep to these deadlines from now on: a training that would be late is not begun, the winner's
        is."""
        self._deadlines, self._elapsed = deadlines, elapsed

    def claim(self, row: Row) -> None:
        self._trainings.begin(row.key, row.trial)
        self._count += 1
        if row.trial.role == "winner" and self._deadlines is not None:
            self._deadlines.begin_winner(self._elapsed())

    def finish(self, number: int, outcome: Outcome) -> dict[int, int]:
        self._trainings.finish(number, outcome)
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
        # Where its training fails, another network of the front is handed over first.
        return next(iter(self._list_trained("winner", "front")), None)

    def front(self) -> list[Trial]:
        """The other networks of the front that were trained."""
        return [trial for trial in self._list_trained("front") if trial != self.winner()]

    def _list_trained(self, *roles: str) -> list[Trial]:
        parts = [part for part in self._delivered or () if part.role.startswith(roles)]
        trials = [self._trainings.recall(part.key) for part in parts]
        return [trial for trial in trials if trial is not None and trial.value is not None]

    def total(self) -> int:
        """The number of networks that are trained at most."""
        return len(self._finalists) + max(1, self._front) + len(self._others)

    def _open(self, parts: Sequence[Part]) -> Row | Wait | None:
        """The next row of a round, or Wait for those under way, or None when the round is over."""
        # In their order, in which the winner comes before the baselines: it must not wait for them.
        for part in parts:
            if self._find(part) is None and (part.role == "winner" or self._fits(part.role)):
                return self._row(part)
        if any(trial is not None and trial.outcome is None for trial in map(self._find, parts)):
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

    def _baselines(self) -> list[tuple[str, Candidate]]:
        """The baselines by role, where there is time to train one; one that the space does not hold is left
        out."""
        if not self._fits("baseline"):
            return []
        assert self._first is not None
        architectures = list_baselines(
            self.space,
            self.settings.baselines,
            self._published,
            self._first,
            self.seed,
            self._keeps,
            self._warn,
            self._limit_drawing(),
        )
        return [(role, Candidate(each, self.settings.fidelity)) for role, each in architectures]

    def _limit_drawing(self) -> Callable[[], bool]:
        """Whether the time to draw a baseline is over: a part of what is left of the budget."""
        if self._deadlines is None:
            return lambda: False
        now = self._elapsed()
        until = now + DRAWING * (self._deadlines.seconds - now)
        return lambda: self._elapsed() >= until
