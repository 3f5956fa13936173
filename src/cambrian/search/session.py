"""One session of a run, from the lock of its directory to the release: a search and its final stage over one
ledger and one engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture
from cambrian.errors import RunError
from cambrian.estimators.build import hold_to_limits, signature
from cambrian.estimators.job import Job
from cambrian.networks.measure.measure import find_measure
from cambrian.outcome import Infeasible, Trial
from cambrian.search.assembly import make_coordinator, make_recipe, make_work
from cambrian.search.delivery.recommended import RECOMMENDED
from cambrian.search.engines.engine import Work
from cambrian.search.finalists import (
    choose_finalists,
    choose_of_front,
    count_front,
    expect_retraining,
    has_larger_budget,
)
from cambrian.search.identity.agreement import agree
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row, read_spent
from cambrian.search.ledger.run_directory import at_work, clear_leftovers, prepare_task, working_place
from cambrian.search.loop.candidates import Candidate
from cambrian.search.loop.coordinator import Coordinator
from cambrian.search.loop.deadlines import (
    FinalDeadlines,
    SearchDeadlines,
    expect_final_seconds,
    extend_final,
    measure_seconds,
)
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.loop.execution import Execution
from cambrian.search.loop.final import Final
from cambrian.search.loop.final_stage import FinalStage
from cambrian.search.loop.halt import Halt
from cambrian.search.loop.watch import Watch
from cambrian.search.parts.components import find_published
from cambrian.search.parts.devices import count_threads_of_one
from cambrian.search.parts.direction import turn_trial
from cambrian.search.parts.pretrained import find_pretrained
from cambrian.search.parts.space_check import check_space, find_warnings
from cambrian.search.planning.budget import Budget
from cambrian.spaces.drafts import is_own
from cambrian.strategies.inner import find_trait

if TYPE_CHECKING:
    from cambrian.search.search import Search
    from cambrian.tasks.task import Task


@contextmanager
def open_session(search: Search, place: Path | None, watch: Watch) -> Iterator[Session]:
    """A session of `search` in the run directory `place`, or in memory; its engine runs until the end.
    Raises RunChanged, RunBusy, RunError, LedgerCorrupt."""
    with at_work(place) as ledger, working_place(place, search.keeps) as files:
        session = Session(search, ledger, files, prepare_task(search.task, place), watch)
        try:
            if place is not None:
                clear_leftovers(place, ledger.rows())
            search.engine.start(session.make_work())
            yield session
        finally:
            search.engine.close()


class Session:
    """`files` is the folder where evaluations find and leave files, `stored` the task on disk."""

    def __init__(
        self, search: Search, ledger: Ledger, files: Path | None, stored: Path | None, watch: Watch
    ) -> None:
        self.search, self.ledger, self.watch = search, ledger, watch
        self._files, self._stored = files, stored
        # Before the ledger remembers anything: a space that cannot be built leaves no run behind.
        pretrained = self._draft_again() if ledger.rows() else self._check_own_space()
        self.begun = agree(search, ledger)
        if pretrained:
            ledger.remember(pretrained=pretrained)
        self.execution = Execution(
            ledger,
            search.engine,
            files,
            watch,
            attempts=search.attempts,
            elapsed=max(read_spent(ledger.rows(), ledger.facts()), search.spent),
            keeps=search.keeps,
            room=search.room,
            directions=search.directions,
        )

    def make_work(self, timed: bool = True) -> Work:
        return make_work(self.search, self.ledger.facts(), self._files, self._stored, timed)

    def run(self) -> None:
        """Search until the budget or the strategy ends, then the final stage, where there is one."""
        self._search()
        search, ledger, kept = self.search, self.ledger, self.execution.files.has
        chosen = choose_of_front(search, ledger)  # refused here where no network keeps the user's conditions
        if search.final is not None:
            finalists = choose_finalists(search, search.final, ledger, chosen, kept, self.watch.on_warning)
            self._finish(finalists, front=count_front(search, chosen))

    def train(self, architecture: Architecture) -> None:
        """The final stage of this architecture alone."""
        assert self.search.final is not None
        self.ledger.remember(train=architecture.to_json())
        self._finish([Candidate(architecture, self.search.final.fidelity)])

    def _check_own_space(self) -> dict[str, int]:
        """Raise, or warn, of a mistake in a user's own space that would fail every trial. Returns the
        parameters of its pretrained parts."""
        search = self.search
        if search.task is None or not getattr(search.estimator, "builds", True) or not is_own(search.space):
            return {}
        shape = signature(search.task, search.fidelity)
        # Only an estimator of ours trains what it is given; a user's function may want other outputs.
        architecture = check_space(search.space, shape, search.fidelity, fits=search.estimator.delivers)
        if not search.estimator.delivers:
            return find_pretrained(search.space, architecture, shape, search.fidelity)
        # This runs a network on the CPU, for which a network written for another device may not be made.
        if search.device == "cpu":
            exported = search.final is not None
            for sentence in find_warnings(search.space, architecture, shape, search.fidelity, exported):
                self.watch.on_warning(sentence)
        return find_pretrained(search.space, architecture, shape, search.fidelity)

    def _draft_again(self) -> dict[str, int]:
        """Draft a network of a user's space, from which this process learns whether the space keeps parts;
        the begun run has its other facts."""
        task, space, fidelity = self.search.task, self.search.space, self.search.fidelity
        if task is not None and getattr(self.search.estimator, "builds", True) and is_own(space):
            with suppress(Exception):  # a program of the user's own may raise anything: the trials say it
                check_space(space, signature(task, fidelity), fidelity, fits=False)
        return {}

    # -- the search -------------------------------------------------------------------------------

    def _search(self) -> None:
        coordinator = make_coordinator(self.search, self.ledger, self.begun)
        self.watch.on_stage("search", self.search.budget.trials)
        rows = [r for r in self.ledger.rows() if not r.final]
        self._show_ended(r.trial for r in rows)
        stopped, deadlines = self._find_stop(), self._make_deadlines(coordinator, rows)
        paid = PaidEpochs(coordinator.trials, self.search.estimators)
        clock = self.execution.read_clock
        halt = Halt(self.search.budget, coordinator.trials, paid, deadlines, clock, stopped)
        # A search that its seconds ended leaves its running rows alone, unless a larger budget resumes it.
        unfinished = [r for r in rows if r.state == "running" and stopped is None]
        reason = self.execution.drive(coordinator, unfinished, halt, deadlines)
        self._record_stop(coordinator, reason, stopped is not None)

    def _make_deadlines(self, coordinator: Coordinator, rows: Sequence[Row]) -> SearchDeadlines | None:
        seconds, final = self.search.budget.seconds, self.search.final
        share = 0.0 if final is None else final.share
        if seconds is None:
            return None
        fewest = int(find_trait(self.search.strategy, "fewest_trials", 1))
        deadlines = SearchDeadlines(
            seconds,
            lambda: coordinator.trials,
            share,
            fewest,
            self.search.spent,
            self._expect_retraining(coordinator) if self.search.hands_over else lambda: 0.0,
        )
        for trial, lasted in _list_seconds(rows):
            deadlines.learn(trial, lasted)
        return deadlines

    def _expect_retraining(self, coordinator: Coordinator) -> Callable[[], float]:
        """The seconds in which the best networks so far would be trained anew; 0 where they cannot be handed
        over as they are."""
        growth, kept = find_growth(self.search.task), self.execution.files.has
        known = 0, 0.0

        def expect() -> float:
            nonlocal known
            # Asked many times a second, and another number only when a trial has ended.
            ended = sum(trial.outcome is not None for trial in coordinator.trials)
            if known[0] != ended:
                seconds = expect_retraining(self.search, coordinator.rank(), coordinator.trials, kept)
                known = ended, growth * seconds
            return known[1]

        return expect

    def _record_stop(self, coordinator: Coordinator, reason: str, stopped: bool) -> None:
        """Note the recommendation, and why the search ended. Raises RunError for one whose trials all crash
        alike."""
        failing = coordinator.breaker.tripped
        recommended = coordinator.recommend()[:RECOMMENDED]
        self.ledger.note("recommend", numbers=[t.number for t in recommended])
        if recommended:
            self.watch.on_recommend(recommended[0])
        self.watch.on_stop(reason)
        # A search that was stopped before has its event: a second one would say that it ended twice.
        if failing or not stopped:
            after, budget = len(coordinator.trials), self.search.budget
            self.ledger.note("stop", reason=reason, after=after, budget=budget, failing=failing)
        if failing:
            last = coordinator.breaker.last
            trace = last.traceback.strip() if last else ""
            shown = f"; its traceback:\n{trace}" if trace else ""
            raise RunError(f"the search was stopped: {reason}. Mend that, then resume{shown}")

    def _find_stop(self) -> str | None:
        """Why the search was stopped before; None where it was not. With the same seconds it stays so."""
        same = msgspec.to_builtins(self.search.budget)
        stops = [value for _, _, value in self.ledger.events("stop") if value["budget"] == same]
        reasons = [str(value["reason"]) for value in stops if not value["failing"]]
        return reasons[-1] if reasons and self.search.budget.seconds is not None else None

    # -- the final stage --------------------------------------------------------------------------

    def _finish(self, candidates: Sequence[Candidate], front: int = 0) -> None:
        if self.search.timeout is not None:
            # Final trainings are longer than a trial, so they do not have its time limit.
            self.search.engine.close()
            self.search.engine.start(self.make_work(timed=False))
        rows = self.ledger.rows()
        finals = [r for r in rows if r.final]
        stage = self._make_stage(candidates, finals, front)
        another = stage.find_another([r.trial for r in finals])
        deadlines = self._make_final_deadlines(rows, another)
        if deadlines is not None:
            stage.within(deadlines, self.execution.read_clock)
        self.watch.on_stage("final", stage.total())
        self._show_ended(r.trial for r in finals)
        unfinished = [r for r in finals if r.state == "running"]
        if another is not None and all(r.trial.architecture != another for r in unfinished):
            # They would take the time of the network that is wanted now.
            self.execution.drop(stage, unfinished, "another network was chosen before it was ready")
            unfinished = []
        self.watch.on_stop(self.execution.drive(stage, unfinished, lambda: None, deadlines))
        winner, others = stage.winner(), [t.number for t in stage.front()]
        noted = {"front": others} if others else {}
        self.ledger.note(
            "final", winner=winner.number if winner else None, budget=self.search.budget, **noted
        )

    def _make_stage(
        self, candidates: Sequence[Candidate], finals: Sequence[Row], front: int = 0
    ) -> FinalStage:
        assert self.search.final is not None
        directions = self.search.directions
        return FinalStage(
            self.search.space,
            self.search.final,
            candidates,
            [msgspec.structs.replace(r, trial=turn_trial(r.trial, directions)) for r in finals],
            seed=self.search.seed,
            recipe=make_recipe(self.search, self.search.final.estimator, self.begun),
            published=find_published(self.search.space),
            again=has_larger_budget(self.search, self.ledger),
            threads=self._count_threads(self.search.final),
            front=front,
            growth=find_growth(self.search.task),
            keeps=self._keeps_limits,
            warn=self.watch.on_warning,
        )

    def _keeps_limits(self, architecture: Architecture) -> bool:
        """Whether the network as the final stage makes it keeps the limits that can be counted. Others are
        measured in a worker, on the device, and may come out otherwise when the run is resumed."""
        search = self.search
        limits = {n: m for n, m in search.limits.items() if not find_measure(n).needs_weights(search.device)}
        if not limits or search.task is None or search.final is None:
            return True
        job = Job.of(search.space, architecture, search.final.fidelity, search.task, limits=limits)
        try:
            return not isinstance(hold_to_limits(job, search.task), Infeasible)
        except Exception:  # a program of the user's own may raise anything: its training will say it
            return True

    def _count_threads(self, final: Final) -> int:
        """The threads of a final training: all that the engine has for it, where it is the only one."""
        return count_threads_of_one(self.search.engine) if final.continues else 0

    def _make_final_deadlines(
        self, rows: Sequence[Row], another: Architecture | None
    ) -> FinalDeadlines | None:
        """`another` is the network to train now, where the time was for one before it."""
        seconds, now = self.search.budget.seconds, self.execution.read_clock()
        if seconds is None:
            return None
        end = seconds if another is None else self._extend(seconds, now, another)
        lasted = _list_seconds(r for r in rows if not r.final)
        each = expect_final_seconds(self.ledger.facts().get("speed"), lasted)
        return FinalDeadlines(end, now, each)

    def _extend(self, seconds: float, now: float, another: Architecture) -> float:
        """The end of the final stage of `another` network: that of the budget, or of its share once more."""
        assert self.search.final is not None
        given = self.ledger.events("extended")[-1:]
        # Once for each choice: interrupted, it goes on with what is left.
        if given and given[0][2].get("architecture") == another.key:
            return max(seconds, float(given[0][2]["seconds"]))
        end = extend_final(seconds, self.search.final.share, now)
        if end > seconds:
            self.ledger.note("extended", seconds=end, architecture=another.key)
            self.watch.on_warning(
                f"the budget of {self.search.budget} was spent on another network: for this one the final"
                f" stage has its share of {Budget(seconds=end - now)} once more"
            )
        return end

    def _show_ended(self, trials: Iterable[Trial]) -> None:
        """Tell the watch of the trials that ended in earlier sessions."""
        for trial in trials:
            if trial.outcome is not None:
                self.watch.on_end(trial)


def find_growth(task: Task | None) -> float:
    """The examples that a delivered network learns from, for each that a trial's does."""
    return 1.0 if task is None or not len(task.train) else 1 + len(task.validation) / len(task.train)


def _list_seconds(rows: Iterable[Row]) -> list[tuple[Trial, float]]:
    """The trials that have ended and are no repeats, with the seconds that each took."""
    ended = [r for r in rows if r.trial.outcome is not None and r.trial.cached is None]
    # A row that was interrupted was claimed long before it was begun for the last time: an upper bound.
    return [(r.trial, measure_seconds(r.trial, (r.finished or math.inf) - r.claimed)) for r in ended]
