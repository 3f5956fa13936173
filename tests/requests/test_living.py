"""Strategies that begin with the weights of earlier rows, on real trainings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

import living
from cambrian.architecture import sample
from cambrian.errors import CambrianError, Incompatible
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.estimators.train import Train
from cambrian.estimators.training_run import TRAINING
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.request import Evaluate, Wait
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.knowledge import Shares
from cambrian.testing import toy_task
from cambrian.weights import Continue, Fresh, Inherit, Shared

PREFIX = Train(batch_size=16, schedule="cosine", decay_epochs=9.0)
ANEW = Train(batch_size=16)
ONE_SHOT = OneShot(batch_size=16, paths=2, statistics_batches=2)


def halving(estimator: Any = PREFIX, **settings: Any) -> Search:
    return Search(living.forked, living.Halving(**settings), estimator, toy_task(), 40, seed=3, final=None)


def plain(outcome: Any) -> Any:
    """An outcome without times, files and how it came to be."""
    calm = msgspec.structs.replace(outcome, seconds=0.0, artifacts={}, data={})
    curve = tuple(msgspec.structs.replace(p, seconds=0.0) for p in calm.curve)
    return msgspec.structs.replace(calm, curve=curve)


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return halving().run(tmp_path_factory.mktemp("halved") / "run")


def test_continued_trainings_are_those_at_once(halved: Result) -> None:
    """1 + 2 + 6 epochs, each going on from the last, equal 9 epochs from nothing: curve, metrics, value."""
    last = halved.trials[-1]
    assert last.fidelity.epochs == 9
    assert isinstance(last.weights, Continue)
    assert last.outcome.data == {}
    assert len(last.outcome.curve) == 9
    alone = Search(living.forked, Only(last.architecture, 9), PREFIX, toy_task(), 1, seed=3, final=None).run()
    assert plain(last.outcome) == plain(alone.trials[0].outcome)


def test_continued_weights_are_those_at_once(halved: Result, tmp_path: Path) -> None:
    """Bit for bit: the files have one hash."""
    last = halved.trials[-1]
    alone = Search(
        living.forked, Only(last.architecture, 9, keep=True), PREFIX, toy_task(), 1, seed=3, final=None
    )
    trial = alone.run(tmp_path / "run").trials[0]
    assert trial.artifacts["weights.safetensors"].sha256 == last.artifacts["weights.safetensors"].sha256


def test_without_the_artifact_it_is_trained_anew(halved: Result, tmp_path: Path) -> None:
    """The numbers are the same, and the outcome says so."""
    half = shutil.copytree(halved.directory, tmp_path / "run")
    search = halving()
    keep = len([t for t in halved.trials if t.fidelity.epochs < 9])
    truncate(half, keep)
    shutil.rmtree(half / "artifacts")
    result = search.run(half)
    assert [plain(t.outcome) for t in result.trials] == [plain(t.outcome) for t in halved.trials]
    assert "is not kept any more" in result.trials[-1].outcome.data["anew"]


def test_a_schedule_that_ends_is_begun_anew() -> None:
    """A cosine to the end of each fidelity: each rung starts from nothing, and says so."""
    result = halving(ANEW, width=3, epochs=(1, 3)).run()
    assert "its schedule ends with each fidelity" in result.trials[-1].outcome.data["anew"]


def test_inherited_weights_make_another_measurement(tmp_path: Path) -> None:
    """A child of two parents is two trials; a child begins with its parent's tensors."""
    search = Search(living.forked, living.Inheriting(), ANEW, toy_task(), 8, seed=1, final=None)
    result = search.run(tmp_path / "run")
    children = [t for t in result.trials if isinstance(t.weights, Inherit)]
    assert len(children) >= 5
    assert len({row.key for row in result.rows}) == len(
        {(r.trial.architecture, r.trial.weights) for r in result.rows}
    )
    assert all(isinstance(t.outcome, Done) for t in children)


