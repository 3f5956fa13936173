"""The controller: its probabilities enumerated, its gradient against autograd, its samples counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from kinds import Kinds
from test_lstm import torchs

from cambrian.architecture import completions
from cambrian.architecture import sample as draw
from cambrian.policies import controller
from cambrian.policies.decisions import walk_of
from cambrian.policies.logits import SkipShare, Squash
from chance import assert_drawn
from mocks import Toy
from reseeding import stream


def policy_for(space, bound=1.0, layers=2, hidden=5, seed=0, bins=4):
    """A policy far from uniform that knows the space, and its architectures' walks."""
    walks = {a: walk_of(space, a, bins) for a in completions(space, {})}
    policy = controller.start(seed, layers, hidden, bound)
    return controller.add_rows(policy, [d for w in walks.values() for d, _ in w]), walks


def test_probabilities_are_those_of_a_tree():
    """Over all walks there are, one for each leaf, they add up to 1, whatever is legal where."""
    policy, walks = policy_for(Kinds())
    distinct = list(dict.fromkeys(walks.values()))
    logs = controller.read(policy, distinct).log_probability()
    # The walks that the space rejects are leaves too: narrow and one of the widths from 9 on.
    rejected = [(("kind", 0), ("width", i)) for i in range(4)]
    narrow = {w[1][1] for w in distinct if w[0][1] == 0}
    missing = [w for w in rejected if w[1][1] not in narrow]
    assert len(missing) == 1
    wide = next(w for w in distinct if w[0][1] == 1)
    leaf = tuple((wide[k][0], i) for k, (_, i) in enumerate(missing[0]))
    total = np.exp(logs).sum() + np.exp(controller.read(policy, [leaf]).log_probability()).sum()
    assert total == pytest.approx(1.0, abs=1e-12)


def test_a_walks_log_probability_is_the_sum_over_its_decisions():
    """Each given those before: the difference that one more decision makes. Walks of all lengths are
    judged together as alone."""
    policy, walks = policy_for(Kinds())
    distinct = list(dict.fromkeys(walks.values()))
    together = controller.read(policy, distinct)
    assert len({len(w) for w in distinct}) > 1
    for n, walk in enumerate(distinct):
        whole = controller.read(policy, [walk])
        parts = [whole.logs[0, t, taken] for t, (_, taken) in enumerate(walk)]
        assert together.log_probability()[n] == pytest.approx(sum(parts), abs=1e-12)
        assert together.entropies()[n].sum() == pytest.approx(whole.entropies().sum(), abs=1e-12)
        for t in range(1, len(walk)):
            begun = controller.read(policy, [walk[:t]]).log_probability()[0]
            assert begun == pytest.approx(sum(parts[:t]), abs=1e-12)


def test_only_legal_options_have_probability():
    """Exactly none: what is out of a full subset, and what a nearly empty one must take."""
    policy, walks = policy_for(Kinds())
    seen = 0
    for walk in walks.values():
        found = controller.read(policy, [walk])
        for t, (decision, _) in enumerate(walk):
            legal = np.array(decision.weights) > 0
            chance = np.exp(found.logs[0, t, : len(legal)])
            assert (chance > 0).tolist() == legal.tolist()
            assert chance.sum() == pytest.approx(1.0)
            seen += not legal.all()
    assert seen > 0


@pytest.mark.statistical
def test_it_samples_what_it_says():
    """Frequencies of samples against probabilities, which are far from even; a policy that learned nothing,
    with small weights, draws from the space's measure."""
    space = Toy(questions=2)
    policy, walks = policy_for(space)
    counts = Counter(controller.sample(policy, space, stream(0, "s", n), 4) for n in range(2000))
    chance = np.exp(controller.read(policy, list(walks.values())).log_probability())
    assert_drawn([counts[a] for a in walks], chance, unlike=[[1] * len(walks)])
    blank = controller.start(0, 1, 5, 1e-9)
    found = controller.read(
        controller.add_rows(blank, [d for w in walks.values() for d, _ in w]), [*walks.values()]
    )
    np.testing.assert_allclose(found.log_probability(), np.log(1 / 16), atol=1e-6)


