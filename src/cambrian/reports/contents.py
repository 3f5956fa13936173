"""The contents of a report: plain values, gathered from a run or from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.outcome import Done, Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_front
from cambrian.reports.constant_answer import tell_constant
from cambrian.reports.tested import Tested, look_at_test_images
from cambrian.search.display.shares import TRAIN, TRAININGS, list_described, name_shares
from cambrian.search.display.tally import number_text
from cambrian.search.identity.run_components import explain_absence
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES
from cambrian.strategies.inner import has_trait
from cambrian.tasks.nouns import read_noun

if TYPE_CHECKING:
    from cambrian.search.result import Result

LARGE = 1e9
"""Multiply-adds of an image from which on a network is only listed, not run."""


@dataclass(frozen=True)
class Story:
    """`trials` are those of the search and of the final stage together (`Trial.kind`, `Trial.role`).
    `settings` may be nested. `plan` are rows of (label, text), `stages` those of the winner's network
    (label, detail). `task` has "name", "metric", "labels", and counts such as "test". `seconds` are by
    kind ("search", "final", "strategy"). `table1` are rows of a table, all with the same keys. `events`
    are (Unix time, name, value). `winner` is the one of `trials` that is handed over: once a run was
    continued it need not be the first of that role, nor have that role at all; `tested` is its account of
    the test images. `objective` is the metric
    that values are measured in, `more_objectives` are those that count besides; of several, `chosen` are the
    trials whose networks are handed over. `drawn` are those that the strategy drew at random, if it does.
    `parts` are the pretrained parts of a user's networks, with the number of their parameters; `doubts` are
    sentences on a winner that has learned nothing."""

    title: str
    space: Space
    trials: Sequence[Trial]
    settings: Mapping[str, Any] = field(default_factory=dict)
    plan: Sequence[tuple[str, str]] = ()
    stages: Sequence[tuple[str, str]] = ()
    task: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    table1: Sequence[Mapping[str, Any]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[tuple[float, str, Mapping[str, Any]]] = ()
    winner: Trial | None = None
    tested: Tested | None = None
    objective: Objective = Objective()
    more_objectives: Sequence[Objective] = ()
    chosen: Sequence[Trial] = ()
    drawn: Sequence[Trial] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    doubts: Sequence[str] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (self.objective, *self.more_objectives)

    @cached_property
    def front(self) -> list[Trial]:
        """The search's trials that no other one dominates."""
        return find_front([t for t in self.trials if t.kind == "trial"], self.objectives)

    @property
    def noun(self) -> str:
        """What the examples are called: images, texts, sounds or rows."""
        return read_noun(self.task)

    @property
    def metric(self) -> str:
        return str(self.task.get("metric", self.objective.name))

    @property
    def given(self) -> str:
        """The name of the file whose weights the networks of the final stage began with; "" without one."""
        name = (self.settings.get("final") or {}).get("estimator", "")
        named = self.settings.get("estimators", {}).get(name) if name else self.settings.get("estimator")
        while isinstance(named, Mapping):
            arguments = named.get("arguments", {})
            file = arguments.get("pretrained", "")
            # Another estimator may mean something else by the word.
            if isinstance(file, str) and file:
                return PurePath(file).name
            named = arguments.get("inner")  # the training, within one that ends it early
        return ""

    @property
    def searched(self) -> str:
        """The name of the values in the search: the task's metric, a proxy's measure, or what a function or
        a table calls them."""
        estimator = self.settings.get("estimator") or {}
        if estimator.get("name") == "proxy":
            return str(estimator.get("arguments", {}).get("measure", self.metric))
        return self.metric if estimator.get("name", TRAIN) in TRAININGS else self.objective.name

    @cached_property
    def shares(self) -> frozenset[str]:
        """The estimators whose values are shares, by the rule of all displays. Where none is known, networks
        are trained."""
        return name_shares(list_described({"estimator": {"name": TRAIN}, **self.settings}), self.metric)

    def is_share(self, estimator: str = "") -> bool:
        """Whether the values of this one are shares, which people read as percentages."""
        # A loss is not a share, even where it is named so: its direction is said instead.
        return estimator in self.shares and not (estimator == "" and self.objective.minimize)

    def axis(self, value: float, estimator: str = "") -> str:
        """`value` beside an axis that is named for `unit_of(estimator)`."""
        return f"{100 * value if self.is_share(estimator) and value <= 1 else value:.4g}"

    @property
    def unit(self) -> str:
        return self.unit_of("")

    def unit_of(self, estimator: str) -> str:
        if estimator == "" and self.objective.minimize:
            return str(self.objective)
        name = self.name_of(estimator)
        return f"{name}, %" if self.is_share(estimator) else name

    def name_of(self, estimator: str) -> str:
        """What its values are. Further estimators are the trainings of the final stage, or of other
        lengths."""
        return self.metric if estimator else self.searched

    def value(self, value: float | None, estimator: str = "") -> str:
        """A value of this estimator.

        >>> Story("", None, [], task={"metric": "accuracy"}).value(0.98333)
        '98.33 %'
        """
        return "–" if value is None else number_text(value, self.is_share(estimator))

    def value_of(self, trial: Trial) -> str:
        return self.value(trial.value, trial.estimator)


