"""Strategies that train a supernet, under kill -9: weights, controllers and children are those of a search
that nobody disturbed."""

from __future__ import annotations

import os

import pytest
from test_killed import kill_often
from test_killed import nursery as nursery
from test_killed import undisturbed as undisturbed

from cambrian.estimators.one_shot import SUPERNET
from killed_calls import why_not
from trained_search import FAMILIES, GRADIENT

pytestmark = [pytest.mark.damage, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

MANY = int(os.environ.get("CAMBRIAN_KILLS", "50"))


@pytest.mark.slow
@pytest.mark.parametrize("undisturbed", ["enas"], indirect=True)
def test_a_killed_controller_ends_as_it_would_have(undisturbed, nursery, tmp_path):
    """It has the most state of all families: weights, momenta, a policy with its moments, and a baseline.
    One kill that leaves a checkpoint to go on from."""
    expected, calls = undisturbed
    assert len(expected.trials[1].outcome.data["drawn"]) == 3
    kill_often(nursery, "enas", expected, calls, tmp_path, least=1, swept=True)


@pytest.mark.slow(minutes=True)
@pytest.mark.parametrize("undisturbed", [*FAMILIES, *GRADIENT], indirect=True)
def test_killed_families_end_with_the_same_weights(undisturbed, nursery, tmp_path, request):
    """MANY kills at random calls, each of which leaves a checkpoint. The families are mixtures (darts),
    sampled paths (spos, enas and others), Gumbel gates (gdas), binary paths (proxylessnas), masks, elastic
    slices (once-for-all) and a hypernetwork (smash)."""
    expected, calls = undisturbed
    name = request.node.callspec.params["undisturbed"]
    kill_often(nursery, name, expected, calls, tmp_path, least=MANY, swept=True)
    assert SUPERNET in expected.trials[1].artifacts
