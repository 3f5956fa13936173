"""The losses of methods with gates: what is added to them, how their gradient is clipped, and which of them
the course records."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cambrian
import gate_cases
from cambrian.networks.sharing.methods.gate_rules import Progress, clip_gradients
from cambrian.networks.training.step import Moment


class Attention(nn.Module):
    """float[n, c, h, w] -> the same, by torch's fused kernel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.project(x.flatten(2).mT[:, None]).chunk(3, -1)
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, values)
        return mixed[:, 0].mT.reshape(x.shape)


class OnceAlone(nn.Module):
    """A function of which torch has the first derivative alone, called where nothing can replace it."""

    def forward(self, x: Tensor) -> Tensor:
        squashed: Tensor = torch.ops.aten.hardsigmoid(x)
        return squashed


@cambrian.space
def curved(pick: Any, task: Any, *, kind: str = "squeeze") -> nn.Module:
    makers = {"squeeze": nn.Hardsigmoid, "attention": lambda: Attention(4), "once": OnceAlone}
    parts = [nn.Conv2d(task.channels, 4, 3, padding=1)]
    for i in range(2):
        parts.append(pick.inside("layer", i).module("op", {"own": makers[kind], "skip": nn.Identity}))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.classes))


CONV3, CONV1 = 3, 2  # their places among the operations


@pytest.mark.parametrize("method", ["snas", "maskconnect"])
def test_the_course_has_the_loss_of_validation(method: str) -> None:
    """Of methods whose gates learn from batches of the training part: at the end of an epoch, on four of the
    validation part, from which nothing learns."""
    supernet, step = gate_cases.make_step(gate_cases.make_job(method, {"curvature": 0}))
    learned, batches, batch = [], [], step._validation.batch
    step._course.add_loss = learned.append
    step._validation.batch = lambda *place: (batches.append(place), batch(*place))[1]
    gate_cases.take(step, 0)
    assert (learned, batches) == ([], [])
    before = [p.clone() for p in (*supernet.parameters(), *step.logits.values())]
    step._watch(Moment(2, 1, 3, 9), Progress(2, 25))
    assert batches == [divmod(7 + n, step._validation.steps) for n in range(4)]
    assert len(learned) == 4
    assert all(0 < loss < 100 for loss in learned)
    after = [*supernet.parameters(), *step.logits.values()]
    assert all(map(torch.equal, before, after))


@pytest.mark.parametrize(("kind", "known"), [("squeeze", True), ("attention", True), ("once", False)])
def test_the_curvature_of_functions_without_a_second_derivative(kind: str, known: bool) -> None:
    """Torch has none of the hard sigmoid and of fused attention, which are computed otherwise; of others the
    course does not have an eigenvalue, and the epoch ends as any other: it died of a RuntimeError."""
    job = gate_cases.make_job("darts", {"epochs": 1}, curved, skeleton={"kind": kind})
    _, step = gate_cases.make_step(job)
    assert math.isfinite(gate_cases.take(step, 0, 1))
    (eigenvalue,) = step.data()["course"]["eigenvalue"]
    assert (eigenvalue is not None) == known


@pytest.mark.parametrize("method", ["snas", "maskconnect", "darts"])
def test_an_epoch_that_ends_has_its_loss(method: str) -> None:
    """One number for each, whatever the gates learn from."""
    _, step = gate_cases.make_step(gate_cases.make_job(method, {"curvature": 0}))
    for number in range(2):
        gate_cases.take(step, number, 2)
    (loss,) = step.data()["course"]["loss"]
    assert 0 < loss < 100


def test_the_course_is_not_that_of_the_training_part() -> None:
    """The mean of validation losses that are made up, and not of those that gates learned from."""
    _, step = gate_cases.make_step(gate_cases.make_job("snas", {"curvature": 0}))
    held = iter(range(1, 5))
    lose = step._loss
    step._loss = lambda *given: lose(*given) if torch.is_grad_enabled() else torch.tensor(float(next(held)))
    gate_cases.take(step, 0, 1)
    assert step.data()["course"]["loss"] == [2.5]


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


def test_gates_have_their_gradient_clipped() -> None:
    """All sites together, to the norm that is given, as torch clips; by default it is as it is."""
    norms: dict[float, float] = {}
    for clip in (0.0, 1e-4):
        _, step = gate_cases.make_step(
            gate_cases.make_job("p-darts", {"gate_clip": clip, "gate_decay": 0.0, "curvature": 0})
        )
        norms[clip] = _take_norm(step)
    assert norms[0.0] > 1e-3
    assert norms[1e-4] == pytest.approx(1e-4, rel=1e-4)


def _take_norm(step: Any) -> float:
    """The norm of the gates' gradient in one step."""
    seen: list[float] = []

    def note(rate: float) -> None:
        seen.append(float(torch.cat([g.grad for g in step._logits.values()]).norm()))

    step._by_gates.descend = note
    gate_cases.take(step, 0)
    (norm,) = seen
    return norm


def test_clipping_is_torchs() -> None:
    """`clip_grad_norm_` on copies, of gradients longer and shorter than the norm."""
    for size in (0.1, 10.0):
        gradients = [size * torch.randn(n, generator=torch.Generator().manual_seed(n)) for n in (3, 5)]
        copies = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for copy, gradient in zip(copies, gradients, strict=True):
            copy.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_(copies, 2.0)
        for clipped, copy in zip(clip_gradients(gradients, 2.0), copies, strict=True):
            torch.testing.assert_close(clipped, copy.grad, rtol=1e-5, atol=0)
