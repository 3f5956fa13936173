"""The losses of methods with gates: what is added to them."""

from __future__ import annotations

import math
import pytest
import torch

import gate_cases
from cambrian.networks.sharing.methods.gate_rules import Progress

CONV3, CONV1 = 3, 2  # their places among the operations


def test_snas_adds_the_logarithm_of_what_its_gates_expect() -> None:
    """weight log E, whose gradient by a logit is weight p (cost - the site's mean) / E."""
    job = gate_cases.make_job("snas", {"cost_weight": 0.3})
    _, step = gate_cases.make_step(job)
    costs = step._costs
    logits = {site: torch.linspace(-1, 1, 5).roll(n).requires_grad_() for n, site in enumerate(sorted(costs))}
    shares = {site: logit.detach().softmax(0) for site, logit in logits.items()}
    means = {site: float((shares[site] * costs[site]).sum()) for site in costs}
    total = sum(means.values())
    penalty = step._inner._rules.penalty(logits, Progress(0, 1))
    assert float(penalty.detach()) == pytest.approx(0.3 * math.log(total), rel=1e-6)
    for site, logit in logits.items():
        (slope,) = torch.autograd.grad(penalty, [logit], retain_graph=True)
        expected = 0.3 * shares[site] * (costs[site] - means[site]) / total
        torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-8)
        assert costs[site][CONV3] == 9 * costs[site][CONV1] > 0


def test_a_resource_term_turns_gates_away_from_what_is_dear() -> None:
    """Alone, after some steps; its costs are a part of what a checkpoint restores."""
    job = gate_cases.make_job("snas", {"cost_weight": 1e4, "gate_rate": 0.1, "curvature": 0})
    _, step = gate_cases.make_step(job)
    for number in range(4):
        gate_cases.take(step, number)
    assert all(min(range(5), key=lambda i, g=gate: g[i]) == CONV3 for gate in step.gates().values())
    _, other = gate_cases.make_step(job)
    other.restore({name: tensor.clone() for name, tensor in step.state().items()})
    assert other.gates() == step.gates()
    assert other.data()["cost"] == step.data()["cost"]
