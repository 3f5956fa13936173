"""A search: one space, one strategy, one estimator, a budget, and a run directory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import UsageError
from cambrian.estimators.estimator import SERVES
from cambrian.estimators.limits import SIZES, read_limits
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Objective
from cambrian.search.assembly import make_coordinator
from cambrian.search.delivery.front_choice import check_choice
from cambrian.search.display.opening import announce
from cambrian.search.engines.engine import Engine
from cambrian.search.identity.agreement import agree
from cambrian.search.identity.settings import describe_component, describe_settings, resume_search
from cambrian.search.ledger.run_directory import at_work, choose_place, name_place
from cambrian.search.ledger.store import ROOM
from cambrian.search.loop.ask_tell import Conversation
from cambrian.search.loop.attempts import ATTEMPTS
from cambrian.search.loop.final import Final, read_final
from cambrian.search.loop.order import NUMBER
from cambrian.search.loop.watch import Watch
from cambrian.search.parts.begun import read_begun
from cambrian.search.parts.compatibility import WEIGHTED, check_compatible, check_task
from cambrian.search.parts.components import (
    climbs_table,
    component,
    name_estimators,
    read_order,
    space_for,
    task_of,
    usual,
)
from cambrian.search.parts.devices import AUTO, choose_device
from cambrian.search.parts.direction import (
    check_direction,
    choose_direction,
    list_directions,
    name_value,
    objective_name,
    read_objective,
    take_reference,
)
from cambrian.search.parts.engine_choice import choose_engine
from cambrian.search.parts.given import check_types, refuse_unknown
from cambrian.search.parts.numbers import check_numbers
from cambrian.search.planning.budget import Budget
from cambrian.search.session import Session, open_session
from cambrian.search.success import check_success
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy
from cambrian.weights import Inherit

if TYPE_CHECKING:
    from cambrian.search.result import Result
    from cambrian.tasks.task import Task


class Search:
    """The settings of a search, before it runs. Components are objects or registered names. Without a
    `budget` it lasts until the strategy stops, or proposes nothing new. Without a `strategy` a search of few
    trials is Bayesian optimisation, a larger one progressive where its space grows, and one of epochs on a
    table with shorter trainings `bayes-asha`.

    `engine` is "serial", "processes", "ray", with settings as "ray(gpus=0.5)", or an Engine; named ones of
    several workers have a worker for each core, unless `workers` or their text says how many. Components
    without a name run serially, of which `run` warns (`Search.notice`). `lag` is how many trials a proposal
    may be behind (see `Order`).
    The search ends with a final stage that leaves a trained network, where the estimator trains any: `final`
    describes it, and `final=None` leaves it out. `device` is a torch device; "auto" takes the GPU, if there
    is one. `limits` are hard bounds on measures of the network, as
    {"params": 1e6, "latency": "5ms"}, checked before training; `timeout` (seconds) and `memory` (bytes) bound
    one trial; `attempts` is how often a trial may be lost to kills before it counts as crashed. With
    `minimize` lower values of `estimator` are better; left open, it knows. `estimators` are further ones, by
    the names that the strategy's requests give, each with a direction that it knows itself. `objectives` are
    metrics that count besides the estimator's value ("params", "latency", "-accuracy" ...; a leading "-" or
    "+" says that lower or higher is better, and so does a bound, "latency<10ms", the worst value of use). The
    value itself may be named first: of a function it is the metric that it returns by that name. Of several,
    the final stage trains networks at the front's knees, or with `choose`, as "latency<5ms", the best one
    that keeps this. `order` is "number" or "arrival" (see `Order`), left open the strategy's own.
    `begin_with` are architectures that are measured first, whatever the strategy, each as a trial of this
    search: the best of an earlier run, given by its directory or Result, or architectures, in a list or by
    names.
    `room` bytes of weights and other files are kept for a strategy that goes on from those of earlier trials.

    Raises Incompatible where space, strategy and estimator cannot work together, and Unread for `workers` or
    `memory` that the engine would not read."""

    @refuse_unknown("Search")
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
        final: Final | str | None = AUTO,
        limits: Mapping[str, float | str] | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        device: str = AUTO,
        attempts: int = ATTEMPTS,
        minimize: bool | None = None,
        estimators: Mapping[str, Any] | None = None,
        objectives: Sequence[Objective | str] = (),
        choose: str | None = None,
        order: str | None = None,
        begin_with: Any = None,
        room: int = ROOM,
    ) -> None:
        self.room = room
        check_types(
            fidelity=fidelity,
            limits=limits,
            device=device,
            minimize=minimize,
            estimators=estimators,
            objectives=objectives,
            choose=choose,
            order=order,
        )
        check_numbers(
            seed=seed, workers=workers, lag=lag, timeout=timeout, memory=memory, attempts=attempts, room=room
        )
        self.task = task_of(task)
        self.space: Space = space_for(space, self.task)
        self.begins = read_begun(begin_with, self.space)
        self.budget = Budget.parse(budget)
        first = name_value(component("estimator", estimator), objectives, self.task, minimize)
        # The usual strategy depends on the space, the budget and what can be measured.
        climbs = not objectives and climbs_table(self.budget, first, fidelity)
        chosen = usual(self.space, self.budget.trials, climbs) if strategy is None else strategy
        self.strategy: Strategy = component("strategy", chosen)
        brought: Mapping[str, Any] = getattr(self.strategy, "estimators", {})
        self.estimators = name_estimators(first, {**brought, **(estimators or {})})
        self.seed, self.attempts = seed, attempts
        self.device = choose_device(device, needed=getattr(self.estimator, "builds", True))
        self.minimize = choose_direction(self.estimator, self.task, minimize)
        self.reference: float | None = None
        metric = getattr(self.estimator, "objective", "")
        own, others = take_reference(list(map(read_objective, objectives or ())), self.objective, metric)
        self.reference, self.more_objectives = own.reference, tuple(others)
        self.order = read_order(order or str(getattr(self.strategy, "order", NUMBER)))
        self.fidelity = fidelity or Fidelity()
        self.final = read_final(final, self.fidelity, self.estimators, self.space)
        self.limits = read_limits(limits or {})
        self.choose = self._read_choice(choose)
        self.timeout, self.memory = timeout, memory
        self.remarks: dict[str, Any] = {}  # further facts for the ledger, as JSON
        self.spent = 0.0  # seconds of the budget that planning took
        self.engine, self.notice = choose_engine(
            engine, workers, self.space, self.estimators, memory=memory, device=self.device
        )
        self._unsaid = self.notice  # until `run`: `ask` needs no engine
        self.workers = workers
        self.lag_is_open = lag is None  # a resumed run's lag is taken then
        self.lag = lag or _choose_lag(self.engine.slots)
        self._talk: Conversation | None = None
        self._asked: Path | None = None  # where, while a conversation is open
        self._held = ExitStack()
        check_compatible(self)
        check_direction(self.objective, self.estimator, self.task, said=minimize is not None)

    def _read_choice(self, choose: str | None) -> str | None:
        """The conditions on the network that is handed over, once they are known to be measured."""
        if choose is None:
            return None
        counted = SIZES if getattr(self.estimator, "builds", True) else ()
        check_choice(
            choose, self.objectives, (*self.limits, *counted, *getattr(self.estimator, "metrics", ()))
        )
        return choose

    # -- running ----------------------------------------------------------------------------------

    def run(
        self, directory: str | Path | None = None, watch: Watch | None = None, *, quiet: bool = False
    ) -> Result:
        """Search until the budget or the strategy ends, then the final stage. The same call continues
        an interrupted run. Without a directory a search that trains a network makes runs/NAME-1, -2, ...; any
        other stays in memory and goes with the result. The plan and the progress are printed on standard
        error, unless it is to be `quiet`, or a `watch` is told of them instead.
        Raises RunChanged where `directory` holds a run with other settings, RunBusy where another
        process is at work in it, NothingSucceeded where no trial has a value."""
        return self._run(directory, watch, quiet, Session.run)

    def train(
        self,
        architecture: Architecture,
        directory: str | Path | None = None,
        watch: Watch | None = None,
        *,
        quiet: bool = False,
    ) -> Result:
        """Without a search: train `architecture` as a winner, on train and validation, and test it once.
        Raises IllegalArchitecture where the space does not hold it, UsageError without a final stage."""
        if self.final is None:
            raise UsageError(
                "an architecture is trained as a final stage, and this search has none: leave out final=None,"
                ' and give an estimator that leaves trained networks, such as "train"'
            )
        chosen = replay(self.space, architecture)
        return self._run(directory, watch, quiet, lambda session: session.train(chosen))

    @staticmethod
    def resume(
        directory: str | Path,
        budget: Budget | str | int | None = None,
        choose: str | None = None,
        engine: Engine | str | None = None,
        device: str | None = None,
    ) -> Search:
        """The search that began the run in `directory`, to be run there again; a larger `budget` lets
        it go on, `choose` lets it end with another network of its front, `engine` and `device` let it run
        elsewhere: the trials that are known stay, and later ones may differ by the rounding of the device.
        Where a budget of time is spent, another network has the final stage's share of it once more.
        Raises RunError where one of its components has no name by which it could be loaded, UsageError for
        a budget without a time where only that ends the last training, as in a race, and for another kind of
        device where a limit or an objective was measured on the one before."""
        search: Search = resume_search(Search, Path(directory), budget, choose, engine, device=device)
        return search

    def _run(
        self,
        directory: str | Path | None,
        watch: Watch | None,
        quiet: bool,
        work: Callable[[Session], None],
    ) -> Result:
        from cambrian.search.result import Result

        if self._unsaid is not None:
            warnings.warn(self._unsaid, stacklevel=3)
            self._unsaid = None
        check_task(self)
        with self._choose_place(directory) as place:
            if watch is None:
                watch = Watch() if quiet else announce(self, place)
            with open_session(self, place, watch) as session:
                work(session)
                rows, facts, events = session.ledger.rows(), session.ledger.facts(), session.ledger.events()
                result = Result(self.space, self.task, rows, facts, events, directory=place)
        check_success(result)
        return result

    @contextmanager
    def _choose_place(self, directory: str | Path | None) -> Iterator[Path | None]:
        """The run directory; None where everything stays in memory."""
        # Weights are files, and several workers share the data by files.
        needed = self.final is not None or (self.task is not None and self.engine.slots > 1)
        if directory is None and not needed:
            yield None
            return
        with choose_place(name_place(directory), self.task.name if self.task else "search") as place:
            # Absolute from here on: a worker may have another working directory.
            yield place.absolute()

    # -- ask and tell -----------------------------------------------------------------------------

    def ask(self, directory: str | Path | None = None) -> Trial | None:
        """The next trial for the caller to evaluate; None when the search has ended. Every asked trial is to
        be told. Several may be out at once, and told in any order: with a `lag`, trial n is proposed knowing
        trials 0 to n - lag; left open, it is 1, or of `workers` of the caller's twice their number. With a
        directory a later search goes on there, once `close` was called or this process has ended; without
        one, the first call's. Raises UsageError where trial n - lag is to be told first, and for another
        directory while one is open; RunError where all trials were told to have crashed alike."""
        named = name_place(directory)
        place = None if named is None else named.absolute()
        if self._talk is not None:
            if place is not None and (self._asked is None or place.resolve() != self._asked.resolve()):
                here = "in memory" if self._asked is None else f"in {self._asked}"
                raise UsageError(
                    f"this search asks {here}, and was asked in {place}: close() it first, or make another"
                    " Search for the other directory"
                )
            return self._talk.ask()
        if self.lag_is_open:  # the caller's workers need no engine
            self.lag = _choose_lag(max(self.workers or 1, self.engine.slots))
        with ExitStack() as held:
            # Locked until `close`: two processes that ask would each propose the same numbers.
            ledger = held.enter_context(at_work(place))
            talk = Conversation(
                make_coordinator(self, ledger, agree(self, ledger)),
                ledger,
                self.budget,
                self.estimators,
                self.task,
            )
            trial = talk.ask()
            # Only a conversation that has begun holds the lock: after a refusal another one may begin.
            self._talk, self._asked, self._held = talk, place, held.pop_all()
        return trial

    def tell(self, number: int, value: object) -> None:
        """Take the result of trial `number`: a number to maximise (or to `minimize`), a dictionary of
        metrics as an estimator gives it, or an Outcome. A number that is not finite is an outcome too:
        `Infeasible("nan")`. Raises UsageError for anything else, and the trial stays out."""
        if self._talk is None:
            raise UsageError("tell before ask: no trial is out")
        self._talk.tell(number, value)

    def close(self) -> None:
        """Unlock the directory that `ask` locked."""
        try:
            if self._talk is not None:
                self._talk.close()
        finally:
            self._talk = None
            self._held.close()

    # -- settings ---------------------------------------------------------------------------------

    @property
    def estimator(self) -> Any:
        """The first of the run's estimators, by which an architecture is measured unless a request names
        another one."""
        return self.estimators[""]

    @property
    def objective(self) -> Objective:
        """The name of the values, and which way is better."""
        spec = describe_component("estimator", self.estimator)
        return Objective(objective_name(spec, self.task), self.minimize, self.reference)

    @property
    def directions(self) -> dict[str, bool]:
        """Whether lower values are better, by the estimators' names."""
        return list_directions(self.minimize, self.estimators, self.task)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All objectives, the estimator's value first."""
        return (self.objective, *self.more_objectives)

    @property
    def keeps(self) -> bool:
        """Whether the strategy may begin with the weights of an earlier row, and an estimator leaves them; or
        the final stage may hand such a network over."""
        leaves = any(getattr(each, "leaves", True) for each in self.estimators.values())
        return leaves and (self.goes_on or self.hands_over)

    @property
    def goes_on(self) -> bool:
        """Whether the strategy may begin with the weights of an earlier row."""
        return any(kind in WEIGHTED for kind in getattr(self.strategy, "requests", ()))

    @property
    def hands_over(self) -> bool:
        """Whether a trial trains a network as the final stage does: it may be handed over as it is, should
        there be no time to train it anew."""
        final = self.final
        if final is None or final.continues or final.estimator or self.budget.seconds is None:
            return False
        inherits = Inherit in getattr(self.estimator, "serves", SERVES)
        return inherits and final.fidelity == self.fidelity

    def settings(self) -> dict[str, Any]:
        """All that must be the same when a run is resumed, as JSON."""
        return describe_settings(self)


def _choose_lag(slots: int) -> int:
    """The usual lag. One worker knows all outcomes; of several, each may run a trial and have another one
    waiting."""
    return 1 if slots == 1 else 2 * slots
