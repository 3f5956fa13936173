"""Methods with gates on a real supernet: what they leave alone, that they resume, and what they find."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

import cambrian
import gate_cases
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.training_data import training_images
from cambrian.networks.sharing.methods.darts_pt import list_decided
from cambrian.networks.sharing.methods.gate_rules import Progress
from cambrian.networks.sharing.mixing import Only, Summed, Weighted
from cambrian.networks.sharing.norms import score_by_batch
from cambrian.networks.sharing.switches import Fork
from cambrian.networks.training import step as step_module
from cambrian.networks.training.step import Moment
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.nasbench201 import network as nb201
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.program.function_space import Shape
from tiers import slow_but, slow_for

PLANTED = 3  # the 3x3 convolution's place among the operations
STEPS = {"gdas": 60, "proxylessnas": 60, "maskconnect": 60, "snas": 45}
"""Of methods that sample: a candidate learns only when it is drawn. The others take `USUAL`: after half as
many one seed in fifteen had not decided yet."""
USUAL = 36
EDGE = "node3/from0"  # from the cell's input to its output
LEARN: dict[str, dict[str, Any]] = {
    "beta-darts": {"beta": 0.5},
    "gdas": {"first_temperature": 2.0},
    "pc-darts": {"channel_share": 2},
    "p-darts": {"dropout": 0.4},
    "maskconnect": {"gate_rate": 0.03},  # gates end at 1
}


@pytest.mark.parametrize("method", ["gdas", "proxylessnas", "maskconnect"])
def test_what_was_not_sampled_keeps_weights_and_momentum(method: str) -> None:
    """Bit for bit, after a step that follows steps on other paths."""
    supernet, step = gate_cases.make_step(gate_cases.make_job(method))
    for number in range(4):
        gate_cases.take(step, number)
    before = _weights_and_momenta(supernet, step)
    ran: set[int] = set()

    def note(module: nn.Module, *_: Any) -> None:
        # Not the runs of a backward pass that only compares candidates.
        if module.training and torch.is_grad_enabled():
            ran.add(id(module))

    for module in supernet.modules():
        module.register_forward_hook(note)
    step._settings = gate_cases_frozen(step._settings)
    gate_cases.take(step, 9)
    after = _weights_and_momenta(supernet, step)
    idle, busy = [], []
    for name, module in supernet.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            names = [f"{name}.{p}" for p, each in module.named_parameters() if each.requires_grad]
            (busy if id(module) in ran else idle).extend(names)
    assert all(torch.equal(before[n][i], after[n][i]) for n in idle for i in (0, 1))
    assert any("candidates" in n for n in idle)
    assert all(not torch.equal(before[n][0], after[n][0]) for n in busy)


@pytest.mark.parametrize("method", gate_cases.METHODS)
def test_gates_alone_say_how_much_a_candidate_counts(method: str) -> None:
    """The normalisations of candidates that are weighed against each other keep their scale of 1 and shift of
    0 (Liu et al. 2019, App. A.1.1): a learned scale makes up for any gate, so that gates would decide by
    chance. Others learn theirs, and so do candidates of which sampled ones run alone."""
    supernet, step = gate_cases.make_step(gate_cases.make_job(method))
    for number in range(3):
        gate_cases.take(step, number)
    kinds: dict[bool, list[bool]] = {True: [], False: []}
    for name, norm in supernet.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            fixed = bool((norm.weight == 1).all() and (norm.bias == 0).all())
            kinds["candidates" in name].append(fixed)
    assert not any(kinds[False])
    assert all(kinds[True]) == (method not in ("proxylessnas", "maskconnect"))


def gate_cases_frozen(settings: Any) -> Any:
    """Settings by which the gates do not learn, so that the weights' path is the only one that runs."""
    return dataclasses.replace(settings, frozen=1000)


def _weights_and_momenta(supernet: Any, step: Any) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    momenta = {id(p): m for p, m in zip(step._by_weights.parameters, step._by_weights.momenta(), strict=True)}
    return {
        name: (p.detach().clone(), torch.zeros(()) if momenta[id(p)] is None else momenta[id(p)].clone())
        for name, p in supernet.named_parameters()
    }


