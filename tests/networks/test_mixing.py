"""Gates as values: what a fork makes of its candidates, against formulas."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.operations import Zero
from cambrian.networks.sharing.methods.drnas import concentrate, find_mean
from cambrian.networks.sharing.methods.gate_rules import Progress
from cambrian.networks.sharing.methods.gdas import GDAS, sample_straight
from cambrian.networks.sharing.methods.maskconnect import draw_active, find_shares
from cambrian.networks.sharing.methods.proxylessnas import keep_others, sample_all, sample_two
from cambrian.networks.sharing.methods.sdarts_rs import SDARTSRS, perturb
from cambrian.networks.sharing.methods.snas import sample_soft
from cambrian.networks.sharing.mixing import Candidates, Masked, Mixture, Straight, Summed, Weighted
from cambrian.networks.sharing.switches import Fork

torch_double = torch.float64


def fork(options: int = 3, width: int = 4) -> Fork:
    """Convolutions of seeded weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        modules = [nn.Conv2d(width, width, 3, padding=1, dtype=torch_double) for _ in range(options)]
    return Fork("op", range(options), modules)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch_double, generator=torch.Generator().manual_seed(8))


def outputs(switch: Fork, x: Tensor) -> list[Tensor]:
    return [c(x).detach() for c in switch.candidates]


def slope(switch: Fork, mixture: Mixture, logit: Tensor) -> Tensor:
    """The gradient of the logits where the output's gradient is `draw(2, 4, 5, 5)`."""
    switch.mixture = mixture
    output = switch(draw(2, 4, 5, 5))
    (gradient,) = torch.autograd.grad(output, [logit], grad_outputs=draw(*output.shape))
    return gradient


def test_the_mixture_of_equal_operations_is_the_operation() -> None:
    """Whatever the weights, which sum to 1."""
    switch, x = fork(), draw(2, 4, 5, 5)
    for candidate in switch.candidates:
        candidate.load_state_dict(switch.candidates[0].state_dict())
    switch.mixture = Weighted(draw(3).softmax(0))
    torch.testing.assert_close(switch(x), switch.candidates[0](x), rtol=1e-12, atol=1e-12)


def test_no_connection_costs_nothing_and_gives_zeros() -> None:
    """It does not run where something else does."""
    zero = Zero(4, 4, 1)
    modules = [zero, nn.Identity()]
    x = draw(1, 4, 2, 2)
    zero.register_forward_hook(lambda *_: pytest.fail("it runs"))
    mixed = Weighted(torch.tensor([0.4, 0.6], dtype=torch_double))(Candidates("op", modules, [(x,)] * 2))
    torch.testing.assert_close(mixed, 0.6 * x)
    plain = [Zero(4, 4, 1), nn.Identity()]
    alone = Weighted(torch.tensor([1.0, 0.0]))(Candidates("op", plain, [(x,)] * 2))
    assert torch.equal(alone, torch.zeros_like(x))


def test_what_passes_through_a_sum_has_no_hooks() -> None:
    """They would stay on a caller's own tensor, one more in each pass."""
    leaf = torch.randn(2, 4, 8, 8, requires_grad=True)
    for x in (leaf, leaf * 1):
        for _ in range(2):
            assert Summed()(Candidates("in", [nn.Identity()], [(x,)])) is x
        assert not x._backward_hooks


def test_candidates_of_other_shapes_are_refused_in_a_sentence() -> None:
    """The sentence names the question and both shapes."""
    switch = Fork("op", "ab", [nn.Identity(), nn.AvgPool2d(2)])
    switch.mixture = Weighted(torch.ones(2))
    with pytest.raises(UsageError, match=r"question 'op': its candidates give outputs .* \[1, 4, 4, 4\] and"):
        switch(torch.zeros(1, 4, 4, 4))