@pytest.mark.parametrize("method", ["uniform", "darts"])
def test_a_supernet_is_a_row_and_scores_its_architectures(method: str, tmp_path: Path) -> None:
    """The first row is its training, with a curve, an artifact and, where there are any, gates; the others
    are scored with its weights, each architecture once."""
    search = Search(
        living.forked,
        living.Sharing(method),
        ONE_SHOT,
        toy_task(),
        8,
        seed=1,
        fidelity=Fidelity(3),
        final=None,
    )
    result = search.run(tmp_path / "run")
    supernet, *scored = result.trials
    assert supernet.kind == "supernet"
    assert len(supernet.outcome.curve) == 3
    assert {SUPERNET, TRAINING} <= set(supernet.artifacts)
    gates = supernet.outcome.data.get("gates", {})
    assert set(gates) == ({"first", "second"} if method == "darts" else set())
    assert all(abs(sum(p) - 1) < 1e-6 for p in gates.values())
    assert all(isinstance(t.outcome, Done) and t.weights == Shared(0) for t in scored)
    assert result.best.kind == "trial"


def test_shared_scores_are_those_of_the_network_alone(tmp_path: Path) -> None:
    """Scored with a supernet's weights and its training's statistics, an architecture has the accuracy of its
    own network with these weights loaded."""
    import torch

    from cambrian.estimators.build import signature
    from cambrian.estimators.training_data import scoring_images
    from cambrian.networks.checkpoint import load_weights
    from cambrian.networks.training.scoring import scores

    one_shot = OneShot(batch_size=16, paths=1, statistics="running")
    task = toy_task()
    search = Search(
        living.forked, living.Sharing(), one_shot, task, 4, seed=1, fidelity=Fidelity(3), final=None
    )
    result = search.run(tmp_path / "run")
    shape = signature(task, Fidelity(3))
    supernet = living.forked.know(Shares).share(result.trials[0].architecture, shape)
    load_weights(supernet, result.directory / result.trials[0].artifacts[SUPERNET].file)
    for trial in result.trials[1:]:
        own = living.forked.build(trial.architecture, shape)
        own.load_state_dict(supernet.weights(trial.architecture))
        images = scoring_images(search.task, Fidelity(3), "search", "cpu")
        assert scores(own, images, 64)["accuracy"] == trial.outcome.metrics["accuracy"]
        assert torch.is_grad_enabled()


def test_what_no_estimator_does_is_refused_before_anything_runs() -> None:
    with pytest.raises(Incompatible, match="Sharing trains a supernet, and train cannot train one"):
        Search(living.forked, living.Sharing(), ANEW, toy_task(), 3, final=None)


def test_weights_of_rows_that_are_not_known_are_refused() -> None:
    """A strategy may only name rows that it has learned of."""
    with pytest.raises(CambrianError, match="asks for the weights of row 5, of which it has not learned"):
        Search(living.forked, Foreign(), PREFIX, toy_task(), 3, final=None).run()


def test_only_a_supernet_is_shared() -> None:
    """A row that is an architecture's own training has no weights for others."""
    with pytest.raises(CambrianError, match="share the weights of row 0, which is not a supernet"):
        Search(living.forked, SharesATrial(), ONE_SHOT, toy_task(), 3, final=None).run()


def test_a_resumed_search_has_the_settings_of_the_first(tmp_path: Path) -> None:
    """Also those of how it is carried out."""
    first = Search("tiny-chain", "random", {"name": "train"}, toy_task(), 1, attempts=3, room=77, final=None)
    first.run(tmp_path / "run")
    again = Search.resume(tmp_path / "run")
    assert (again.attempts, again.room) == (3, 77)


class SharesATrial(living.Base):
    requests = (Evaluate, Fresh, Shared)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        if pending:
            return Wait()
        weights = Shared(0) if state.known else Fresh()
        return Evaluate(sample(state.space, rng), weights=weights)


class Only(living.Base):
    """One architecture, once."""

    def __init__(self, architecture: Any, epochs: int, keep: bool = False) -> None:
        self._request = Evaluate(architecture, Fidelity(epochs))
        self.requests = (Evaluate, Fresh, Continue) if keep else (Evaluate, Fresh)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        return self._request


class Foreign(living.Base):
    requests = (Evaluate, Fresh, Continue)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        return Evaluate(sample(state.space, stream(0)), weights=Continue(5))


def truncate(directory: Path, keep: int) -> None:
    """Forget all rows but the first, as if the search had been killed there."""
    from cambrian.search.ledger.ledger import Ledger

    old = Ledger.read(directory / "ledger.sqlite")
    facts, rows = old.facts(), old.rows()[:keep]
    old.close()
    for file in directory.glob("ledger.sqlite*"):
        file.unlink()
    ledger = Ledger.create(directory / "ledger.sqlite")
    ledger.remember(**facts)
    ledger.restore(rows, [])
    ledger.close()
