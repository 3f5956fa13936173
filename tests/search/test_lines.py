"""A search that nobody watches prints its plan and its progress; in plain lines, and not too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import cambrian
import mocks
from cambrian.architecture import Architecture, sample
from cambrian.benchmarks.planted import Planted
from cambrian.errors import UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Outcome, Point, Trial
from cambrian.problem import Problem
from cambrian.reports.contents import outline_story
from cambrian.search.display.failures import LONGEST, count_failures, describe_failures
from cambrian.search.display.lines import LONG, PAUSE, LineWatch
from cambrian.search.display.shares import find_shares
from cambrian.search.identity.settings import describe_component
from cambrian.search.loop.final import Final
from cambrian.search.parts.components import spec_of
from cambrian.search.parts.devices import choose_device
from cambrian.search.result import Result
from cambrian.strategies.strategy import Evaluate

SHARES = frozenset({""})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until it is set."""
    stopped = SimpleNamespace(now=0.0, monotonic=lambda: stopped.now)
    monkeypatch.setattr("cambrian.search.display.lines.time", stopped)
    return stopped


def trial(number: int, outcome: Outcome, kind: str = "trial") -> Trial:
    return Trial(number, Architecture({"n": number}), Fidelity(), kind=kind, outcome=outcome)


def watch_trials(clock: SimpleNamespace, count: int, seconds: float) -> list[str]:
    """The lines of a search of `count` trials that take `seconds` each."""
    lines: list[str] = []
    watch = LineWatch(lines.append, shares=SHARES)
    watch.on_stage("search", count)
    for n in range(count):
        watch.on_claim(trial(n, Done(0.0)))
        clock.now += seconds
        watch.on_end(trial(n, Done(n / count)))
    watch.on_stop("it is over")
    return lines


@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.0, 30.0])
def test_a_line_a_trial_or_each_ten_seconds(clock: SimpleNamespace, seconds: float) -> None:
    """Whichever is rarer, besides the first trial's and the last line."""
    lines = watch_trials(clock, 100, seconds)
    assert len(lines) <= min(100, 100 * seconds / PAUSE) + 2
    assert lines[-1] == "search: it is over; 100 trials, best 99.00 % (trial 99)"


def test_a_long_training_is_not_silent(clock: SimpleNamespace) -> None:
    """Each point of a curve that comes after a minute without a line has one; sooner ones have none."""
    lines: list[str] = []
    watch = LineWatch(lines.append, shares=SHARES)
    for step in range(1, 11):
        clock.now += LONG / 2
        watch.on_point(3, Point(step, {"accuracy": 0.5}))
    assert len(lines) == 5
    assert lines[0] == "  search: number 3 after 2 epochs, 50.00 %, 60 s"


def test_a_training_whose_epochs_are_of_steps_is_told_in_steps(clock: SimpleNamespace) -> None:
    """Its epochs are no passes over the data, of which plans speak."""
    lines: list[str] = []
    clock.now = 0.0
    watch = LineWatch(lines.append, shares=SHARES)
    clock.now += LONG
    watch.on_point(0, Point(2, {"steps": 1000.0}))
    assert lines == ["  search: number 0 after 1,000 steps, 60 s"]


@dataclass(frozen=True)
class Recommending:
    """Draws at random, and prefers the trial `preferred` by its proposals, or recommends it itself."""

    preferred: int
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> tuple[Any, ...]:
        return (problem.space,)

    def propose(self, state: tuple[Any, ...], pending: Sequence[Trial], rng: np.random.Generator) -> Evaluate:
        known = len(state) - 1
        return Evaluate(sample(state[0], rng), prefers=(self.preferred,) if self.preferred < known else ())

    def learn(self, state: tuple[Any, ...], trial: Trial) -> tuple[Any, ...]:
        return (*state, trial.architecture)


@dataclass(frozen=True)
class Deciding(Recommending):
    """Recommends the `preferred`, whatever its value."""

    def recommend(self, state: tuple[Any, ...]) -> list[Architecture]:
        return [state[1 + self.preferred]]