@pytest.mark.parametrize(
    "method",
    slow_for(
        (
            "snas",
            "beta-darts",
            "sdarts-rs",
            "r-darts",
            "darts-ada",
            "pc-darts",
            "darts-pt",
            "maskconnect",
            "p-darts",
        ),
        gate_cases.METHODS,
    ),
)
def test_a_step_resumes_bit_for_bit(method: str) -> None:
    """From its tensors after two steps, weights and gates are afterwards those of three steps at once."""
    job = gate_cases.make_job(method, {"epochs": 3})
    (whole, one), (rest, other) = (gate_cases.make_step(job) for _ in range(2))
    for number in range(2):
        gate_cases.take(one, number, 2)
    rest.load_state_dict(whole.state_dict())
    other.restore(one.state())
    for step in (one, other):
        torch.manual_seed(7)
        step.take(torch.randn(8, 2, 8, 8), torch.arange(8) % 3, Moment(1, 0, 2, 6))
    assert all(map(torch.equal, whole.state_dict().values(), rest.state_dict().values()))
    assert one.gates() == other.gates()
    assert one.data() == other.data()


def test_schedules_do_not_go_by_the_length_of_a_chunk() -> None:
    """A training of one epoch is the beginning of one of two, for the method's own epochs decide."""
    first, both = (
        gate_cases.train(gate_cases.make_job("darts", {"epochs": 2, "curvature": 0}, epochs=n))
        for n in (1, 2)
    )
    assert first.curve[0].metrics == both.curve[0].metrics
    gates = first.data["course"]["gates"]
    assert gates == {site: table[:1] for site, table in both.data["course"]["gates"].items()}
    assert len(both.data["course"]["loss"]) == 2


