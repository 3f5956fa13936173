"""Strategies of several fidelities with real training: promoted networks go on from their artifacts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cambrian.errors import Incompatible
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.weights import Continue
from small_training import SmallConv, bars

TRAIN = Train(batch_size=16, schedule="constant", warmup=0.0)

FOUR = Fidelity(4)


def search(name: str, train: Train = TRAIN, fidelity: Fidelity = FOUR) -> Search:
    return Search(
        SmallConv(), STRATEGIES.parse(name), train, bars(), 7, seed=1, fidelity=fidelity, final=None
    )


@pytest.mark.parametrize("name", ["hyperband(eta=2)", "asha(eta=2)"])
def test_promoted_networks_go_on(name: str, tmp_path: Path) -> None:
    """Each trial that continues another one has the curve and the value of a training from the start, and
    none begins anew."""
    result = search(name).run(tmp_path / "run")
    continued = [trial for trial in result.trials if isinstance(trial.weights, Continue)]
    assert continued
    for trial in continued:
        assert isinstance(trial.outcome, Done)
        assert trial.outcome.data == {}
        fresh = Search(
            SmallConv(),
            _Only(trial.architecture),
            TRAIN,
            bars(),
            1,
            seed=1,
            fidelity=trial.fidelity,
            final=None,
        ).run()
        assert fresh.trials[0].value == trial.value
        assert len(trial.outcome.curve) == trial.fidelity.epochs


def test_a_schedule_that_ends_with_each_rung_begins_anew(tmp_path: Path) -> None:
    """A cosine to the end of each fidelity is trained from the start, which is said, and paid for."""
    result = search("hyperband(eta=2)", replace(TRAIN, schedule="cosine")).run(tmp_path / "run")
    data = [t.outcome.data for t in result.trials if isinstance(t.weights, Continue) and t.outcome]
    assert data
    assert all("schedule ends with each fidelity" in each["anew"] for each in data)


@pytest.mark.parametrize(
    ("name", "fidelity", "part"),
    [
        ('successive-halving(eta=4, axes=["fraction"], least={"fraction": 0.2})', Fidelity(1), "fraction"),
        (
            'successive-halving(eta=4, axes=["resolution"], least={"resolution": 4})',
            Fidelity(1, resolution=8),
            "resolution",
        ),
        ('successive-halving(eta=4, axes=["times"])', Fidelity(1, skeleton={"times": 2}), "skeleton"),
    ],
)
def test_other_axes_than_epochs(name: str, fidelity: Fidelity, part: str) -> None:
    """Fewer images, smaller ones, fewer channels: the lowest is measured first, the best at the full one."""
    result = search(name, fidelity=fidelity).run()
    seen = [getattr(trial.fidelity, part) for trial in result.trials]
    assert seen[0] != getattr(fidelity, part)
    assert getattr(fidelity, part) in seen
    assert all(trial.value is not None for trial in result.trials)


def test_who_cannot_order_fidelities_is_refused() -> None:
    """In one sentence: one epoch has nothing below it, a function without a fidelity measures at none."""
    with pytest.raises(Incompatible, match=r"there is none below 1: fidelity=Fidelity\(epochs=27\)"):
        search("hyperband", fidelity=Fidelity(1))
    with pytest.raises(Incompatible, match="does not name its full resolution: give it"):
        search('asha(axes=["resolution"])')
    with pytest.raises(Incompatible, match="<lambda> cannot order"):
        Search(SmallConv(), "hyperband", lambda network: 1.0, bars(), 3, fidelity=Fidelity(9), final=None)


class _Only:
    """Proposes one architecture."""

    needs = ()

    def __init__(self, architecture) -> None:
        self.architecture = architecture

    def start(self, problem):
        return ()

    def propose(self, state, pending, rng):
        from cambrian.request import Evaluate

        return Evaluate(self.architecture)

    def learn(self, state, trial):
        return state
