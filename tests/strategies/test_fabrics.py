"""A fabric is trained whole, and cut where its weights are small."""

from __future__ import annotations

import torch

from cambrian.estimators.paths import Paths
from cambrian.networks.sharing.methods.whole import find_whole, measure_strengths
from cambrian.outcome import Done, Outcome, Trial
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.one_shot.fabrics import Fabrics
from cambrian.testing import StrategyCase
from cambrian.testing.play import Game, smooth

SPACE = Fabric(layers=3, scales=2)
PATH = {"layer3/scale1/inputs": "finer", "layer2/scale0/inputs": "same", "layer1/scale0/inputs": "same"}


def find_strengths() -> dict[str, dict[str, float]]:
    """The weights of a planted path are larger than all others."""
    whole = SPACE.find_all()
    return {
        path: {name: 1.0 + (name == PATH.get(path)) + 0.1 * n for n, name in enumerate(answer)}
        for path, answer in whole.items()
    }


def measure(trial: Trial) -> Outcome:
    return Done(0.5, data={"strengths": find_strengths()}) if trial.kind == "supernet" else smooth(trial)


def test_cuts_lead_from_the_fabric_to_its_strongest_path() -> None:
    """The first child is the fabric, the last cut the planted path; then come random sub-networks."""
    trials = Game(StrategyCase(Fabrics(children=20), SPACE), lag=3, measure=measure).play(21).trials[1:]
    assert trials[0].architecture == SPACE.find_all()
    cuts = [t.architecture for t in trials[:10]]
    path = SPACE.cut({name: (answer,) for name, answer in PATH.items()})
    assert path in cuts
    inputs = [sum(map(len, SPACE.plan(a).values())) for a in cuts[: cuts.index(path) + 1]]
    assert inputs == sorted(inputs, reverse=True)
    assert len({t.architecture for t in trials}) == 20


def test_strengths_are_mean_squares_of_weights() -> None:
    """Of each input's convolution, by the question that it is an option of."""
    shares = SPACE.know(Shares)
    assert shares is not None
    supernet = shares.share({}, Shape(channels=2, height=8, width=8, classes=3), filters=2)
    strengths = measure_strengths(supernet)
    assert set(strengths) == set(SPACE.find_all())
    weight = supernet.network.nodes["layer2scale0"].edges["coarser"].conv.weight
    torch.testing.assert_close(strengths["layer2/scale0/inputs"]["coarser"], weight.square().mean().item())


def test_the_method_trains_the_fabric() -> None:
    assert find_whole(Paths(SPACE, {}, 0, 0)) == SPACE.find_all()
