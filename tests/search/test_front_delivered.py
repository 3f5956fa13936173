"""Searches for several objectives end with the networks of their front, or with the one that was named."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mocks
from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured, measure_at
from cambrian.outcome import Done, Fidelity, Infeasible, Point, Trial
from cambrian.request import Evaluate
from cambrian.search.display.progress import read_progress
from cambrian.search.loop.execution import Execution
from cambrian.search.loop.final import Final
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies.multifidelity.race import Race
from cambrian.testing.toys import toy_task
from cambrian.weights import Fresh, Inherit

STAGES: list[str] = []


@dataclasses.dataclass(frozen=True)
class Priced:
    """A value, and a price that is independent of it; `broken` architectures cannot be delivered."""

    broken: tuple[str, ...] = ()
    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = True

    def run(self, job: Any) -> Any:
        STAGES.append(job.stage)
        yield from ()
        if job.stage == "deliver" and job.architecture.key in self.broken:
            return Infeasible("nan", "diverged")
        return Done(mocks.truth(job.architecture, 0), {"price": mocks.truth(job.architecture, 1)})


def make_search(estimator: Any = Priced(), **settings: Any) -> Search:
    STAGES.clear()
    final = Final(Fidelity(epochs=2), top=3)
    objectives = ("value>0.1", "price<0.95")
    return Search(
        TinyChain(3), "random", estimator, budget=40, final=final, objectives=objectives, **settings
    )


def test_the_knees_of_the_front_are_delivered(tmp_path: Path) -> None:
    """All of them on train and validation, as a winner is; nothing is compared on the test part."""
    result = make_search().run(tmp_path, quiet=True)
    assert [t.role for t in result.finals] == ["winner", "front 2", "front 3", "baseline random"]
    assert [t.architecture for t in result.delivered] == [t.architecture for t in result.knees]
    assert result.chosen == result.knees
    assert set(STAGES[-4:]) == {"deliver"}
    assert result.winner is not None
    assert result.winner.value == max(t.value for t in result.front)
    assert result.reference == (0.1, 0.95)
    assert result.hypervolume > 0


def test_the_named_network_is_delivered_alone_and_another_one_later(tmp_path: Path) -> None:
    """The best value among those below the price, by brute force; a resumed run may choose another."""
    result = make_search(choose="price<0.5").run(tmp_path, quiet=True)
    best = max((t for t in result.trials if t.outcome.metrics["price"] < 0.5), key=lambda t: t.value)
    assert [t.architecture for t in result.delivered] == [best.architecture]
    assert result.chosen[0].architecture == best.architecture
    before = len(result.trials)
    again = make_search(choose="value>0.5").run(tmp_path, quiet=True)
    cheapest = min((t for t in result.trials if t.value > 0.5), key=lambda t: t.outcome.metrics["price"])
    assert again.winner is not None
    assert again.winner.architecture == cheapest.architecture
    assert len(again.trials) == before
    assert Result.open(tmp_path).facts["choose"] == "value>0.5"


@dataclasses.dataclass(frozen=True)
class Interrupted(Priced):
    """The user stops the run in the final training of the architecture that the environment names."""

    def run(self, job: Any) -> Any:
        if job.stage == "deliver" and job.architecture.key == os.environ.get("STOPPED_AT"):
            raise KeyboardInterrupt
        return (yield from super().run(job))


@dataclasses.dataclass(frozen=True)
class Bounded(Interrupted):
    """Final trainings say how many seconds they have."""

    def run(self, job: Any) -> Any:
        outcome = yield from super().run(job)
        left = job.deadline - time.monotonic()
        if job.stage == "search":
            return outcome
        return Done(outcome.value, {**outcome.metrics, "left": left, "epochs": 1.0, "planned_epochs": 2.0})


def test_another_choice_has_its_share_of_a_time_that_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of the hour from then on, which is said, and given once though it is interrupted; the choice
    before, which is trained, has nothing to do. A larger budget is its own word: no more than that is
    spent."""

    def resume(budget: str, choose: str | None, clock: float | None = None) -> Result:
        STAGES.clear()
        final = Final(Fidelity(epochs=2), top=1, baselines=())
        search = Search(
            TinyChain(3),
            "random",
            Bounded(),
            budget=budget,
            final=final,
            objectives=("-price",),
            choose=choose,
        )
        with pytest.MonkeyPatch.context() as patch:
            if clock is not None:
                patch.setattr(Execution, "read_clock", lambda self: clock)
            return search.run(tmp_path / "run", quiet=True)

    def seconds(result: Result) -> float:
        assert result.winner is not None
        return float(result.winner.outcome.metrics["left"])

    first = resume("40,1h", None)
    assert seconds(first) == pytest.approx(3600, abs=300)
    monkeypatch.setenv("STOPPED_AT", first.choose("price<0.2").architecture.key)
    said = r"budget of 40 trials, 1h was spent on another.* share of 20m once"
    with pytest.warns(UserWarning, match=said), pytest.raises(KeyboardInterrupt):
        resume("40,1h", "price<0.2", 3700.0)
    monkeypatch.delenv("STOPPED_AT")
    other = resume("40,1h", "price<0.2", 4000.0)
    assert [value["seconds"] for _, name, value in other.events if name == "extended"] == [3700 + 1200]
    # By the clock that the ledger has.
    assert seconds(other) == pytest.approx(3700 + 1200 - 3700, abs=300)
    assert other.winner.architecture != first.winner.architecture
    assert STAGES == ["deliver"]
    assert resume("40,1h", "price<0.2", 4900.0).winner == other.winner
    assert resume("40,1h", None, 4900.0).winner == first.winner
    assert STAGES == []
    longer = resume("40,2h", None, 7100.0)
    assert STAGES == ["deliver"]
    # The ledger has the patched clock's 4900 s, from which on this session counts.
    assert seconds(longer) == pytest.approx(7200 - 4900, abs=300)