@pytest.mark.parametrize("others", [True, False])
def test_gdas_forwards_one_and_learns_by_the_softmax(others: bool) -> None:
    """The output is the chosen candidate's own, exactly; dL/da = (diag p - p p') / tau v, where v is the
    inner product with the output for the chosen one and, as released, the sum of gradients for the others."""
    switch, tau = fork(), 0.7
    logit = draw(3).requires_grad_()
    torch.manual_seed(2)
    straight = sample_straight(logit, tau, others)
    torch.manual_seed(2)
    noise = -torch.empty(3, dtype=torch_double).exponential_().log()
    p = ((logit.detach() + noise) / tau).softmax(0)
    x, results = draw(2, 4, 5, 5), outputs(switch, draw(2, 4, 5, 5))
    switch.mixture = straight
    assert torch.equal(switch(x).detach(), results[straight.chosen])
    assert straight.chosen == int(p.argmax())
    g = draw(*results[0].shape)
    v = torch.full((3,), float(g.sum()) if others else 0.0, dtype=torch_double)
    v[straight.chosen] = (g * results[straight.chosen]).sum()
    expected = (torch.diag(p) - torch.outer(p, p)) @ v / tau
    torch.testing.assert_close(slope(switch, straight, logit), expected)


def test_gdas_cools_from_ten_to_a_tenth() -> None:
    """tau = 10 - 9.9 e / (E - 1)."""
    taus = [GDAS(epochs=12).temperature(Progress(epoch, 12)) for epoch in range(12)]
    assert taus == pytest.approx([10 - 9.9 * e / 11 for e in range(12)])


def test_binary_gates_learn_by_all_paths() -> None:
    """dL/da_i = sum_j <dL/dout, o_j> p_j (delta_ij - p_i), which automatic differentiation of the softmax
    mixture's linear form gives as well."""
    switch, logit = fork(), draw(3).requires_grad_()
    torch.manual_seed(1)
    found = slope(switch, sample_all(logit), logit)
    g, results = draw(2, 4, 5, 5), outputs(switch, draw(2, 4, 5, 5))
    inner = torch.stack([(g * o).sum() for o in results])
    (expected,) = torch.autograd.grad((logit.softmax(0) * inner).sum(), [logit])
    torch.testing.assert_close(found, expected)


def test_masks_sum_the_active_inputs_and_teach_all_gates() -> None:
    """The value is the plain sum of the two that are drawn; a gate's gradient is that of the shares' linear
    form, in which an input that was not drawn counts as well."""
    switch, gate = fork(), torch.tensor([0.2, 0.5, 0.9], dtype=torch_double, requires_grad=True)
    torch.manual_seed(1)
    active = draw_active(gate, 2)
    found = slope(switch, Masked(find_shares(gate), active), gate)
    results = outputs(switch, draw(2, 4, 5, 5))
    torch.testing.assert_close(switch(draw(2, 4, 5, 5)), sum(results[i] for i in active))
    inner = torch.stack([(draw(2, 4, 5, 5) * o).sum() for o in results])
    (expected,) = torch.autograd.grad((find_shares(gate) * inner).sum(), [gate])
    torch.testing.assert_close(found, expected)


def test_masks_are_drawn_without_replacement_by_their_gates() -> None:
    """Each pair as often as p_i p_j (1 / (1 - p_i) + 1 / (1 - p_j)) says; in 4,000 draws of a fixed seed."""
    gate = torch.tensor([0.2, 0.3, 0.5])
    torch.manual_seed(2)
    drawn = Counter(draw_active(gate, 2) for _ in range(4000))
    for pair in ((0, 1), (0, 2), (1, 2)):
        p, q = (float(gate[i]) for i in pair)
        expected = p * q * (1 / (1 - p) + 1 / (1 - q))
        # Five standard deviations of a share.
        assert abs(drawn[pair] / 4000 - expected) < 5 * (0.25 / 4000) ** 0.5


def test_two_paths_learn_by_the_choice_between_them() -> None:
    """The third logit has no gradient; the two have that of their own softmax."""
    switch, logit = fork(), draw(3).requires_grad_()
    torch.manual_seed(4)
    mixture = sample_two(logit)
    found = slope(switch, mixture, logit)
    two = list(mixture.compared)
    g, results = draw(2, 4, 5, 5), outputs(switch, draw(2, 4, 5, 5))
    inner = torch.stack([(g * results[i]).sum() for i in two])
    (expected,) = torch.autograd.grad((logit[two].softmax(0) * inner).sum(), [logit])
    torch.testing.assert_close(found, expected)
    assert mixture.chosen in two
    assert len(set(two)) == 2


