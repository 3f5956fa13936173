"""Weights that a row may begin with, and those that it must not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

import living
from cambrian import space
from cambrian.architecture import Architecture, sample
from cambrian.errors import RunError
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.estimators.train import Train
from cambrian.outcome import Crashed, Done, Fidelity
from cambrian.request import Evaluate, TrainSupernet, Wait
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.spaces.program.function_space import Shape
from cambrian.testing import toy_task
from cambrian.weights import Continue, Fresh, Inherit, Shared

ONE_SHOT = OneShot(batch_size=16, paths=2, statistics_batches=2)


@space(task=Shape(2, 8, 8, 3))
def activated(pick: Any, task: Any) -> Any:
    """An outer answer that the shapes of the weights do not show."""
    from torch import nn

    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[pick("activation", ["relu", "tanh"])]
    ways = {"one": lambda: nn.Conv2d(4, 4, 1), "nothing": nn.Identity}
    stem, way = nn.Conv2d(task.channels, 4, 3, padding=1), pick.module("way", ways)
    head = nn.Linear(4, task.classes)
    return nn.Sequential(stem, activation(), way, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


class OtherOuter(living.Base):
    requests: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Shared)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        if not state.known:
            return TrainSupernet(Architecture({"activation": "relu", "way": "one"}))
        return Evaluate(Architecture({"activation": "tanh", "way": "one"}), weights=Shared(0))


def test_a_supernet_of_other_outer_answers_scores_nothing() -> None:
    _, trial = Search(activated, OtherOuter(), ONE_SHOT, toy_task(), 2).run().trials
    assert isinstance(trial.outcome, Crashed)
    assert "row 0 was made for the answer 'relu' to question 'activation'" in trial.outcome.error


@dataclass(frozen=True)
class Inheriting(living.Base):
    """A child with its parent's weights, then its training continued."""

    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit, Continue)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        architecture = state.known[0].architecture if state.known else sample(state.space, rng)
        if len(state.known) == 2:
            return Evaluate(architecture, Fidelity(4), weights=Continue(1))
        return Evaluate(architecture, Fidelity(2), weights=Inherit(0) if state.known else Fresh())


def test_inherited_weights_are_not_replaced_by_fresh_ones() -> None:
    """Of a schedule that ends with each fidelity a training cannot go on, and without its parent's weights it
    cannot begin again as it began."""
    trial = (
        Search(living.forked, Inheriting(), Train(batch_size=16), toy_task(), 3, final=None).run().trials[2]
    )
    assert isinstance(trial.outcome, Crashed)
    assert "the weights that it began with cannot be made again" in trial.outcome.error


class Sharing(living.Sharing):
    """Its supernet is another estimator's than the one that delivers."""

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        proposal = super().propose(state, pending, rng)
        return proposal if isinstance(proposal, Wait) else msgspec.structs.replace(proposal, estimator="one")


@pytest.mark.slow
def test_a_supernet_outlives_the_final_stage(tmp_path: Path) -> None:
    """A search that goes on after it names the supernet again."""

    def search(trials: int) -> Search:
        final = Final(Fidelity(1), top=1, baselines=())
        more = {"estimators": {"one": ONE_SHOT}, "final": final}
        return Search(living.forked, Sharing(), Train(batch_size=16), toy_task(), trials, **more)

    assert search(3).run(tmp_path).winner is not None
    result = search(6).run(tmp_path)
    assert (tmp_path / result.trials[0].artifacts[SUPERNET].file).exists()
    assert all(isinstance(t.outcome, Done) for t in result.trials)


def test_weights_of_a_run_in_memory_are_gone_with_it() -> None:
    result = Search(living.forked, living.Inheriting(), Train(batch_size=16), toy_task(), 1, final=None).run()
    with pytest.raises(RunError, match="run it in a directory to keep them"):
        result.model(result.trials[0])


def test_a_supernets_weights_are_those_of_the_epoch_that_is_reported(tmp_path: Path) -> None:
    """With score="best" too."""
    from cambrian.estimators.job import Job
    from cambrian.estimators.one_shot import make_supernet
    from cambrian.networks.checkpoint import load_weights

    one_shot = OneShot(
        batch_size=16, paths=2, statistics_batches=2, score="best", learning_rate=3.0, schedule="constant"
    )
    task = toy_task()
    search = Search(living.forked, living.Sharing(), one_shot, task, 1, seed=1, fidelity=Fidelity(5))
    (trial,) = search.run(tmp_path).trials
    job = Job.of(search.space, trial.architecture, Fidelity(5), search.task, seed=1)
    supernet = make_supernet(job, search.task, trial.architecture)
    load_weights(supernet, tmp_path / trial.artifacts[SUPERNET].file)
    training = Job(TrainSupernet(trial.architecture, trial.method, Fidelity(5)), job.problem, search.task)
    assert trial.outcome.metrics["best_epoch"] < 5
    scored = one_shot._score_supernet(training, search.task, supernet, None)["loss"]
    assert scored == pytest.approx(trial.outcome.metrics["loss"], rel=1e-4)
    assert scored != pytest.approx(trial.outcome.curve[-1].metrics["loss"], rel=1e-2)
