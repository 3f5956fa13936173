"""Recipes that a supernet cannot be trained by are refused in one sentence, and the rest is followed."""

from __future__ import annotations

from typing import Any

import pytest

import gate_cases
from cambrian.errors import UsageError
from cambrian.estimators.one_shot import OneShot
from cambrian.networks.sharing.methods import proxylessnas
from cambrian.networks.sharing.methods.gate_rules import follow_schedule
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import Moment
from cambrian.spaces.chains.ofa.space import OFA

SMALL = {"stem": 8, "features": 8, "width": 1.0}
WIDENED = {"epochs": 4, "keep": 3, "channel_share": 2, "first_share": 4}


@pytest.mark.parametrize(
    ("method", "arguments", "space", "recipe", "sentence"),
    [
        ("darts", {}, None, {"length": 0.5}, "leave out length, got 0.5"),
        ("darts", {"second_order": True}, None, {"optimiser": "muon"}, "take the optimiser sgd, got 'muon'"),
        ("drnas", WIDENED, None, {"average": 0.9}, "take average=0, or a method without first_share"),
        ("darts-pt", {}, None, {"score": "best"}, 'take score="last", or another method than darts-pt'),
        ("drnas", WIDENED, None, {"score": "best"}, 'take score="last", or a method without first_share'),
        (
            "once-for-all",
            {},
            OFA(widths=(8,), depths=(1,), kernels=(3,)),
            {"average": 0.9},
            "sorts the channels .* take average=0",
        ),
    ],
)
def test_what_a_method_cannot_follow(
    method: str, arguments: Any, space: Any, recipe: Any, sentence: str
) -> None:
    """Before a step is taken; a recipe without it is not refused."""
    job = gate_cases.make_job(method, arguments, space, **({"skeleton": SMALL} if space else {}))
    gate_cases.make_step(job, OneShot(batch_size=16))
    with pytest.raises(UsageError, match=sentence):
        gate_cases.make_step(job, OneShot(batch_size=16, **recipe))


def test_rates_of_growing_images_go_by_time() -> None:
    """As those of a training without gates: steps on small images take less of it."""
    recipe, moment = Recipe(), Moment(2, 0, 10, 40, elapsed=5)
    assert follow_schedule(recipe, moment, 4) == recipe.rate(5, 40, 10)


def test_a_restored_cost_has_the_target_that_was_measured_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A latency that is measured again is another one, and gates that aim at it learn otherwise."""
    job = gate_cases.make_job("proxylessnas", {"cost": "macs", "cost_weight": 10.0})
    whole, first = gate_cases.make_step(job)
    measured = {site: 2 * cost for site, cost in first._costs.items()}
    monkeypatch.setattr(proxylessnas, "measure_costs", lambda *_: measured)
    rest, again = gate_cases.make_step(job)
    assert again.data()["cost"] != first.data()["cost"]
    rest.load_state_dict(whole.state_dict())
    again.restore({name: tensor.clone() for name, tensor in first.state().items()})
    assert again.data()["cost"] == first.data()["cost"]
    for step in (first, again):
        gate_cases.take(step)
    assert again.gates() == first.gates()
