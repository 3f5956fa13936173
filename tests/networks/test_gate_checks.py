"""What a method with gates may get wrong is a sentence that names the site, and no search without effect."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import gate_cases
from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.gate_checks import PASSES, Connection
from cambrian.networks.sharing.mixing import Weighted


def mix(logits: Any) -> dict[str, Any]:
    return {site: Weighted(logit.softmax(0)) for site, logit in logits.items()}


WRONG = {
    "no dictionary": (lambda logits: list(mix(logits).values()), "a dictionary of mixtures by site"),
    "a site is missing": (
        lambda logits: dict(list(mix(logits).items())[1:]),
        "no mixture for 1 of the 6 sites",
    ),
    "a site is unknown": (lambda logits: {**mix(logits), "node9": Weighted(torch.ones(5))}, "site 'node9'"),
    "too few": (
        lambda logits: {**mix(logits), "node1/from0": Weighted(torch.ones(4))},
        r"site 'node1/from0' has 5 options, and its mixture weights of the shape \[4\]",
    ),
    "no mixture": (lambda logits: dict.fromkeys(logits, "conv"), "expected a mixture, or a tensor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_mixtures_are_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight too few left out the last operation without a word, and a site that was forgotten ran as the
    architecture that was chosen before."""
    relax, sentence = WRONG[case]
    _, step = gate_cases.make_step(gate_cases.make_job("darts", {"curvature": 0}))
    object.__setattr__(step._rules, "relax", lambda logits, progress: relax(logits))
    with pytest.raises(UsageError, match=sentence):
        gate_cases.take(step, 0)


def test_gates_that_the_loss_does_not_reach_are_refused() -> None:
    """After so many passes; a single one that reaches a gate is enough, as where candidates are sampled."""
    gate, weight = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    apart = Connection([gate])
    for _ in range(PASSES - 1):
        apart.check((gate.softmax(0).detach() * weight).sum())
    with pytest.raises(UsageError, match="the loss does not depend on the gates"):
        apart.check((gate.softmax(0).detach() * weight).sum())
    found = Connection([gate])
    found.check((gate.softmax(0) * weight).sum())
    for _ in range(2 * PASSES):
        found.check(weight.sum())
