"""Where there is no time to train the best network of a search anew, on train and validation, it is handed
over as the search trained it: a training that ends long before its end is worse than a whole one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cambrian.architecture import sample
from cambrian.cli.display.summary import _finals, facts
from cambrian.effort import STOPPED
from cambrian.estimators.estimator import SERVES
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Artifact, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Objective, Problem
from cambrian.randomness import stream
from cambrian.recommendation import rank_trials
from cambrian.reports.report_file import report
from cambrian.search.finalists import expect_retraining
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.candidates import Candidate, find_candidates
from cambrian.search.loop.coordinator import BEST, Coordinator, Means
from cambrian.search.loop.deadlines import FinalDeadlines, SearchDeadlines
from cambrian.search.loop.final import Final
from cambrian.search.loop.final_stage import FinalStage
from cambrian.search.planning.budget import Budget
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies.random import Random
from cambrian.weights import AS_TRAINED, FRESH, Inherit
from small_training import bars

SPACE, FIDELITY = TinyChain(3), Fidelity(2)
CHAINS = [sample(SPACE, stream(n, "chains")) for n in range(3)]


def trial(number: int, value: float | None = 0.5, seconds: float = 10.0, **settings: Any) -> Trial:
    """Of the chain of that number; it left a file."""
    artifact = Artifact(f"hash {number}", 1, f"artifacts/{number}.safetensors")
    outcome = (
        Infeasible("nan")
        if value is None
        else Done(value, seconds=seconds, artifacts={"weights.safetensors": artifact})
    )
    fields = {"fidelity": FIDELITY, "outcome": outcome} | settings
    return Trial(number, CHAINS[number], **fields)


class TestWhichOne:
    """At 100 s of 100 + `left`."""

    def decide(self, left: float, growth: float = 1.25, **settings: Any) -> FinalStage:
        final = Final(FIDELITY, top=1, baselines=("random",))
        trials = [trial(0), trial(1, 0.4, 1.0)]
        candidates = find_candidates(SPACE, final, trials, trials)
        more = {"seed": 0, "recipe": "r", "published": {}, "growth": growth} | settings
        stage = FinalStage(SPACE, final, candidates, more.pop("rows", []), **more)
        stage.within(FinalDeadlines(100.0 + left, 100.0, None), lambda: 100.0)
        return stage

    def begin(self, stage: FinalStage) -> Row:
        row = stage.next()
        assert isinstance(row, Row)
        stage.claim(row)
        return row

    @pytest.mark.parametrize(("left", "weights"), [(13.0, FRESH), (11.0, Inherit(0, AS_TRAINED))])
    def test_by_the_time_that_is_left(self, left: float, weights: Any) -> None:
        """12.5 s of training, of which nine tenths are worth more than 10 on fewer images."""
        row = self.begin(self.decide(left))
        assert (row.trial.role, row.trial.weights) == ("winner", weights)

    def test_its_files_go_with_it(self) -> None:
        stage = self.decide(1.0)
        row = self.begin(stage)
        assert [a.file for a in stage.artifacts(row.trial).values()] == ["artifacts/0.safetensors"]

    def test_no_baseline_is_cut_short_beside_it(self) -> None:
        stage = self.decide(1.0)
        stage.finish(self.begin(stage).trial.number, Done(0.7))
        assert not isinstance(stage.next(), Row)
        stage = self.decide(90.0)
        stage.finish(self.begin(stage).trial.number, Done(0.7))
        assert self.begin(stage).trial.role == "baseline random"

    def test_what_an_earlier_session_began_goes_on(self) -> None:
        """The run ended with that network, and late as it is it stays the same."""
        fresh = self.begin(self.decide(90.0))
        for outcome in (None, Done(0.7)):
            row = Row(
                Trial(0, fresh.trial.architecture, FIDELITY, kind="final", role="winner", outcome=outcome),
                fresh.key,
                "done" if outcome else "running",
                1,
                0,
            )
            stage = self.decide(-50.0, rows=[row])
            assert not isinstance(stage.next(), Row)
            assert (stage.winner() is None) == (outcome is None)

    def test_of_a_front_all_or_none(self) -> None:
        """11 s of training times 1.25 are 13.75 s."""
        for left, moves in ((13.0, 0), (12.0, 2)):
            stage = self.decide(left, front=2)
            rows = [self.begin(stage), self.begin(stage)]
            assert sum(isinstance(row.trial.weights, Inherit) for row in rows) == moves

    def test_only_the_same_training(self) -> None:
        """Not one at another fidelity, by another estimator, without a value, of which an end was foretold or
        came too early, or whose files are gone."""
        final = Final(FIDELITY, top=1)
        late, foretold = Done(0.5, {"planned_epochs": 2.0}), Done(0.5, data={STOPPED: {}})
        others = [trial(0, None), trial(0, fidelity=Fidelity(1)), trial(0, estimator="cheap")]
        others += [
            trial(0, outcome=msgspec.structs.replace(o, artifacts=trial(0).artifacts))
            for o in (late, foretold)
        ]
        for other in others:
            (candidate,) = find_candidates(SPACE, final, [trial(0)], [other])
            assert candidate == Candidate(CHAINS[0], FIDELITY)
        (candidate,) = find_candidates(SPACE, final, [trial(0)], [trial(0)], lambda artifact: False)
        assert candidate.trained is None
        (candidate,) = find_candidates(SPACE, final, [trial(0)], [trial(0)])
        assert candidate.trained is not None


def test_the_search_lasts_longer_where_nothing_is_trained_after_it() -> None:
    trials = [trial(0)]
    for needed, end in ((0.0, 80.0), (22.0, 80.0), (23.0, 95.0)):
        assert SearchDeadlines(100.0, lambda: trials, 0.2, retraining=lambda n=needed: n).end() == end
    # Without a network there is nothing to hand over.
    assert SearchDeadlines(100.0, list, 0.2, retraining=lambda: 50.0).end() == 90.0
    assert SearchDeadlines(100.0, lambda: trials, 0.02, retraining=lambda: 50.0).end() == 98.0


def test_the_files_of_the_best_are_kept() -> None:
    """Also of the latest, should it be the best; of others there may be gigabytes."""
    ledger = Ledger.create(None)
    coordinator = Coordinator(
        Problem(SPACE), Random(), ledger, lag=1, means={"": Means("r")}, keeps_best=True
    )
    coordinator.trials[:] = [trial(n % 3, 1 / (1 + n)) for n in range(BEST + 4)]
    needed, wanted = coordinator.list_needed()
    assert needed == []
    assert [a for t in reversed(coordinator.trials[:BEST]) for a in t.artifacts.values()] == wanted


def test_the_files_of_the_front_are_kept() -> None:
    """All of them: which ones are its knees is known in the end."""
    problem = Problem(SPACE, (Objective(), Objective("latency", minimize=True)))
    coordinator = Coordinator(
        problem, Random(), Ledger.create(None), lag=1, means={"": Means("r")}, keeps_best=True
    )
    count = 2 * BEST
    for n in range(count):
        one = trial(0, 0.1 + n / 100)
        metrics = {"latency": 1.0 + n}
        outcome = msgspec.structs.replace(one.outcome, metrics=metrics, artifacts=trial(0).artifacts)
        coordinator.trials.append(msgspec.structs.replace(one, number=n, outcome=outcome))
    _, wanted = coordinator.list_needed()
    assert len(wanted) == count + BEST


def expect(search: Search, trials: list[Trial], kept: bool = True) -> float:
    return expect_retraining(search, rank_trials(trials, search.objectives), trials, lambda artifact: kept)


def test_time_is_left_for_what_has_to_be_trained_anew() -> None:
    """The search goes on into the share of the last training only where it needs none."""

    def make(top: int = 1, **settings: Any) -> Search:
        return Search(
            SPACE,
            "random",
            "train",
            bars(),
            "1m",
            fidelity=FIDELITY,
            final=Final(FIDELITY, top=top),
            **settings,
        )

    late = msgspec.structs.replace(trial(0).outcome, metrics={"planned_epochs": 2.0})
    assert expect(make(), [trial(0), trial(1, 0.4, 1.0)]) == 10.0
    assert expect(make(), []) == 0.0
    assert expect(make(), [trial(0)], kept=False) == 0.0
    assert expect(make(), [trial(0, outcome=late)]) == 0.0
    assert expect(make(3), [trial(0), trial(1)]) == 0.0  # two are compared
    front = [
        trial(
            n,
            outcome=msgspec.structs.replace(trial(n).outcome, value=0.5 - n / 10, metrics={"params": 9 - n}),
        )
        for n in range(3)
    ]
    assert expect(make(2, objectives=["params"]), front) == 20.0
    assert expect(make(2, objectives=["params"], choose="params<8.5"), front) == 10.0
    assert expect(make(2, objectives=["params"], choose="params<1"), front) == 0.0


def test_a_search_without_room_for_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as early as any other: there is nothing to hand over."""
    monkeypatch.setattr("cambrian.search.session.find_growth", lambda task: 3e7)
    made: list[SearchDeadlines] = []

    def make(*arguments: Any) -> SearchDeadlines:
        made.append(SearchDeadlines(*arguments))
        return made[-1]

    monkeypatch.setattr("cambrian.search.session.SearchDeadlines", make)
    final = Final(FIDELITY, top=1, baselines=(), share=0.2)
    for room, end in ((0, 80.0), (1 << 20, 95.0)):
        search = Search(
            SPACE, "random", Train(batch_size=16), bars(), Budget(seconds=100.0, trials=2),
            fidelity=FIDELITY, final=final, engine="serial", room=room,
        )  # fmt: skip
        search.run(tmp_path / str(room), quiet=True)
        assert made[-1].end() == end