@pytest.mark.parametrize(
    ("squash", "skips"), [(Squash(), SkipShare()), (Squash(5.0, 2.5, 1.5), SkipShare(0.3, 0.8))]
)
def test_the_gradient_is_autograds(squash, skips):
    """Of a random combination of log-probabilities and entropies, by every parameter; with bounded logits
    and a penalty of subsets alike."""
    policy, walks = policy_for(Kinds())
    policy = replace(policy, squash=squash)
    chosen = list(dict.fromkeys(walks.values()))[::5]
    assert {d.named for w in chosen for d, _ in w} == {True, False}
    assert len({d.path for w in chosen for d, _ in w if d.member}) > 2
    found, rng = controller.read(policy, chosen), stream(0, "slopes")
    by_log, by_entropy = rng.normal(size=len(chosen)), rng.normal(size=len(chosen))
    slope = controller.gradient(policy, found, by_log, by_entropy, skips)
    expected = _autograd(policy, chosen, by_log, by_entropy, skips)
    assert slope.keys() == policy.parameters.keys() == expected.keys()
    for name in slope:
        np.testing.assert_allclose(slope[name], expected[name], atol=1e-9, err_msg=name)


def _autograd(policy, walks, by_log, by_entropy, skips):
    """The same by torch, one walk at a time and with the illegal options left out."""
    lstm = torchs(policy.lstm())
    p = {k: torch.tensor(policy.parameters[k], requires_grad=True) for k in ("embedding", "weight", "bias")}
    total = torch.zeros((), dtype=torch.float64)
    for walk, a, b in zip(walks, by_log, by_entropy):
        taken = [policy.rows[d.path, d.options[i]] for d, i in walk]
        subsets = len({d.path.partition("[")[0] for d, _ in walk if d.member})
        said, _ = lstm(p["embedding"][[0, *taken[:-1]]][None])
        for h, row, (d, _) in zip(said[0], taken, walk):
            rows = [policy.rows[d.path, o] for o, w in zip(d.options, d.weights) if w > 0]
            weights = torch.tensor([w for w in d.weights if w > 0], dtype=torch.float64)
            logits = (p["weight"][rows] @ h + p["bias"][rows]) / policy.squash.temperature
            if policy.squash.tanh:
                reduce = policy.squash.tanh_reduce if d.options[0].startswith("'") else 1.0
                logits = policy.squash.tanh / reduce * logits.tanh()
            chance = torch.distributions.Categorical(logits=logits + weights.log())
            if d.member:
                shares = {"out": 1 - skips.target, "in": skips.target}
                targets = torch.tensor([shares[o] for o, w in zip(d.options, d.weights) if w > 0])
                divergence = (chance.probs * (chance.probs / targets).log()).sum()
                total = total - skips.weight * divergence / subsets / len(walks)
            total = total + a * chance.log_prob(torch.tensor(rows.index(row))) + b * chance.entropy()
    total.backward()
    names = {"weight_ih": "below", "weight_hh": "past", "bias_ih": "gates"}
    found = {k: t.grad.numpy() for k, t in p.items()}
    for k in range(policy.layers):
        found |= {f"{own}{k}": getattr(lstm, f"{name}_l{k}").grad.numpy().T for name, own in names.items()}
    return found


@pytest.mark.parametrize(("momentum", "epsilon"), [(0.9, 1e-8), (0.0, 1e-3)])
def test_adam_is_torchs(momentum, epsilon):
    """Ten steps up a moving gradient, ending where torch's Adam ends; also as in ENAS's released code."""
    policy, walks = policy_for(Toy(questions=2))
    batch, better = list(walks.values())[:3], np.array([1.0, -0.5, 0.2])
    there = {k: torch.tensor(a, requires_grad=True) for k, a in policy.parameters.items()}
    adam = torch.optim.Adam(there.values(), lr=0.01, betas=(momentum, 0.999), eps=epsilon)
    for _ in range(10):
        slope = controller.gradient(policy, controller.read(policy, batch), better, 0 * better)
        for name, t in there.items():
            t.grad = torch.tensor(-slope[name])
        adam.step()
        climb = lambda logs, _: (better, 0 * better)  # noqa: E731
        policy = controller.ascend(policy, batch, climb, 0.01, momentum=momentum, epsilon=epsilon)
    for name, t in there.items():
        np.testing.assert_allclose(policy.parameters[name], t.detach().numpy(), atol=1e-10)