def test_an_interrupted_training_gives_way_to_another_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the time of the network that is wanted now; that it was given up is no evidence against
    it. A choice that was interrupted leaves no finished run."""

    def run(choose: str | None) -> Result:
        STAGES.clear()
        return make_search(Interrupted(), choose=choose).run(tmp_path / "run", quiet=True)

    knee = make_search().run(quiet=True).knees[0].architecture
    monkeypatch.setenv("STOPPED_AT", knee.key)
    with pytest.raises(KeyboardInterrupt):
        run(None)
    result = run("price<0.2")
    assert STAGES == ["deliver", "deliver"]
    assert [t.role for t in result.finals] == ["winner", "winner", "baseline random"]
    assert [getattr(t.outcome, "reason", "") for t in result.finals] == ["timeout", "", ""]
    assert read_progress(result).state == "finished"
    with pytest.raises(KeyboardInterrupt):
        run(None)
    assert read_progress(Result.open(tmp_path / "run")).state == "interrupted"
    monkeypatch.setenv("STOPPED_AT", "")
    last = run(None).winner
    assert last is not None
    assert last.architecture == knee


@dataclasses.dataclass(frozen=True)
class Leaving(Priced):
    """Each training leaves a file with its network's name, and one that goes on reads that of its row."""

    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    metrics: ClassVar[tuple[str, ...]] = ("price",)

    def run(self, job: Any) -> Any:
        if isinstance(job.request.weights, Inherit):
            assert job.artifact("name.json").read_text() == json.dumps(job.architecture.key)
        (job.keep / "name.json").write_text(json.dumps(job.architecture.key))
        return (yield from super().run(job))


@pytest.mark.parametrize("objectives", [(), ("price<0.95",)])
def test_a_race_delivers_a_network_that_keeps_the_conditions(
    objectives: tuple[str, ...], tmp_path: Path
) -> None:
    """Also where none of its longest heat does, by brute force; it goes on from its own weights, which are
    kept though the race has left it behind. Where they are gone it begins anew."""

    def make_race(**settings: Any) -> Search:
        STAGES.clear()
        final = Final(Fidelity(epochs=2), top=2, baselines=(), continues=True)
        race = Race(size=9, challengers=0, inherits=True)
        return Search(
            TinyChain(3), race, Leaving(), budget=40, final=final, objectives=objectives, **settings
        )

    trials = make_race().run(tmp_path / "free", quiet=True).trials
    assert len(trials) == 12
    prices = [t.outcome.metrics["price"] for t in trials]
    bound = (min(prices[:9]) + min(prices[9:])) / 2
    assert min(prices[:9]) < bound < min(prices[9:])
    best = max((t for t in trials if t.outcome.metrics["price"] < bound), key=lambda t: t.value)
    winner = make_race(choose=f"price<{bound}").run(tmp_path / "held", quiet=True).winner
    assert winner is not None
    assert (winner.architecture, winner.weights) == (best.architecture, Inherit(best.number))
    late = make_race(choose=f"price<{bound}").run(tmp_path / "free", quiet=True).winner
    assert late is not None
    # Of a front any network may be delivered: there the weights of all are kept from the first.
    assert (late.architecture, late.weights) == (best.architecture, winner.weights if objectives else Fresh())


def test_conditions_that_nothing_keeps_are_refused_after_the_search(tmp_path: Path) -> None:
    """The search is whole, and goes on with other conditions."""
    with pytest.raises(UsageError, match=r"none of 40 networks keeps price<1e-06: the nearest, trial \d+"):
        make_search(choose="price<1e-6").run(tmp_path, quiet=True)
    assert make_search(choose="price<1").run(tmp_path, quiet=True).winner is not None
    with pytest.raises(UsageError, match="needs latency, which this search does not measure"):
        make_search(choose="latency<5ms")