def test_the_others_keep_their_probability() -> None:
    """Logits .2 and -.1, moved by .05 and -.02, become .22919 and -.14081: their exponentials still sum to
    2.12624. The third one, which a cost has moved, is not theirs to make up for."""
    before = {"op": torch.tensor([0.2, -0.1, 0.7], dtype=torch_double)}
    after = {"op": torch.tensor([0.25, -0.12, 0.65], dtype=torch_double)}
    keep_others({"op": (0, 1)}, before, after)
    expected = torch.tensor([0.22919, -0.14081, 0.65], dtype=torch_double)
    torch.testing.assert_close(after["op"], expected, rtol=0, atol=1e-5)
    assert float(after["op"][:2].exp().sum()) == pytest.approx(2.12624, abs=1e-5)


@pytest.mark.parametrize("tau", [0.05, 1.0, 5.0])
def test_concrete_samples_are_as_frequent_as_the_softmax_says(tau: float) -> None:
    """The largest part of 4,000 samples, within four standard errors, at every temperature; the sample is
    nearly one-hot at a low one."""
    torch.manual_seed(0)
    logit = torch.tensor([0.0, 1.0, -0.5])
    samples = torch.stack([sample_soft(logit, tau) for _ in range(4000)])
    shares = torch.bincount(samples.argmax(1), minlength=3) / 4000
    p = logit.softmax(0)
    assert ((shares - p).abs() < 4 * (p * (1 - p) / 4000).sqrt()).all()
    if tau == 0.05:
        assert float(samples.max(1).values.mean()) > 0.95


def test_perturbed_weights_are_mixing_weights_moved_and_not_logits() -> None:
    """In the last epoch an eighth is moved by up to .3, as in the released code: many weights are 0, and all
    sum to 1. A logit moved by .3 would leave all of them between .07 and .2. Gates learn unperturbed."""
    method, logits = SDARTSRS(epochs=2), {"edge": torch.zeros(8)}
    torch.manual_seed(0)
    weights = torch.stack(
        [method.relax(logits, Progress(1, 2, learning=False))["edge"].weights for _ in range(500)]
    )
    torch.testing.assert_close(weights.sum(1), torch.ones(500))
    # P(1/8 + u < 0) for u in U(-.3, .3).
    assert abs(float((weights == 0).double().mean()) - 0.175 / 0.6) < 0.03
    assert float(weights.max()) > 0.3
    learning = method.relax(logits, Progress(1, 2))["edge"].weights
    assert torch.equal(learning, torch.full((8,), 0.125))
    torch.testing.assert_close(perturb(torch.tensor([0.2, 0.8]), 0.0), torch.tensor([0.2, 0.8]))


def test_dirichlet_weights_have_the_stated_mean() -> None:
    """Logits 1, 0, -1: concentrations 2, 1, .367879, means .593845, .296923, .109232."""
    logit = torch.tensor([1.0, 0.0, -1.0])
    torch.testing.assert_close(concentrate(logit), torch.tensor([2.0, 1.0, 0.367879]), rtol=0, atol=1e-6)
    expected = torch.tensor([0.593845, 0.296923, 0.109232])
    torch.testing.assert_close(find_mean(logit), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["gdas", "two paths"])
def test_memory_is_flat_in_the_number_of_operations(kind: str) -> None:
    """The numbers saved for the backward pass are those of one path, of 3 candidates as of 12; a softmax
    mixture's grow with them."""
    sizes = {n: {k: _saved(n, k) for k in (kind, "softmax")} for n in (3, 12)}
    assert sizes[12][kind] - sizes[3][kind] < 100  # the logits' own
    assert sizes[12]["softmax"] > 3.5 * sizes[3]["softmax"]


def _saved(options: int, kind: str) -> int:
    switch, total = fork(options), 0
    logit = torch.zeros(options, dtype=torch_double, requires_grad=True)
    torch.manual_seed(0)
    switch.mixture = {
        "gdas": lambda: sample_straight(logit, 1.0, True),
        "two paths": lambda: sample_two(logit),
        "softmax": lambda: Weighted(logit.softmax(0)),
    }[kind]()

    def pack(tensor: Tensor) -> Tensor:
        nonlocal total
        # Weights are in memory anyway, and are not counted.
        total += 0 if isinstance(tensor, nn.Parameter) else tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        switch(draw(2, 4, 5, 5))
    return total


def test_straight_weights_do_not_change_the_value() -> None:
    """1 + (p - p) is exactly 1."""
    mixture = sample_straight(torch.randn(7, requires_grad=True), 0.3, True)
    assert isinstance(mixture, Straight)
    assert float(mixture.weights[mixture.chosen].detach()) == 1.0
    assert float(mixture.weights.sum().detach()) == 1.0