@pytest.mark.parametrize("method", gate_cases.METHODS)
def test_gates_learn_in_half_precision(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA, where autocast ends with the forward pass: what is run in the backward pass has the types
    of the forward pass, and gates learn about what they learn in 32 bits."""
    gates = []
    for half in (False, True):
        kind = torch.autocast("cpu", torch.bfloat16, enabled=half)
        monkeypatch.setattr(step_module, "half_precision", lambda device, precision, kind=kind: kind)
        _, step = gate_cases.make_step(gate_cases.make_job(method))
        for number in range(3):
            gate_cases.take(step, number)
        gates.append(torch.cat([torch.tensor(gate) for gate in step.gates().values()]))
    assert gates[1].std() > 0 or method == "darts-pt"
    torch.testing.assert_close(gates[1], gates[0], atol=0.02, rtol=0.0)


@cambrian.space(task=Shape(2, 8, 8, 3))
def lonely(pick: Any, task: Any) -> nn.Module:
    """A function with a question of a single answer beside one of two."""
    only = pick.module("only", {"conv": lambda: nn.Conv2d(task.channels, 4, 3, padding=1)})
    kinds = {"conv": lambda: nn.Conv2d(4, 4, 3, padding=1), "skip": nn.Identity}
    return nn.Sequential(
        only, pick.module("op", kinds), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.classes)
    )


@pytest.mark.parametrize("method", [m for m in gate_cases.METHODS if m != "pc-darts"])
def test_a_question_may_have_a_single_answer(method: str) -> None:
    """Its gate is 1 and stays so, while others learn."""
    _, step = gate_cases.make_step(gate_cases.make_job(method, space=lonely))
    for number in range(3):
        gate_cases.take(step, number)
    gates = step.gates()
    assert gates["only"] == [1.0]
    assert sum(gates["op"]) == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["darts", "r-darts", "darts-ada"])
def test_the_second_order_learns_other_gates(method: str) -> None:
    """Through a step of the weights, and without a change of the weights that the step itself does not
    make."""
    gates = []
    for second in (False, True):
        _, step = gate_cases.make_step(gate_cases.make_job(method, {"second_order": second}))
        for number in range(3):
            gate_cases.take(step, number)
        gates.append(step.gates())
    assert gates[0] != gates[1]


class Noise(nn.Module):
    """An operation that knows nothing of its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.randn_like(x)


def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every operation noise, and the 3x3 convolution the identity: it is useful from the first step."""
    for name in nb201.OPERATIONS:
        useful = name == "nor_conv_3x3"
        monkeypatch.setitem(nb201.OPERATIONS, name, lambda width, u=useful: nn.Identity() if u else Noise())


def find_choice(method: str, seed: int) -> int:
    """The option that the method's gates prefer on the edge from the input to the output."""
    steps = STEPS.get(method, USUAL)
    settings = {"epochs": steps // 3, "gate_rate": 0.1, "curvature": 0}
    settings |= LEARN.get(method, {})
    task = gate_cases.coloured_task()
    job = gate_cases.make_job(method, settings, epochs=steps // 3, seed=seed, task=task)
    _, step = gate_cases.make_step(job, OneShot(batch_size=16, warmup=0.0, learning_rate=0.1))
    images = training_images(task, job.fidelity, "search", seed, "cpu")
    for number in range(steps):
        torch.manual_seed(1000 * seed + number)
        batch = torch.randperm(len(images))[:16]
        inputs, targets = images.inputs(images.pixels[batch]), images.targets[batch]
        step.take(inputs, targets, Moment(number // 3, number % 3, 3, steps))
    gate = step.gates()[EDGE]
    # Where most channels pass whatever the operation is, no connection is the quietest of all.
    options = range(1 if method == "pc-darts" else 0, len(gate))
    return max(options, key=lambda i: gate[i])


@pytest.mark.parametrize("method", slow_but(("darts",), ["darts", "gdas", "snas", "drnas", "proxylessnas"]))
def test_a_planted_operation_is_found(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By two of two seeds, of each kind of gate one; all methods are tried with ten."""
    plant(monkeypatch)
    assert [find_choice(method, seed) for seed in range(2)] == [PLANTED] * 2


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in gate_cases.METHODS if m != "darts-pt"])
def test_a_planted_operation_is_found_by_nine_of_ten_seeds(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert [find_choice(method, seed) for seed in range(10)].count(PLANTED) >= 9


def test_a_planted_operation_is_decided_for_by_perturbation(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the edge from the input to the output, the only one that alone decides the class: without the
    identity the supernet knows less than without any other operation, whatever the gates say (Wang et al.
    2021). All six edges are decided in the second half of the epochs, and each for one operation."""
    plant(monkeypatch)
    task = gate_cases.coloured_task()
    job = gate_cases.make_job("darts-pt", {"epochs": 6, "curvature": 0}, epochs=6, task=task)
    supernet, step = gate_cases.make_step(job, OneShot(batch_size=16, warmup=0.0, learning_rate=0.1))
    images = training_images(task, job.fidelity, "search", 0, "cpu")
    for number in range(18):
        torch.manual_seed(number)
        batch = torch.randperm(len(images))[:16]
        inputs, targets = images.inputs(images.pixels[batch]), images.targets[batch]
        step.take(inputs, targets, Moment(number // 3, number % 3, 3, 18))
    gates = step.gates()
    assert gates[EDGE].index(1.0) == PLANTED
    assert all(sorted(gate) == [0, 0, 0, 0, 1] for gate in gates.values())
    assert set(step.data()["course"]["gates"]) == set(supernet.sites)


def test_a_decision_between_equal_accuracies_goes_by_the_loss() -> None:
    """On a single image of validation, nearly all options are as accurate: the one without which the loss is
    highest stays, and not the first of them, which is no connection. With none left at all, the epoch ends
    like any other: its curvature is 0, where it died of a RuntimeError."""
    few = dataclasses.replace(gate_cases.TASK, validation=gate_cases.TASK.validation[:1])
    supernet, step = gate_cases.make_step(gate_cases.make_job("darts-pt", {"epochs": 4}, task=few))
    for number in range(4):
        gate_cases.take(step, number)
    kept = torch.ones(5, dtype=torch.bool)
    scores = [step._score(EDGE, kept, i) for i in range(5)]
    inputs, targets = step._validation.batch(0, 0)
    weights = step._inner.logits[EDGE].softmax(0) * (torch.arange(5) != PLANTED)
    supernet.mix(step._inner.make_mixtures() | {EDGE: Weighted(weights)})
    supernet.eval()
    with score_by_batch(supernet):
        loss = nn.functional.cross_entropy(supernet(inputs), targets)
    assert -scores[PLANTED][1] == pytest.approx(loss.item(), rel=1e-5)
    assert len({accuracy for accuracy, _ in scores}) == 1
    assert len({loss for _, loss in scores}) == 5
    step._decide(EDGE)
    assert step.gates()[EDGE].index(1.0) == scores.index(min(scores)) != 0
    supernet.train()
    step._inner.kept |= {site: torch.arange(5) == 0 for site in supernet.sites}
    assert math.isfinite(gate_cases.take(step, 0, 1))
    assert step.data()["course"]["eigenvalue"] == [0.0]


def test_decisions_on_cells_of_darts_keep_two_edges_of_each_node() -> None:
    """Fourteen edges of a cell would be many: of one of two nodes, five edges are decided, none of them for
    no connection, and the second node then loses one of its three."""
    space = DARTS(nodes=2, operations=("sep3x3", "skip"))
    job = gate_cases.make_job(
        "darts-pt", {"epochs": 2, "curvature": 0}, space, 2, skeleton={"filters": 2, "cells": 1}
    )
    supernet, step = gate_cases.make_step(job)
    inputs, targets = torch.randn(4, 2, 8, 8), torch.arange(4) % 3
    decided = len(list_decided(supernet))
    for epoch in range(2):
        step.take(inputs, targets, Moment(epoch, 0, 1, 2))
    gates = step.gates()
    assert decided == len(step._inner.kept) == 6
    assert gates["normal/node2/inputs"].count(0.5) == 2
    operations = [gate for name, gate in gates.items() if not name.endswith("inputs")]
    assert all(max(gate) == 1.0 and gate[-1] == 0.0 for gate in operations)


def test_options_that_a_stage_dropped_do_not_run() -> None:
    """Two of five operations are left on each edge: so many run on each fork, and gates give the others no
    probability; after dropped skips the loss is still finite."""
    kept = {site: [1, 3] for site in gate_cases.make_step(gate_cases.make_job("darts"))[0].sites}
    job = gate_cases.make_job("p-darts", {"kept": kept, "dropout": 0.5, "curvature": 0, "frozen": 9})
    supernet, step = gate_cases.make_step(job)
    forks = [m for m in supernet.modules() if isinstance(m, Fork) and m.gate]
    runs = count_runs(forks)
    assert torch.isfinite(gate_cases.take(step))
    assert len(runs) == 2 * len(forks)
    assert all(gate == [0, 0.5, 0, 0.5, 0] for gate in step.gates().values())


@pytest.mark.parametrize("method", ["p-darts", "drnas"])
def test_options_that_were_dropped_do_not_run_for_gates_and_curvature(method: str) -> None:
    """Of five operations two are left: in the pass of the gates, in that of the weights and in that of the
    curvature, the others run for no fork. A deep last stage would else take as much memory as a first one of
    that depth (Chen et al. 2019, Sec. 3.2)."""
    supernet, step = gate_cases.make_step(gate_cases.make_job(method, {"curvature": 1}))
    step.kept |= {site: torch.tensor([False, True, False, True, False]) for site in supernet.sites}
    ran: set[int] = set()
    for fork in (m for m in supernet.modules() if isinstance(m, Fork) and m.gate):
        for i, candidate in enumerate(fork.candidates):
            candidate.register_forward_hook(lambda *_, i=i: ran.add(i))
    assert torch.isfinite(gate_cases.take(step, 0, 1))
    assert step.data()["course"]["eigenvalue"][0] is not None
    assert ran == {1, 3}


def test_drnas_drops_options_between_its_stages() -> None:
    """Three of five are left from the second of two epochs on, with all of the probability; gates rest in
    the first epoch of each stage of two."""
    _, step = gate_cases.make_step(gate_cases.make_job("drnas", {"epochs": 4, "keep": 3, "rest": 1}))
    before = step.gates()
    for epoch in range(4):
        step.take(torch.randn(4, 2, 8, 8), torch.arange(4) % 3, Moment(epoch, 0, 1, 4))
        counts = {sum(p > 0 for p in gate) for gate in step.gates().values()}
        assert counts == ({5} if epoch < 2 else {3})
        if epoch == 0:
            assert step.gates() == before
    assert all(abs(sum(gate) - 1) < 1e-6 for gate in step.gates().values())


def test_gates_learn_in_one_step_of_every_five() -> None:
    """ProxylessNAS's schedule: in the first, then not in four."""
    _, step = gate_cases.make_step(gate_cases.make_job("proxylessnas", {"every": 5, "paths": 0}))
    changes = []
    for number in range(11):
        before = step.gates()
        gate_cases.take(step, number)
        changes.append(step.gates() != before)
    assert changes == [number % 5 == 0 for number in range(11)]


def test_the_expected_cost_is_the_mean_over_all_architectures() -> None:
    """At equal gates: of the multiply-accumulates of the candidates, over the cells that share a gate; a 3x3
    convolution costs nine of a 1x1. Its gradient lowers the dearest option most."""
    supernet, step = gate_cases.make_step(gate_cases.make_job("proxylessnas", {"cost": "macs"}))
    cells = sum(isinstance(m, nb201.Cell) for m in supernet.modules())
    costs = step._costs
    assert set(costs) == set(supernet.sites)
    sizes = {site: cost.tolist() for site, cost in costs.items()}
    assert all(size[3] == 9 * size[2] > 0 and size[0] == size[1] == size[4] == 0 for size in sizes.values())
    assert cells > 1
    logits = {site: torch.zeros(5, requires_grad=True) for site in costs}
    expected = step._cost.expect(logits).detach()
    assert float(expected) == pytest.approx(sum(sum(size) / 5 for size in sizes.values()))
    assert step.data()["cost"] == {"expected": float(expected), "target": float(expected)}
    (slope,) = torch.autograd.grad(step._cost.penalise(logits, Progress(0, 1)), [logits[EDGE]])
    assert slope.argmax() == PLANTED
    assert slope.sum().abs() < 1e-6


def test_the_cost_of_an_edge_in_a_sum_is_counted_once() -> None:
    """In cells of DARTS, whose two operands hold the same operations: what gates of ones and zeros expect is
    what the convolutions of the edges that they keep compute, counted as they run."""
    space = DARTS(nodes=2, operations=("sep3x3", "dilsep5x5", "skip"))
    job = gate_cases.make_job("proxylessnas", {"cost": "macs"}, space, skeleton={"filters": 2, "cells": 3})
    supernet, step = gate_cases.make_step(job)
    choices = {site: n % 4 for n, site in enumerate(step._costs)}
    logits = {site: 1e4 * nn.functional.one_hot(torch.tensor(i), 4).float() for site, i in choices.items()}
    edges = {name: Summed() for name, site in supernet.sites.items() if site.edges}
    counts = []
    for mixtures in ({s: Only(i) for s, i in choices.items()}, {s: Only(3) for s in choices}):
        supernet.eval().choose(supernet.whole)
        supernet.mix({**edges, **mixtures})
        counts.append(count_macs(supernet, torch.zeros(1, 2, 8, 8)))
    assert float(step._cost.expect(logits)) == counts[0] - counts[1] > 0


def count_macs(network: nn.Module, inputs: torch.Tensor) -> int:
    """Those of all convolutions that run."""
    counts, hooks = [], []

    def count(module: Any, _: Any, output: torch.Tensor) -> None:
        counts.append(module.weight[0].numel() * output.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(count))
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return sum(counts)


def test_a_cost_moves_the_others_by_itself_alone() -> None:
    """In the first step of Adam, whose size is the rate: of the five options of each edge the three that were
    not compared move by so much, and not by what the two that were have gained or lost."""
    job = gate_cases.make_job("proxylessnas", {"cost": "macs", "cost_weight": 100.0, "gate_rate": 0.1})
    _, step = gate_cases.make_step(job)
    gate_cases.take(step)
    for logit in step._inner.logits.values():
        assert int(((logit.abs() - 0.1).abs() < 1e-6).sum()) >= 3


def test_a_cost_turns_the_gates_away_from_what_is_dear() -> None:
    """Alone, after some steps: the 3x3 convolution is the least probable of each edge."""
    job = gate_cases.make_job("proxylessnas", {"cost": "macs", "cost_weight": 100.0, "gate_rate": 0.1})
    _, step = gate_cases.make_step(job)
    for number in range(6):
        gate_cases.take(step, number)
    assert all(min(range(5), key=lambda i, g=gate: g[i]) == PLANTED for gate in step.gates().values())


def test_forks_of_a_supernet_run_once_for_each_candidate() -> None:
    """A softmax mixture runs all but no connection; a sampled one runs a single one of each fork."""
    for method, expected in (("darts", 4), ("gdas", 1)):
        supernet, step = gate_cases.make_step(gate_cases.make_job(method, {"frozen": 9}))
        forks = [m for m in supernet.modules() if isinstance(m, Fork) and m.gate]
        runs = count_runs(forks)
        gate_cases.take(step)
        assert len(runs) == expected * len(forks)


def count_runs(forks: list[Fork]) -> list[int]:
    """A list that grows by one with each run of a candidate."""
    runs: list[int] = []
    for fork in forks:
        for candidate in fork.candidates:
            candidate.register_forward_hook(lambda *_: runs.append(1))
    return runs


def test_the_space_is_the_published_one() -> None:
    """The planted place is that of the convolution."""
    assert NASBench201.operations[PLANTED] == "nor_conv_3x3"
