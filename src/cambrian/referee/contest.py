"""The subject of a comparison: a benchmark's table, or live training of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from cambrian.benchmarks import Benchmark, benchmark
from cambrian.effort import count_epochs
from cambrian.errors import NothingSucceeded
from cambrian.files import make_folder
from cambrian.outcome import Fidelity, Trial
from cambrian.referee.contest_protocol import Contest, limit_search, name_epochs, name_table, read_counts
from cambrian.referee.line import Line, line_of
from cambrian.referee.outcome_cache import Cached
from cambrian.referee.shared_data import name_folder, open_place
from cambrian.search.ledger.database import translate_errors
from cambrian.search.ledger.run_directory import prepare_task
from cambrian.search.parts.components import component, spec_of, task_of
from cambrian.search.parts.direction import choose_direction
from cambrian.search.search import Search
from cambrian.settings import POSITIVE
from cambrian.spaces.space import Space, fingerprint
from cambrian.strategies.strategy import Strategy
from cambrian.tasks.targets.metrics import is_share
from cambrian.tasks.task import Task


@dataclass(frozen=True)
class OnBenchmark:
    """Searches see the benchmark's objective and are judged by its test score. `name` is None for a benchmark
    that only this process knows. `each` is the assumed cost of an evaluation in seconds, where the table has
    no costs. `columns` are the settings with which a table of the user's own was read: "questions", "depth"
    and "replicates" (see `cambrian.benchmarks.table`)."""

    benchmark: Benchmark
    budget: int
    name: str | None = None
    each: float | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    home: ClassVar[None] = None

    @staticmethod
    def of(
        benchmark: Benchmark,
        budget: int | str,
        name: str | None = None,
        each: float | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> OnBenchmark:
        """The contest for a budget of evaluations, or of epochs as a text ("20000 epochs")."""
        count, epochs = read_counts(budget, benchmark.fidelity)
        return OnBenchmark(benchmark, count, name, each, dict(columns or {}), epochs)

    def in_epochs(self) -> OnBenchmark:
        return replace(self, epochs=self.budget * count_epochs(self.benchmark.fidelity))

    def __post_init__(self) -> None:
        if self.each is not None:
            POSITIVE.check("the cost of an evaluation, in seconds,", self.each)

    def ready(self) -> None:
        """Nothing: a table is read when it is needed."""

    @property
    def title(self) -> str:
        return self.benchmark.name

    @property
    def space(self) -> Space:
        return self.benchmark.space

    @property
    def unit(self) -> str:
        low = ", lower is better" if self.minimize else ""
        return f"test score of the incumbent{low}"

    @property
    def minimize(self) -> bool:
        return self.benchmark.test_minimize

    @property
    def optimum(self) -> float | None:
        return self.benchmark.optimum

    @property
    def timed(self) -> bool:
        return self.each is not None or self._measured

    @property
    def spec(self) -> dict[str, Any] | None:
        return (
            None
            if self.name is None
            else {
                "benchmark": self.name,
                "budget": self.budget,
                "each": self.each,
                "minimize": self.benchmark.minimize,
                **({"columns": dict(self.columns)} if self.columns else {}),
                **name_epochs(self.epochs),
            }
        )

    def identity(self) -> dict[str, Any]:
        benchmark = self.benchmark
        return {
            "benchmark": self.name or benchmark.name,
            "budget": self.budget,
            "space": spec_of("space", benchmark.space),
            "fingerprint": fingerprint(benchmark.space),
            "estimator": spec_of("estimator", benchmark.estimator),
            "fidelity": msgspec.to_builtins(benchmark.fidelity),
            "optimum": benchmark.optimum,
            "each": self.each,
            **name_table(benchmark.estimator),
            **name_epochs(self.epochs),
        }

    def search(self, strategy: Strategy, seed: int) -> Search:
        benchmark = self.benchmark
        return Search(
            benchmark.space,
            strategy,
            benchmark.estimator,
            budget=limit_search(self.budget, self.epochs),
            seed=seed,
            engine="serial",  # a look-up is cheaper than a message to another process
            fidelity=benchmark.fidelity,
            minimize=benchmark.minimize,
        )

    def score(self, trial: Trial) -> float:
        return float(self.benchmark.test(trial.architecture))

    def cost(self, trial: Trial, paid: float) -> float:
        # A repeat is looked up, and a proposal without an outcome was not measured.
        if trial.cached is not None or trial.outcome is None:
            return 0.0
        if self._measured:
            return trial.outcome.seconds
        # Of a lower fidelity, or a training that went on, as large a share as it paid for of the epochs.
        return (self.each or 0.0) * paid / count_epochs(self.benchmark.fidelity)

    def place(self, label: str, seed: int) -> Path | None:
        return None

    @property
    def _measured(self) -> bool:
        return getattr(self.benchmark.estimator, "seconds", None) is not None


@dataclass(frozen=True)
class OnTraining:
    """Searches train networks on `task` at `fidelity` and are judged by the score on validation, which they
    see too. Each has a run directory of its own in `home`; all share the data and the outcomes. `task` is a
    Task, or data that `load` makes one of."""

    task: Any
    budget: int
    home: Path
    fidelity: Fidelity
    space_spec: str | Mapping[str, Any] = "pnas"
    estimator: str | Mapping[str, Any] = "train"
    device: str = "cpu"
    epochs: float | None = None

    def in_epochs(self) -> OnTraining:
        return replace(self, epochs=self.budget * count_epochs(self.fidelity))

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", task_of(self.task))

    def ready(self) -> None:
        with translate_errors(self.home):
            make_folder(self.home)
        prepare_task(self.task, self.home)

    @property
    def title(self) -> str:
        return str(self.task.name)

    @property
    def space(self) -> Space:
        space: Space = component("space", self.space_spec)
        return space

    @property
    def unit(self) -> str:
        return f"validation {self.task.metric}" + (", %" if is_share(self.task.metric) else "")

    @property
    def optimum(self) -> float | None:
        return None

    @property
    def minimize(self) -> bool:
        return choose_direction(component("estimator", self.estimator), self.task, None)

    @property
    def timed(self) -> bool:
        return True

    @property
    def spec(self) -> dict[str, Any] | None:
        return {
            "training": str(self.home.absolute()),
            "budget": self.budget,
            "space": self.space_spec,
            "estimator": self.estimator,
            "fidelity": msgspec.to_builtins(self.fidelity),
            "device": self.device,
            **name_epochs(self.epochs),
        }

    def identity(self) -> dict[str, Any]:
        return {
            "task": {"name": self.task.name, "digest": self.task.digest},
            "budget": self.budget,
            "space": spec_of("space", self.space),
            "fingerprint": fingerprint(self.space),
            "estimator": spec_of("estimator", component("estimator", self.estimator)),
            "fidelity": msgspec.to_builtins(self.fidelity),
            # Earlier comparisons of an error maximised it: they are others.
            **({"minimize": True} if self.minimize else {}),
            **name_epochs(self.epochs),
        }

    def search(self, strategy: Strategy, seed: int) -> Search:
        # The same network asked for by two searches is trained once: strategies differ in their choices only.
        estimator = Cached(self.estimator, str((self.home / "outcomes").absolute()))
        return Search(
            self.space,
            strategy,
            estimator,
            self.task,
            limit_search(self.budget, self.epochs),
            seed=seed,
            fidelity=self.fidelity,
            engine="processes",  # a crash of a network must not end the comparison
            workers=1,
            device=self.device,
            minimize=self.minimize,  # which the estimator around it does not know
        )

    def score(self, trial: Trial) -> float:
        assert trial.value is not None
        return 100 * trial.value if is_share(self.task.metric) else trial.value

    def cost(self, trial: Trial, paid: float) -> float:
        """The cost for the search that trained it first."""
        return 0.0 if trial.cached is not None or trial.outcome is None else trial.outcome.seconds

    def place(self, label: str, seed: int) -> Path | None:
        """The run directory of a search, with a link to the data that all searches share."""
        return open_place(self.home, "runs", f"{name_folder(label)}-{seed}")


def contest_of(spec: Mapping[str, Any]) -> Contest:
    """The contest that another process described by `spec`."""
    if "benchmark" in spec:
        columns = dict(spec.get("columns", {}))
        # JSON has lists where the settings are tuples.
        columns |= {"questions": tuple(columns["questions"])} if "questions" in columns else {}
        chosen = benchmark(spec["benchmark"], spec.get("minimize"), **columns)
        name, epochs = spec["benchmark"], spec.get("epochs")
        return OnBenchmark(chosen, spec["budget"], name, spec["each"], columns, epochs)
    home = Path(spec["training"])
    return OnTraining(
        Task.open(home / "task"),
        spec["budget"],
        home,
        msgspec.convert(spec["fidelity"], Fidelity),
        spec["space"],
        spec["estimator"],
        spec["device"],
        spec.get("epochs"),
    )


def play_search(contest: Contest, label: str, strategy: Strategy, seed: int) -> Line:
    """One search from its first trial to its last, or from where it was interrupted."""
    search = contest.search(strategy, seed)
    try:
        result = search.run(contest.place(label, seed), quiet=True)
    except NothingSucceeded as error:  # a strategy that finds nothing has a line too, without a value
        result = error.result
    reasons = [value["reason"] for _, name, value in result.events if name == "stop"]
    line = line_of(label, seed, result.rows, contest.score, contest.cost, contest.epochs is not None)
    # Some strategies stop by themselves: their line stays where it was, and the report says why.
    # Each trial's epochs were rounded: their sum may miss the budget by as much.
    rounded = 1e-6 * line.trials
    paid = sum(line.paid()[-1:]) + rounded
    spent = paid >= contest.epochs if contest.epochs else line.trials >= contest.budget
    early = not spent and reasons
    return msgspec.structs.replace(line, ended=reasons[-1]) if early else line