@pytest.mark.parametrize("strategy", [Recommending(2), Deciding(3)], ids=["of equals", "by itself"])
def test_the_last_line_names_the_trial_that_the_run_recommends(
    strategy: Recommending, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of equal values too, of which the first is not the one that the strategy prefers."""
    constant = Function(lambda architecture, fidelity: 0.5, builds=False)
    search = cambrian.Search(mocks.Toy(questions=8), strategy, constant, budget=5)
    result = search.run()
    assert result.best is not None
    assert result.best.number == strategy.preferred
    ends = [line for line in capfd.readouterr().err.splitlines() if line.startswith("search: ")]
    assert ends[-1].endswith(f"5 trials, best 0.5 (trial {strategy.preferred})")


def test_failures_are_counted_and_told(clock: SimpleNamespace) -> None:
    """With the first line of the error, and the best is another trial."""
    lines: list[str] = []
    watch = LineWatch(lines.append, shares=SHARES)
    for n, outcome in enumerate((Done(0.25), Crashed("boom\nat line 3"))):
        clock.now += PAUSE
        watch.on_claim(trial(n, Done(0.0)))
        watch.on_end(trial(n, outcome))
    assert lines == [
        "  trial 0: 25.00 %, the best, 10 s",
        "  trial 1: failed (boom), best 25.00 % (trial 0), 1 failed, 20 s",
    ]


def test_the_first_failure_of_a_reason_is_told_at_once(clock: SimpleNamespace) -> None:
    """On one line, with the sentence that the report has; the next one of the reason waits for its turn."""
    lines: list[str] = []
    watch = LineWatch(lines.append, {0: 4}, shares=SHARES)
    sentence = "layer '2', Conv2d(16, 8), cannot take [2, 8, 6, 6]"
    unbuildable = Infeasible("unbuildable", f"{sentence}\nmore")
    for n, outcome in enumerate((Done(0.25), unbuildable, unbuildable, Crashed("boom" * 99))):
        watch.on_claim(trial(n, Done(0.0)))
        watch.on_end(trial(n, outcome))
    rest = "best 25.00 % (trial 0), 1 failed, 0 s"
    assert lines == [
        "  trial 0 (1 of 4): 25.00 %, the best, 0 s",
        f"  trial 1 (2 of 4): failed (unbuildable: {sentence}), {rest}",
        "4 tried, best 25.00 %",
        f"  trial 3: failed ({('boom' * 99)[: LONGEST - 3]}...)",
    ]


def test_failures_are_counted_by_reason() -> None:
    """The commonest first, each with the first trial that had it."""
    outcomes = (Crashed("boom"), Infeasible("oom", "no room"), Done(0.5), Infeasible("oom", "none"))
    failures = count_failures([trial(n, outcome) for n, outcome in enumerate(outcomes)])
    assert failures == [
        {"reason": "oom", "count": 2, "first": 1, "sentence": "no room"},
        {"reason": "crashed", "count": 1, "first": 0, "sentence": "boom"},
    ]
    assert describe_failures(failures) == "3 failed: 2 oom (trial 1: no room), 1 crashed (trial 0: boom)"
    assert describe_failures([]) == ""


def make_search(budget: int = 3) -> cambrian.Search:
    counting = Function(lambda architecture, fidelity: float(len(architecture)), builds=False)
    return cambrian.Search("tiny-chain", "random", counting, budget=budget)


def test_python_prints_the_plan_and_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    """On standard error, without a code that moves a cursor; nothing where it is quiet or watched."""
    make_search().run()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "\x1b" not in printed.err
    for part in ("space  TinyChain", "strategy  Random, 3 trials", "search: the budget of 3 trials is spent"):
        assert part in printed.err
    make_search().run(quiet=True)
    make_search().run(watch=LineWatch(lambda line: None))
    assert capfd.readouterr() == ("", "")


def test_printing_changes_nothing(tmp_path: Path) -> None:
    """The trials of a search that prints are those of one that does not."""
    loud, quiet = make_search(8).run(tmp_path / "loud"), make_search(8).run(tmp_path / "quiet", quiet=True)
    assert [(t.architecture, t.value) for t in loud.trials] == [
        (t.architecture, t.value) for t in quiet.trials
    ]
    again: list[str] = []
    make_search(9).run(tmp_path / "loud", LineWatch(again.append))
    assert again[0].startswith("  8 trials before this session, best")


def test_defaults_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a word about it, a search that trains ends with a network, in a directory that is named."""
    monkeypatch.chdir(tmp_path)
    task = cambrian.load("digits", limit=200)
    search = cambrian.Search("tiny-chain", "random", "train", task, 1)
    assert search.final == Final(Fidelity(2))
    assert search.device == choose_device("auto")
    result = search.run()
    assert result.directory == tmp_path / "runs" / f"{task.name}-1"
    assert str(result.directory) in capfd.readouterr().err
    assert not result.model().training
    assert (
        cambrian.Search("tiny-chain", "random", "train", task, 1, final=None).run(quiet=True).winner is None
    )


def test_a_final_stage_is_described_or_left_out() -> None:
    """Any other word is a mistake."""
    with pytest.raises(UsageError, match="final is a Final, None or 'auto', got 'yes'"):
        cambrian.Search("tiny-chain", "random", "train", final="yes")


def val_acc(network: Any) -> float:
    return 0.5


returned = val_acc


@pytest.mark.parametrize(
    ("estimator", "estimators", "shares"),
    [
        ("train", {}, {""}),
        (lambda network: 0.5, {}, set()),
        (val_acc, {}, {""}),
        (Function("test_lines:val_acc", objective="speed"), {}, set()),
        (Function("test_lines:returned", objective="accuracy"), {}, {""}),
        ("naswot", {"final": "train"}, {"final"}),
        ("extrapolated", {}, {""}),
        (Planted(), {}, {""}),
    ],
)
def test_what_a_value_is_decides_whether_it_is_a_percentage(
    estimator: Any, estimators: Any, shares: set[str], tmp_path: Path
) -> None:
    """And not where it lies: a function of one's own may return any number from 0 to 1. The run that is read
    says the same, and so do its report and its page."""
    task = cambrian.load("digits", limit=60)
    space = "pnas" if isinstance(estimator, Planted) else "nasbench201"
    search = cambrian.Search(space, "random", estimator, task, 2, estimators=estimators, final=None)
    assert find_shares(search) == shares
    facts = {"settings": {"estimator": describe_component("estimator", search.estimator)}}
    facts["settings"]["estimators"] = {n: spec_of("estimator", e) for n, e in search.estimators.items() if n}
    result = Result(search.space, task, [], facts, [])
    assert find_shares(result) == outline_story(result).shares == shares
