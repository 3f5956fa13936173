"""A search: one space, one strategy, one estimator, a budget, and a place to remember."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture, replay
from cambrian.codec import encode
from cambrian.errors import Incompatible, RunError, UsageError
from cambrian.estimators.build import signature
from cambrian.estimators.limits import read_limits
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Limit, Objective, Problem
from cambrian.search.direction import check_direction, objective_name, read_objective
from cambrian.search.engines.engine import Engine, Work
from cambrian.search.ledger.keys import digest
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.run_directory import at_work, clear_leftovers, prepare_task, working_place
from cambrian.search.loop.ask_tell import Conversation
from cambrian.search.loop.coordinator import NUMBER, Coordinator, Means
from cambrian.search.loop.deadlines import FinalDeadlines, SearchDeadlines, expected_final
from cambrian.search.loop.execution import Execution, Watch
from cambrian.search.loop.final_stage import Final, FinalStage, best_distinct
from cambrian.search.numbers import check_numbers
from cambrian.search.planning.budget import Budget
from cambrian.search.recommended import RECOMMENDED, recommended
from cambrian.search.requests import WEIGHTED, check_serves, named_estimators, read_order, served_by
from cambrian.search.settings import (
    code_of,
    component,
    identity_of,
    published_architectures,
    questions,
    remedy,
    resume_search,
    same_settings,
    space_for,
    spec_of,
    task_of,
    usual,
    versions,
)
from cambrian.search.space_check import check_skeleton, check_space, find_warnings, is_own
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space, fingerprint
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.search.result import Result
    from cambrian.tasks.task import Task


class Search:
    """Everything a search is, before it runs. Components are objects or registered names; without a
    `strategy` a search of few trials is Bayesian optimisation, a larger one progressive where its space
    grows.

    `engine` is "serial", "processes" or an Engine; what cannot be named runs serially, and
    `Search.notice` says so. `lag` is how many trials a proposal may be behind (see `Coordinator`).
    `final=None` ends without a trained network. `limits` are hard bounds on measures of the network, as
    {"params": 1e6, "latency": "5ms"}, checked before training; `timeout` (seconds) and `memory` (bytes) bound
    one trial; `attempts` is how often a trial may be lost to kills before it counts as crashed. With
    `minimize` lower values are better; left open, the estimator knows. `estimators` are further ones, by the
    names that the strategy's requests give. `objectives` are metrics that count besides the estimator's value
    ("params", "latency", "-accuracy" ...; a leading "-" or "+" says that lower or higher is better). `order`
    is "number" or "arrival" (see `Coordinator`), left open the strategy's own.

    Raises Incompatible where space, strategy and estimator cannot work together."""

    def __init__(
        self,
        space: Space | str | Mapping[str, Any] = "pnas",
        strategy: Strategy | str | Mapping[str, Any] | None = None,
        estimator: Any = "train",
        task: Task | Any = None,
        budget: Budget | str | int | None = None,
        *,
        seed: int = 0,
        engine: Engine | str | None = None,
        workers: int | None = None,
        lag: int | None = None,
        fidelity: Fidelity | None = None,
        final: Final | None = None,
        limits: Mapping[str, float | str] | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        device: str = "cpu",
        attempts: int = 5,
        minimize: bool | None = None,
        estimators: Mapping[str, Any] | None = None,
        objectives: Sequence[Objective | str] = (),
        order: str | None = None,
    ) -> None:
        check_numbers(seed=seed, workers=workers, lag=lag, timeout=timeout, memory=memory, attempts=attempts)
        self.task = task_of(task)
        self.space: Space = space_for(space, self.task)
        self.estimators = named_estimators(component("estimator", estimator), estimators or {})
        self.budget = Budget.parse(budget)
        chosen = usual(self.space, self.budget.trials) if strategy is None else strategy
        self.strategy: Strategy = component("strategy", chosen)
        self.seed, self.device, self.attempts = seed, device, attempts
        self.minimize = bool(getattr(self.estimator, "minimize", False) if minimize is None else minimize)
        self.more_objectives = tuple(map(read_objective, objectives))
        self.order = read_order(order or str(getattr(self.strategy, "order", NUMBER)))
        self.fidelity = fidelity or Fidelity()
        self.final = final if self.estimator.delivers else None
        self.limits = read_limits(limits or {})
        self.timeout, self.memory = timeout, memory
        self.notice: str | None = None
        self.remarks: dict[str, Any] = {}  # what the ledger shall remember besides, as JSON
        self.spent = 0.0  # seconds of the budget that planning took
        self.engine = self._engine(engine, workers)
        self._lag = lag
        self.lag = lag or (1 if self.engine.slots == 1 else 2 * self.engine.slots)
        self._talk: Conversation | None = None
        self._stored: Path | None = None
        self._files: Path | None = None  # where evaluations find and leave files
        self._planned = self.budget.trials
        self._begun: dict[str, Any] = {}  # the settings that the run was begun with
        self._held = ExitStack()
        self._check()
        check_direction(self.objective, self.estimator, said=minimize is not None)

    # -- running ----------------------------------------------------------------------------------

    def run(self, directory: str | Path | None = None, watch: Watch | None = None) -> Result:
        """Search until the budget or the strategy ends, then the final stage. The same call continues
        an interrupted run; without a directory everything stays in memory and goes with the result.
        Raises RunChanged where `directory` holds a run with other settings, RunBusy where another
        process is at work in it."""

        def work(ledger: Ledger, execution: Execution, watch: Watch) -> None:
            self._search(ledger, execution, watch)
            if self.final is not None:
                trials = [r.trial for r in ledger.rows() if not r.final]
                ranked = recommended(trials, self.objectives, ledger.events("recommend"))
                best = best_distinct(self.space, ranked, self.final.top)
                untried = [t.architecture for t in trials if t.outcome is None]  # there was no time
                self._finish(ledger, execution, watch, best or untried[:1])

        return self._session(directory, watch, work)

    def train(self, architecture: Architecture, directory: str | Path, watch: Watch | None = None) -> Result:
        """No search: `architecture` trained as a winner is, on all that is not test, and tested once.
        Raises IllegalArchitecture where the space does not hold it."""
        chosen = replay(self.space, architecture)

        def work(ledger: Ledger, execution: Execution, watch: Watch) -> None:
            ledger.remember(train=chosen.to_json())
            self._finish(ledger, execution, watch, [chosen])

        return self._session(directory, watch, work)

    @staticmethod
    def resume(directory: str | Path, budget: Budget | str | int | None = None) -> Search:
        """The search that began the run in `directory`, to be run there again; a larger `budget` lets
        it go on. Raises RunError where a part of it has no name it could be loaded by."""
        found: Search = resume_search(Search, Path(directory), budget)
        return found

    def _session(
        self,
        directory: str | Path | None,
        watch: Watch | None,
        work: Callable[[Ledger, Execution, Watch], None],
    ) -> Result:
        from cambrian.search.result import Result

        watch, place = watch or Watch(), None if directory is None else Path(directory).absolute()
        if place is None and self.final is not None:
            raise UsageError(
                "a search that ends with a trained network needs a run directory: run('runs/first')"
            )
        if place is None and self.task is not None and self.engine.slots > 1:
            raise UsageError("several workers need a run directory to share the data: run('runs/first')")
        with at_work(place) as ledger, working_place(place, self.keeps) as files:
            self._stored = prepare_task(self.task, place)
            if not ledger.rows():
                self._look(watch)
            self._agree(ledger)
            try:
                if place is not None:
                    clear_leftovers(place, ledger.rows())
                self._files, self._planned = files, ledger.facts()["planned"]
                self.engine.start(self._work())
                work(ledger, self._execution(ledger, files, watch), watch)
            finally:
                self.engine.close()
            return Result(
                self.space, self.task, ledger.rows(), ledger.facts(), ledger.events(), directory=place
            )

    def _look(self, watch: Watch) -> None:
        """Raise, or warn, of what a space of one's own would do to every trial."""
        if self.task is None or not self.estimator.delivers or not is_own(self.space):
            return
        shape = signature(self.task, self.fidelity)
        architecture = check_space(self.space, shape, self.fidelity)
        if self.device == "cpu":
            exported = self.final is not None
            for sentence in find_warnings(self.space, architecture, shape, self.fidelity, exported):
                watch.warned(sentence)

    def _execution(self, ledger: Ledger, files: Path | None, watch: Watch) -> Execution:
        return Execution(
            ledger,
            self.engine,
            files,
            watch,
            attempts=self.attempts,
            elapsed=max((r.elapsed or 0.0 for r in ledger.rows()), default=self.spent),
            keeps=self.keeps,
            minimize=self.minimize,
        )

    def _search(self, ledger: Ledger, execution: Execution, watch: Watch) -> None:
        coordinator = self._coordinator(ledger)
        watch.stage("search", self.budget.trials)
        rows = [r for r in ledger.rows() if not r.final]
        for row in rows:
            if row.trial.outcome is not None:
                watch.ended(row.trial)
        limit, stopped, deadlines = self.budget.trials, self._was_stopped(ledger), None
        if self.budget.seconds is not None:
            final = self.final is not None
            deadlines = SearchDeadlines(self.budget.seconds, lambda: coordinator.trials, final)

        def halt() -> str | None:
            if limit is not None and len(coordinator.trials) >= limit:
                return f"the budget of {limit} trials is spent"
            if stopped or (deadlines is not None and deadlines.over(execution.elapsed())):
                return f"the budget of {self.budget} is spent"
            return None

        unfinished = [r for r in rows if r.state == "running" and not stopped]
        reason = execution.drive(coordinator, unfinished, halt, deadlines)
        failing = coordinator.breaker.tripped
        ledger.note("recommend", numbers=[t.number for t in coordinator.recommended()[:RECOMMENDED]])
        if failing or not stopped:
            ledger.note(
                "stop", reason=reason, after=len(coordinator.trials), budget=self.budget, failing=failing
            )
        if failing:
            last = coordinator.breaker.last
            raise RunError(
                f"the search was stopped: {reason}. Mend that, then resume; its traceback:\n"
                f"{last.traceback.strip() if last else ''}"
            )

    def _finish(
        self, ledger: Ledger, execution: Execution, watch: Watch, candidates: Sequence[Architecture]
    ) -> None:
        """The final stage; its trainings are longer than a trial and have no time limit."""
        assert self.final is not None
        if self.timeout is not None:
            execution.engine.close()
            execution.engine.start(self._work(timed=False))
        rows = ledger.rows()
        finals = [r for r in rows if r.final]
        stage = FinalStage(
            self.space,
            self.final,
            candidates,
            finals,
            seed=self.seed,
            recipe=self._recipe(""),
            published=published_architectures(self.space),
            again=self._more_time(ledger),
        )
        deadlines = None
        if self.budget.seconds is not None:
            each = expected_final(ledger.facts().get("speed"), [r.trial for r in rows])
            deadlines = FinalDeadlines(self.budget.seconds, execution.elapsed(), each)
            stage.within(deadlines, execution.elapsed)
        watch.stage("final", stage.total())
        for row in finals:
            if row.trial.outcome is not None:
                watch.ended(row.trial)

        execution.drive(stage, [r for r in finals if r.state == "running"], lambda: None, deadlines)
        winner = stage.winner()
        ledger.note("final", winner=winner.number if winner else None, budget=self.budget)

    def _more_time(self, ledger: Ledger) -> bool:
        """Whether the run ended under another budget, so that what that one cut short is trained anew."""
        ends = ledger.events("final")
        return bool(ends) and ends[-1][2].get("budget") != msgspec.to_builtins(self.budget)

    def _was_stopped(self, ledger: Ledger) -> bool:
        """A search stopped by its seconds stays stopped when it is resumed with the same budget."""
        same = msgspec.to_builtins(self.budget)
        return self.budget.seconds is not None and any(
            value["budget"] == same and not value["failing"] for _, _, value in ledger.events("stop")
        )

    # -- ask and tell -----------------------------------------------------------------------------

    def ask(self, directory: str | Path | None = None) -> Trial | None:
        """The next trial to evaluate by means of your own; None when the search has ended. Every asked
        trial is to be told, in any order; at most `lag` may be out at once. With a directory a later
        search goes on there, once `close` was called or this process has ended."""
        if self._talk is None:
            place = None if directory is None else Path(directory).absolute()
            ledger = self._held.enter_context(at_work(place))
            self._agree(ledger)
            self._talk = Conversation(self._coordinator(ledger), ledger, self.budget)
        return self._talk.ask()

    def tell(self, number: int, value: object) -> None:
        """What trial `number` gave: a number to maximise (or to `minimize`), or an Outcome."""
        if self._talk is None:
            raise UsageError("tell before ask: no trial is out")
        self._talk.tell(number, value)

    def close(self) -> None:
        """Let go of the directory that `ask` took."""
        self._talk = None
        self._held.close()

    # -- what it is -------------------------------------------------------------------------------

    @property
    def estimator(self) -> Any:
        """The first of the run's estimators, by which an architecture is measured unless a request names
        another one."""
        return self.estimators[""]

    @property
    def objective(self) -> Objective:
        """What values are called, and which way is better."""
        return Objective(objective_name(self._spec("estimator"), self.task), self.minimize)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The metrics that count, the estimator's value first."""
        return (self.objective, *self.more_objectives)

    @property
    def keeps(self) -> bool:
        """Whether the strategy may begin with the weights of an earlier row."""
        return any(kind in WEIGHTED for kind in getattr(self.strategy, "requests", ()))

    def settings(self) -> dict[str, Any]:
        """All that must be the same when a run is resumed, as JSON."""
        return {
            "space": self._spec("space"),
            "questions": questions(self.space),
            "fingerprint": fingerprint(self.space),
            "code": code_of(self.space, self.strategy, self.estimator),
            "strategy": self._spec("strategy"),
            "estimator": self._spec("estimator"),
            "task": self._data(),
            "fidelity": msgspec.to_builtins(self.fidelity),
            "limits": self.limits,
            "seed": self.seed,
            "lag": self.lag,
            **self._newer_settings(),
        }

    def _newer_settings(self) -> dict[str, Any]:
        """Those that older runs do not have: left out at their defaults, so that these are the same runs."""
        others = {name: spec_of("estimator", e) for name, e in self.estimators.items() if name}
        newer = {
            "minimize": self.minimize,
            "estimators": others,
            "objectives": [msgspec.to_builtins(o) for o in self.more_objectives],
            "order": "" if self.order == NUMBER else self.order,
        }
        return {name: value for name, value in newer.items() if value}

    def _engine(self, engine: Engine | str | None, workers: int | None) -> Engine:
        from cambrian.search.engines import ENGINES

        if isinstance(engine, Engine):
            return engine
        nameless = [k for k in ("space", "estimator") if spec_of(k, getattr(self, k)) is None]
        if nameless and (engine == "processes" or (workers or 1) > 1):
            self.notice = (
                f"the {nameless[0]} has no name another process could load it by, so the search runs"
                " serially: define it in a module to use several workers"
            )
            warnings.warn(self.notice, stacklevel=3)
            engine = "serial"
        if engine is None:
            engine = "processes" if (workers or 1) > 1 else "serial"
        arguments = {"workers": workers or 2} if engine == "processes" else {}
        made: Engine = ENGINES.get(engine)(**arguments)
        return made

    def _check(self) -> None:
        if self.limits and not getattr(self.estimator, "builds", True):
            raise Incompatible(
                f"limits on {', '.join(self.limits)} need an estimator that builds networks, which"
                f" {type(self.estimator).__name__} does not"
            )
        check_serves(self.strategy, self.estimators)
        for who in (self.strategy, *self.estimators.values()):
            for need in who.needs:
                if know(self.space, need) is None:
                    raise Incompatible(
                        f"{type(who).__name__} needs a space that is {need.__name__}, which"
                        f" {type(self.space).__name__} is not: {remedy(need.__name__)}"
                    )
        if self.task is not None and getattr(self.estimator, "builds", True):
            for fidelity in (self.fidelity, *([self.final.fidelity] if self.final else [])):
                check_skeleton(self.space, signature(self.task, fidelity), fidelity)

    def _data(self) -> dict[str, str] | None:
        return None if self.task is None else {"name": self.task.name, "digest": self.task.digest}

    def _recipe(self, name: str) -> str:
        """What a measurement is made with: as the run was begun, so that its keys stay as they are."""
        if not name:
            return digest(self._begun.get("estimator") or self._spec("estimator"), self._data())[:16]
        return digest(spec_of("estimator", self.estimators[name]) or name, self._data())[:16]

    def _means(self) -> dict[str, Means]:
        return {
            name: Means(
                self._recipe(name),
                served_by(estimator),
                bool(getattr(estimator, "raw", False)),
                bool(getattr(estimator, "reads_history", False)),
            )
            for name, estimator in self.estimators.items()
        }

    def _spec(self, kind: str) -> dict[str, Any]:
        found = getattr(self, kind)
        return spec_of(kind, found) or {"unnamed": identity_of(found)}

    def _agree(self, ledger: Ledger) -> None:
        """Let the ledger be of a run with these settings. Raises RunChanged where it is of another."""
        facts = ledger.facts()
        if "settings" in facts:
            self.lag = self._lag or facts["settings"]["lag"]
            same_settings(facts["settings"], msgspec.json.decode(encode(self.settings())), ledger.path)
            self._begun = facts["settings"]
        ledger.remember(
            settings=self._begun or self.settings(),
            budget=self.budget,
            final=self.final,
            engine={"workers": self.engine.slots, "timeout": self.timeout, "memory": self.memory},
            device=self.device,
            versions=versions(),
            planned=facts.get("planned", self.budget.trials),
            **self.remarks,
        )

    def _problem(self, planned: int | None) -> Problem:
        """What the strategy is started with; its budget is the one that the run began with."""
        return Problem(
            self.space,
            objectives=self.objectives,
            limits=tuple(Limit(name, most) for name, most in self.limits.items()),
            fidelity=self.fidelity,
            trials=planned,
            seconds=self.budget.seconds,
            seed=self.seed,
        )

    def _coordinator(self, ledger: Ledger) -> Coordinator:
        return Coordinator(
            self._problem(ledger.facts()["planned"]),
            self.strategy,
            ledger,
            lag=self.lag,
            means=self._means(),
            order=self.order,
            forgiven=max((v["after"] for _, _, v in ledger.events("stop") if v["failing"]), default=0),
        )

    def _work(self, timed: bool = True) -> Work:
        return Work(
            self._problem(self._planned),
            self.estimators,
            self.task,
            self.final.fidelity if self.final else None,
            self.device,
            self._files,
            self._work_spec(),
            timeout=self.timeout if timed else None,
            memory=self.memory,
        )

    def _work_spec(self) -> dict[str, Any] | None:
        """What another process makes the same components from; None where one of them has no name."""
        space = spec_of("space", self.space)
        estimators = {name: spec_of("estimator", e) for name, e in self.estimators.items()}
        nameless = space is None or None in estimators.values()
        if nameless or (self.task is not None and self._stored is None):
            return None
        task = str(self._stored) if self._stored else None
        return {"space": space, "estimators": estimators, "task": task}
