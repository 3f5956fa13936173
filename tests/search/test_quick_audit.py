"""Whether a plan begins with a quick audit: by its budget, and by what somebody has said already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

import cambrian
from cambrian.cli.audited import follow_audit
from cambrian.errors import Unread
from cambrian.search.engines.processes import Processes
from cambrian.search.parts.components import spec_of
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.preset.quick_audit import LABEL, SHARE, add_row, decide_fidelity
from cambrian.search.planning.preset.workload import Workload
from cambrian.strategies import STRATEGIES
from cambrian.strategies.audited import Audited
from cambrian.strategies.progressive import Progressive
from cambrian.testing import toy_task

WORK = Workload({1: 20, 2: 10}, 10, None, 4, 500, {}, 10, {})


@dataclass(frozen=True)
class Priced:
    """Trials of a second at level 1 and of four at level 2: two on average."""

    workers: int = 2

    def trial_seconds(self, work: Workload, level: int) -> float:
        return {1: 1.0, 2: 4.0}[level]


def decide(strategy: Any, seconds: float | None, **said: Any) -> Any:
    wishes: dict[str, Any] = {
        **{"space": None, "strategy": None, "surrogate": None, "paper": False, "recipe": {}},
        **{"changes": {}, "baselines": None, "settings": {}, "audit": True, **said},
    }
    request = PlanRequest(toy_task(), Budget(seconds=seconds), device="cpu", engine=Processes(2), **wishes)
    return decide_fidelity(strategy, WORK, Priced(), request)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "count"), [(150.0, 0), (160.0, 4), (250.0, 6), (9000.0, 8)])
def test_a_tenth_of_the_time_is_for_as_many_networks_as_it_pays_for(seconds: float, count: int) -> None:
    """Two seconds a training, two at a time, each network measured at 4 trainings' cost: 4 seconds of the
    tenth for each; from 4 networks on, and 8 at most."""
    decision = decide(STRATEGIES.make("bayes"), seconds)
    assert decision.sentence
    assert isinstance(decision.strategy, Audited) == (count > 0)
    if count:
        assert decision.strategy.sample == count
        assert spec_of("strategy", decision.strategy) is not None  # so that it can be resumed
        assert count * 4.0 <= SHARE * seconds + 1e-9
        assert f"quick audit of {count} networks" in decision.sentence


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"changes": {"epochs": 3}}, "epochs are said already"),
        ({"changes": {"images": 300, "epochs": 3}}, "epochs and images are said already"),
        ({"settings": {"estimator": "naswot"}}, "networks are ranked by naswot"),
        ({"settings": {"estimator": {"name": "extrapolated"}}}, "networks are ranked by extrapolated"),
        ({"settings": {"objectives": ("params",)}}, "it would judge by the first objective alone"),
        ({"paper": True}, "the paper says what its networks are trained for"),
    ],
)
def test_what_somebody_has_said_stays(said: dict[str, Any], reason: str) -> None:
    """Epochs, images, an estimator, several objectives: the plan says that there is no audit, and why; it
    says nothing where none is wanted. A condition on the network that is delivered is no reason: what is
    recommended at the chosen fidelity is chosen from."""
    strategy = STRATEGIES.make("random")
    sentence = f"as planned, without a quick audit: {reason}"
    assert decide(strategy, 9000.0, **said) == (strategy, sentence)
    assert decide(strategy, 9000.0, **{**said, "audit": False}) == (strategy, "")
    assert isinstance(decide(strategy, 9000.0, settings={"choose": "params<1M"}).strategy, Audited)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hyperband", "hyperband measures at several fidelities itself"),
        ("asha", "asha measures at several fidelities itself"),
        ("nash", "nash begins trainings with the weights of others"),
        ("eas", "eas begins trainings with the weights of others"),
        ("audited", "the strategy has an audit of its own, of 6 networks"),
    ],
)
def test_strategies_with_fidelities_or_weights_of_their_own_are_left_alone(name: str, reason: str) -> None:
    """They measure at several, or go on from weights, whose training has a length of its own."""
    strategy = STRATEGIES.make(name)
    decision = decide(strategy, 9000.0)
    assert decision.strategy is strategy
    assert decision.sentence.endswith(f"without a quick audit: {reason}")


def test_a_budget_without_time_is_left_alone() -> None:
    """Nobody would pay for an audit with networks."""
    sentence = decide(STRATEGIES.make("random"), None).sentence
    assert sentence.endswith("without a quick audit: the budget is not a time, of which it takes a tenth")


def test_a_progressive_search_is_told_its_first_level() -> None:
    """So that fewer of it may be trained for longer."""
    decision = decide(Progressive(levels=2, keep=10, surrogate="ridge"), 9000.0)
    assert decision.strategy.inner.first == 20


def test_the_plan_says_it() -> None:
    """After what each network is trained for; nothing where nothing was decided."""
    rows = (("data", "d"), ("each", "e"), ("then", "t"))
    assert add_row(rows, "") == rows
    assert add_row(rows, "why") == (*rows[:2], (LABEL, "why"), rows[2])


@pytest.mark.slow
def test_a_race_says_it_too() -> None:
    """By what measured races taught."""
    rows = dict(cambrian.plan(toy_task(), "20s", workers=1).rows)
    assert "not by an audit" in rows[LABEL]


@pytest.mark.slow
def test_a_planned_search_audits_and_goes_on(tmp_path: Any) -> None:
    """A minute of toy data: the audit's trials come first, of as many networks as its time has, and all later
    ones are of one fidelity."""
    planned = cambrian.plan(
        toy_task(), "60s", workers=1, space="tiny-chain", strategy="random", audit=True, baselines=()
    )
    assert isinstance(planned.search.strategy, Audited)
    trials = planned.search.run(tmp_path / "run", quiet=True).trials
    audited = ["audit" in trial.reason for trial in trials]
    count = sum(audited)
    assert 0 < count <= planned.search.strategy.sample * 4
    assert all(audited[:count])
    assert len({t.fidelity for t in trials[:count]}) == 4
    assert len({t.fidelity for t in trials[count:]}) == 1


def test_a_plan_for_the_rows_of_a_table_refuses_an_audit() -> None:
    """Each network has a training of its own length, so that nothing is left to choose."""
    task = replace(toy_task(), columns=("one", "two"))
    with pytest.raises(Unread, match="audit is for searches among images"):
        cambrian.plan(task, "9m", workers=1, audit=True)


def test_the_command_promises_nothing_of_its_own(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no audit is finished, `--estimator auto` wants a quick one; the plan says whether there is."""
    monkeypatch.chdir(tmp_path)
    assert follow_audit(toy_task(), None, None, {}, {}, as_json=False) == ("train", None, True)
    assert capsys.readouterr().out.split(None, 1) == [
        "estimator",
        "train; no audit of these data is in runs\n",
    ]