def test_the_order_of_meeting_questions_changes_nothing():
    """Whatever a policy met first, its architectures are the same."""
    space = Kinds()
    policy, walks = policy_for(space)
    met = [d for w in walks.values() for d, _ in w]
    other = controller.add_rows(controller.start(0, 2, 5, 1.0), met[::-1])
    assert list(other.rows) != list(policy.rows)
    fresh = controller.start(0, 2, 5, 1.0)
    for n in range(20):
        drawn = {controller.sample(p, space, stream(0, "s", n), 4) for p in (policy, other, fresh)}
        assert len(drawn) == 1


@pytest.mark.slow
def test_threads_change_nothing():
    """A search of a policy wide enough for a BLAS library to share out, on one thread and on four."""
    program = (
        "from cambrian.strategies.reinforcement.ppo import PPO\n"
        "from landscapes import play, planted\n"
        "from mocks import Toy\n"
        "state = play(PPO(batch=4), Toy(questions=4), planted, 8)[1]\n"
        "import hashlib\n"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in state.policy.parameters.values())).hexdigest())\n"
    )
    said = set()
    for threads in "14":
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, threads), "PYTHONPATH": os.pathsep.join(sys.path)}
        said.add(
            subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout
        )
    assert len(said) == 1


def test_what_was_learned_is_no_longer_drawn_evenly():
    """Climbing one architecture's log-probability makes it likely; the policy climbed from stays."""
    space = Kinds()
    policy, walks = policy_for(space, bound=0.1)
    goal = walks[draw(space, stream(3, "goal"))]
    before = {name: a.copy() for name, a in policy.parameters.items()}
    climbed = policy
    for _ in range(60):
        climbed = controller.ascend(climbed, [goal], lambda logs, _: (np.ones(1), np.zeros(1)), 0.05)
    assert np.exp(controller.read(climbed, [goal]).log_probability()[0]) > 0.9
    assert all((policy.parameters[name] == a).all() for name, a in before.items())


def test_bounded_logits_leave_every_option_a_share():
    """However much was learned, that of logits as far apart as the bound allows: 1.5, and between names,
    reduced by 3, .5."""
    policy, walks = policy_for(Kinds(), bound=0.1)
    policy = replace(policy, squash=Squash(1.0, 1.5, 3.0))
    goal = walks[draw(Kinds(), stream(3, "goal"))]
    for _ in range(100):
        policy = controller.ascend(policy, [goal], lambda logs, _: (np.ones(1), np.zeros(1)), 0.2)
    found = controller.read(policy, [goal])
    for t, (decision, taken) in enumerate(goal):
        bound, weight = 0.5 if decision.named else 1.5, decision.weights[taken]
        others = (sum(decision.weights) - weight) * np.exp(-2 * bound)
        assert np.exp(found.logs[0, t, taken]) == pytest.approx(weight / (weight + others), abs=0.02)
    assert {d.named for d, _ in goal} == {True, False}


def test_skips_come_to_their_share():
    """Climbing the penalty alone, to the closed form's minimum: every free option of a subset is in with the
    wanted probability, where the divergence is 0."""
    policy, walks = policy_for(Kinds(), bound=0.1)
    chosen, skips = list(dict.fromkeys(walks.values()))[::5], SkipShare(0.25, 5.0)
    places = [
        (n, t)
        for n, walk in enumerate(chosen)
        for t, (d, _) in enumerate(walk)
        if d.member and min(d.weights) > 0
    ]
    before = [np.exp(controller.read(policy, chosen).logs[n, t, 1]) for n, t in places]
    for _ in range(150):
        policy = controller.ascend(policy, chosen, lambda logs, _: (0 * logs, 0 * logs), 0.03, skips)
    after = [np.exp(controller.read(policy, chosen).logs[n, t, 1]) for n, t in places]
    assert after == pytest.approx([0.25] * len(places), abs=0.02)
    assert max(before) > 0.5  # where they began