def test_another_network_of_the_front_stands_in_for_one_that_fails(tmp_path: Path) -> None:
    """A run ends with a network, whichever training fails; of a named one the next best is taken."""
    knees = make_search().run(quiet=True).knees
    first = Priced(broken=(knees[0].architecture.key,))
    result = make_search(first).run(tmp_path / "knees", quiet=True)
    assert [t.architecture for t in result.delivered] == [t.architecture for t in knees[1:]]
    named = make_search(first, choose="price<0.9999").run(tmp_path / "named", quiet=True)
    assert named.winner is not None
    if named.choose("price<0.9999").architecture == knees[0].architecture:
        assert named.winner.architecture != knees[0].architecture


def test_a_run_of_one_objective_may_name_its_network_too(tmp_path: Path) -> None:
    """Without objectives the finalists compete as ever; conditions need what the search measures."""
    final = Final(Fidelity(epochs=2), top=2, baselines=())
    search = Search(TinyChain(3), "random", Priced(), budget=20, final=final, choose="params<1M")
    assert search.choose == "params<1M"
    result = Search(TinyChain(3), "random", Priced(), budget=20, final=final).run(tmp_path, quiet=True)
    assert [t.role for t in result.finals] == ["finalist", "finalist", "winner"]


@dataclasses.dataclass(frozen=True)
class Counted(Priced):
    """Whatever is not trained has sizes, as what is: those of the network that the job would build."""

    builds: ClassVar[bool] = True

    def run(self, job: Any) -> Any:
        yield from ()
        built = build_measured(job)
        return Done(mocks.truth(job.architecture, 0), built.metrics)


@pytest.mark.parametrize("continues", [False, True])
def test_conditions_hold_for_the_network_that_is_handed_over(continues: bool, tmp_path: Path) -> None:
    """Trials see images of 4 pixels, the final network of 8: it has four times the MACs, and with three times
    the filters more, where it has others. Of those that keep the bound as trials the best that keeps it at
    the end is taken, by brute force; where none does, that is said."""
    task = toy_task()
    small, large = Fidelity(resolution=4, skeleton={"filters": 4}), Fidelity(2, skeleton={"filters": 12})

    def make(choose: str | None = None) -> Search:
        final = Final(large, top=1, baselines=(), continues=continues)
        return Search(
            TinyChain(2), "random", Counted(), task, budget=12, fidelity=small, final=final, choose=choose
        )

    trials = [t for t in make().run(tmp_path / "free", quiet=True).trials if t.value is not None]
    size = small.skeleton if continues else large.skeleton
    final = Fidelity(skeleton=size)

    def count(trial: Trial) -> float:
        return measure_at(TinyChain(2), task, trial.architecture, final, ["macs"], "cpu")["macs"]

    def find_best(bound: float, macs: Callable[[Trial], float]) -> Trial:
        return max((t for t in trials if macs(t) < bound), key=lambda t: t.value)

    bounds = sorted(count(t) + 1 for t in trials)
    chosen = {bound: find_best(bound, count) for bound in bounds}
    # A bound for which the best of the trials is another network.
    bound = next(
        b for b in bounds if find_best(b, lambda t: t.outcome.metrics["macs"]).value > chosen[b].value
    )
    held = make(f"macs<{bound}").run(tmp_path / "held", quiet=True)
    assert held.winner is not None
    assert held.winner.architecture == chosen[bound].architecture
    with pytest.raises(UsageError, match=r"none of \d+ networks keeps macs<.* as it is handed over"):
        make(f"macs<{bound}, value>{chosen[bound].value}").run(tmp_path / "none", quiet=True)


@dataclasses.dataclass(frozen=True)
class Endless(Counted):
    """In the search no training of it ends."""

    def run(self, job: Any) -> Any:
        while job.stage == "search":
            time.sleep(0.02)
            yield Point(1, {"value": 0.0})
        return (yield from super().run(job))


@pytest.mark.slow
def test_without_time_for_a_trial_the_network_keeps_the_conditions_too(tmp_path: Path) -> None:
    """On its sizes, which need no training; where it does not, or where they are on scores, that is said."""
    final = Final(Fidelity(2, skeleton={"filters": 4}), top=1, baselines=())

    def make(choose: str) -> Search:
        return Search(
            TinyChain(2), "random", Endless(), toy_task(), budget="1s", final=final, choose=choose, lag=1
        )

    result = make("macs<1e9").run(tmp_path / "kept", quiet=True)
    assert all(t.value is None for t in result.trials)
    assert result.winner is not None
    assert result.winner.architecture == result.trials[0].architecture
    with pytest.raises(UsageError, match=r"none of 1 networks keeps macs<1 as it is handed over"):
        make("macs<1").run(tmp_path / "missed", quiet=True)
    with pytest.raises(UsageError, match="no trial has a value"):
        make("value>0.5").run(tmp_path / "score", quiet=True)