def evaluate(keep: Path, **settings: Any) -> Any:
    """One evaluation of the second chain, which leaves its files in `keep`."""
    keep.mkdir()
    estimate = Train(batch_size=16).run(Job.of(SPACE, CHAINS[1], FIDELITY, bars(), keep=keep, **settings))
    outcome = None
    while outcome is None:
        try:
            next(estimate)
        except StopIteration as end:
            outcome = end.value
    return outcome


def test_it_is_the_network_of_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights, bit for bit; its value, on validation; and on the test part what these weights have."""
    earlier = evaluate(tmp_path / "earlier")
    files = {path.name: path for path in (tmp_path / "earlier").iterdir()}
    common: dict[str, Any] = {"weights": Inherit(0, AS_TRAINED), "artifacts": files}
    again = evaluate(tmp_path / "again", **common)
    assert (again.value, again.curve) == (earlier.value, ())
    tested = evaluate(tmp_path / "tested", stage="deliver", **common)
    assert tested.metrics["test_accuracy"] == tested.value
    assert tested.metrics["params"] == earlier.metrics["params"]
    monkeypatch.setattr(
        "cambrian.estimators.train.score_network", lambda *_: {"loss": math.inf, "value": 0.5}
    )
    assert isinstance(evaluate(tmp_path / "infinite", stage="deliver", **common), Infeasible)
    before, after = (load_file(tmp_path / name / "weights.safetensors") for name in ("earlier", "tested"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def accuracy_of(result: Result) -> float:
    """Of its model on the test part."""
    task = bars()
    chosen = result.predict(np.asarray(task.inputs)[task.test]).probabilities.argmax(1)
    return float((chosen == np.asarray(task.targets)[task.test]).mean())


def test_a_search_from_its_beginning_to_a_larger_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second of training anew is a year here. With a larger budget it is trained anew, all the same."""
    monkeypatch.setattr("cambrian.search.session.find_growth", lambda task: 3e7)
    settings: dict[str, Any] = {"fidelity": FIDELITY, "final": Final(FIDELITY, top=1), "engine": "serial"}

    def search(seconds: float) -> Search:
        budget = Budget(seconds=seconds, trials=3)
        return Search(SPACE, "random", Train(batch_size=16), bars(), budget=budget, **settings)

    place = tmp_path / "run"
    result = search(60.0).run(place, quiet=True)
    (winner,) = result.finals
    assert winner.weights == Inherit(result.best.number, AS_TRAINED)  # type: ignore[union-attr]
    assert winner.architecture == result.best.architecture  # type: ignore[union-attr]
    assert f"winner (as trial {result.best.number} left it)" in _finals(result).columns[0]._cells  # type: ignore[union-attr]
    assert facts(result)["winner"]["as_trained"] == winner.weights.row
    assert "Handed over as the search trained it" in report(result).read_text()
    assert winner.value == pytest.approx(accuracy_of(result), abs=1e-6)
    assert [t.number for t in search(60.0).run(place, quiet=True).finals] == [0]
    monkeypatch.undo()
    later = search(600.0).run(place, quiet=True)
    assert later.winner is not None
    assert later.winner.weights == FRESH


def test_only_where_it_is_the_same_training() -> None:
    """Without a time a search never lacks any; a longer last training is another one, as is one that goes
    on."""

    def hands_over(budget: Any, final: Final | None = None, **settings: Any) -> bool:
        final = final or Final(FIDELITY)
        return Search(
            SPACE, "random", "train", "digits", budget, fidelity=FIDELITY, final=final, **settings
        ).hands_over

    assert hands_over("1m")
    assert not hands_over(20)
    assert not hands_over("1m", Final(Fidelity(4)))
    assert not hands_over("1m", Final(FIDELITY, continues=True))
    assert not hands_over("1m", Final(FIDELITY, estimator="b"), estimators={"b": "train"})

    class Own(Train):
        """One that knows no weights but its own."""

        serves = SERVES

    own = Search(SPACE, "random", Own(), bars(), "1m", fidelity=FIDELITY, final=Final(FIDELITY))
    assert not own.hands_over