def story_of(
    result: Result, *, plan: Sequence[tuple[str, str]] = (), table1: Sequence[Mapping[str, Any]] = ()
) -> Story:
    """The story of a run, finished or not. The final network, where there is one, is run on test images."""
    outline = outline_story(result, plan)
    return replace(outline, stages=winner_stages(result), table1=table1, tested=look_at_test_images(result))


def outline_story(result: Result, plan: Sequence[tuple[str, str]] = ()) -> Story:
    """The story as the ledger has it: no network is built or run."""
    # The four may change when a run is continued, so that the ledger keeps them beside the settings.
    settings = dict(result.facts.get("settings", {}))
    settings |= {k: result.facts[k] for k in ("budget", "final", "engine", "device") if k in result.facts}
    name = result.task.name if result.task is not None else "a search"
    return Story(
        title=str(name),
        space=result.space,
        trials=[*result.trials, *result.finals],
        settings=settings,
        plan=[(str(a), str(b)) for a, b in plan or result.facts.get("plan", ())] + _pretrained_rows(result),
        task=result.task.summary() if result.task is not None else {},
        seconds=result.seconds(),
        versions=result.facts.get("versions", {}),
        events=result.events,
        winner=result.winner,
        objective=result.objective,
        more_objectives=result.objectives[1:],
        chosen=_find_chosen(result),
        drawn=_find_drawn(result),
        parts=result.facts.get("pretrained", {}),
        doubts=[] if result.winner is None else tell_constant(result.winner, result.task),
    )


def _find_chosen(result: Result) -> list[Trial]:
    with suppress(UsageError):  # no trial keeps the user's conditions: the report is of the search alone
        return result.chosen if len(result.objectives) > 1 else []
    return []


def _find_drawn(result: Result) -> list[Trial]:
    """The trials that nothing led to but chance, of a strategy that says so."""
    spec = result.facts.get("settings", {}).get("strategy")
    with suppress(UsageError):  # a strategy of the user's that is not there any more
        if spec and has_trait(STRATEGIES.make(spec), "random_first"):
            return [t for t in result.trials if t.parent is None and not t.reason]
    return []


def _pretrained_rows(result: Result) -> list[tuple[str, str]]:
    """The parts of a user's networks that were loaded, if there are any."""
    parts = result.facts.get("pretrained", {})
    words = [f"{name}, {count:,} parameters kept" for name, count in parts.items()]
    return [("pretrained parts", "; ".join(words))] if words else []


def winner_stages(result: Result) -> list[tuple[str, str]]:
    """The stages of the winner's network, untrained; none without a winner, or a space to build it."""
    if result.winner is None or result.task is None or explain_absence(result.space):
        return []
    from cambrian.pictures.stages import stages
    from cambrian.spaces.drafts import draft_network

    winner, task = result.winner, result.task
    metrics = winner.outcome.metrics if isinstance(winner.outcome, Done) else {}
    if metrics.get("macs", 0.0) > LARGE:
        # A draft costs neither memory nor time; for a small network its imports take longer than building.
        network = draft_network(result.space, winner.architecture, task, winner.fidelity.skeleton)
    else:
        network = result.space.build(winner.architecture, task, **winner.fidelity.skeleton)
    size = winner.fidelity.resolution
    return stages(network, (task.channels, size or task.height, size or task.width))
