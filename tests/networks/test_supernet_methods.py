"""Methods that train a supernet: which weights a step changes, and by how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from cambrian.architecture import sample
from cambrian.estimators.paths import Paths
from cambrian.networks.sharing.methods import SUPERNET_METHODS
from cambrian.networks.sharing.methods.enas import ENASStep, pack_policy, unpack_policy
from cambrian.networks.sharing.methods.extremes import find_extreme, rank_options
from cambrian.networks.sharing.methods.fair import FairLoss, list_fair_paths
from cambrian.networks.sharing.methods.path_dropout import drop_probability
from cambrian.networks.sharing.methods.sandwich import SandwichLoss
from cambrian.networks.sharing.switches import Fork
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.batches import images
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import HeadsLoss, Moment, Step
from cambrian.policies.controller import add_rows
from cambrian.policies.decisions import walk_of
from cambrian.policies.logits import SkipShare, Squash
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import PATHS, NASBench201
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape

SPACE = NASBench201()
OPERATIONS = SPACE.operations
RECIPE = Recipe(batch_size=4, schedule="constant", warmup=0.0, gradient_clip=0.0, weight_decay=1e-2)
DRAW = Paths(SPACE, {}, seed=0, identity=5)
INPUTS = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(3))
TARGETS = torch.tensor([0, 1, 2, 1])


def make_supernet() -> Any:
    """One in which operations run though the output does not depend on them."""
    torch.manual_seed(0)
    shares = SPACE.know(Shares)
    assert shares is not None
    return shares.share({}, Shape(channels=2, height=8, width=8, classes=3), filters=2, cells=1, whole=True)


def make_step(name: str, supernet: Any, recipe: Recipe | None = None, **arguments: Any) -> Step:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 2), dtype=np.uint8)
    part = images(pixels, np.arange(12) % 3, (0.5, 0.5), (0.2, 0.2))
    validation = BatchStream(part, Augment(), 3, (0, "validation"))
    method = SUPERNET_METHODS.make({"name": name, "arguments": arguments})
    step: Step = method.step(supernet, recipe or RECIPE, DRAW, validation)
    return step


def moment(number: int, length: int = 100) -> Moment:
    return Moment(0, number, length, length)


def count_runs(supernet: Any) -> tuple[Counter[tuple[str, int]], list[Any]]:
    """How often each candidate of each fork ran, from now on; and handles to end the count."""
    counts: Counter[tuple[str, int]] = Counter()
    handles = []
    for name, fork in supernet.named_modules():
        for place, candidate in enumerate(fork.candidates if isinstance(fork, Fork) else ()):

            def note(module: nn.Module, inputs: Any, output: Any, key: Any = (name, place)) -> None:
                counts[key] += 1

            handles.append(candidate.register_forward_hook(note))
    return counts, handles


def test_strict_fairness_is_exact() -> None:
    """After n steps each of the operations of each edge of each cell ran exactly n times; the fifth, none,
    gives nothing to be added, and is not run."""
    supernet = make_supernet()
    step = make_step("fair", supernet)
    counts, _ = count_runs(supernet)
    for n in range(1, 4):
        step.take(INPUTS, TARGETS, moment(n))
        assert len(counts) == 3 * 6 * 4
        assert set(counts.values()) == {n}


def test_fair_paths_are_permutations() -> None:
    """On every edge, the paths of a step are the operations in an order that changes with the step."""
    orders = set()
    for n in range(20):
        paths = list_fair_paths(DRAW, n, len(OPERATIONS))
        for edge in PATHS:
            assert sorted(path[edge] for path in paths) == sorted(OPERATIONS)
        orders.add(tuple(path[PATHS[0]] for path in paths))
    assert len(orders) > 10


def test_a_fair_gradient_is_the_sum_of_its_paths() -> None:
    """And the loss that is reported is their mean."""
    supernet = make_supernet().double().eval()  # without running statistics that change on the way
    inputs, loss = INPUTS.double(), HeadsLoss(make_loss(RECIPE))
    paths = list_fair_paths(DRAW, 7, len(OPERATIONS))
    expected: dict[str, Tensor] = {}
    losses = []
    for path in paths:
        supernet.zero_grad()
        supernet.choose(path)
        one = loss(supernet, inputs, TARGETS, moment(7))
        one.backward()
        losses.append(one.item())
        for name, p in supernet.named_parameters():
            if p.grad is not None:
                expected[name] = expected.get(name, torch.zeros_like(p)) + p.grad
    supernet.zero_grad()
    mean = FairLoss(loss, DRAW, len(OPERATIONS))(supernet, inputs, TARGETS, moment(7))
    mean.backward()
    assert mean.item() == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    assert set(expected) == {name for name, p in supernet.named_parameters() if p.grad is not None}
    for name, p in supernet.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, expected[name], rtol=1e-5, atol=1e-8)


def test_the_extremes_are_the_largest_and_the_smallest() -> None:
    """All 3x3 convolutions have the most multiply-accumulates of all; without any convolution there are
    none, and no weights either."""
    supernet = make_supernet()
    largest, smallest = (find_extreme(supernet, DRAW, (2, 8, 8), sign) for sign in (1, -1))
    assert set(largest.values()) == {"nor_conv_3x3"}
    assert not set(smallest.values()) & {"nor_conv_1x1", "nor_conv_3x3"}


def test_answers_open_from_the_dearest_on() -> None:
    """The largest architecture alone at first, then one answer more with each quarter of the rest; the same
    number always draws the same architecture."""
    supernet = make_supernet()
    ranked = rank_options(supernet, DRAW, (2, 8, 8))
    assert all(order[:2] == ["nor_conv_3x3", "nor_conv_1x1"] for order in ranked.values())
    step = make_step("once-for-all", supernet, first=0.2)
    for share, opened in ((0.1, 1), (0.2, 2), (0.45, 3), (0.65, 4), (1.0, 5)):
        drawn = [step.draw_path(n, share) for n in range(60)]  # type: ignore[attr-defined]
        for edge, order in ranked.items():
            assert {path[edge] for path in drawn} == set(order[:opened])
        assert drawn[7] == step.draw_path(7, share)  # type: ignore[attr-defined]


def test_the_teacher_is_the_trained_largest_and_learns_no_more() -> None:
    """It is copied when the first answer opens, stays bit for bit as it was, and is restored with the rest:
    a resumed training ends with the same weights."""
    whole = make_supernet()
    step = make_step("once-for-all", whole, first=0.5)
    for n in range(3):
        step.take(INPUTS, TARGETS, moment(n, length=4))
    weights = {k: v.clone() for k, v in step.state().items() if k.startswith("teacher.")}
    assert weights
    rest = make_supernet()
    rest.load_state_dict(whole.state_dict())
    other = make_step("once-for-all", rest, first=0.5)
    other.restore({k: v.clone() for k, v in step.state().items()})
    for each in (step, other):
        each.take(INPUTS, TARGETS, moment(3, length=4))
    for name, parameter in whole.named_parameters():
        assert torch.equal(step.state()[f"teacher.{name}"], weights[f"teacher.{name}"])
        assert torch.equal(parameter, rest.get_parameter(name))


def test_the_sandwich_sums_labels_of_the_largest_and_what_it_teaches() -> None:
    """The gradient is that of the largest's loss plus those of the others' distances from its logits, which
    are constants there; the value is the largest's loss alone."""
    supernet = make_supernet().double().eval()
    inputs, loss = INPUTS.double(), HeadsLoss(make_loss(RECIPE))
    largest, smallest = SPACE.architecture((3,) * 6), SPACE.architecture((1,) * 6)
    supernet.choose(largest)
    teacher = supernet(inputs)
    total = make_loss(RECIPE)(teacher, TARGETS)
    expected_value = total.item()
    for path in (DRAW(14), DRAW(15), smallest):  # step 7 of two random ones each
        supernet.choose(path)
        total = total - (teacher.detach().softmax(1) * supernet(inputs).log_softmax(1)).sum(1).mean()
    names = [n for n, p in supernet.named_parameters() if p.requires_grad]
    parameters = [supernet.get_parameter(n) for n in names]
    expected = torch.autograd.grad(total, parameters, allow_unused=True)
    supernet.zero_grad()
    value = SandwichLoss(loss, DRAW, largest, smallest, 2)(supernet, inputs, TARGETS, moment(7))
    value.backward()
    assert value.item() == pytest.approx(expected_value, rel=1e-6)
    for parameter, gradient in zip(parameters, expected, strict=True):
        # Logits of the teacher and of its pupils are compared in 32 bits.
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        wanted = torch.zeros_like(parameter) if gradient is None else gradient
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimiser", ["sgd", "muon"])
@pytest.mark.parametrize(("name", "arguments"), [("uniform", {}), ("path-dropout", {"rate": 0.9})])
def test_candidates_that_do_not_run_keep_weights_and_momentum(
    name: str, arguments: Any, optimiser: str
) -> None:
    """Bit for bit, in spite of weight decay; those that run change."""
    supernet = make_supernet()
    step = make_step(name, supernet, replace(RECIPE, optimiser=optimiser), **arguments)
    for n in range(90, 96):
        step.take(INPUTS, TARGETS, moment(n))
    counts, handles = count_runs(supernet)
    names = [n for n, p in supernet.named_parameters() if p.requires_grad]
    weights = {n: p.detach().clone() for n, p in supernet.named_parameters()}
    momenta = {k: v.clone() for k, v in step.state().items()}
    step.take(INPUTS, TARGETS, moment(97))
    for handle in handles:
        handle.remove()
    ran = tuple(f"{fork}.candidates.{place}." for fork, place in counts)
    idle = [n for n in names if ".candidates." in n and not n.startswith(ran)]
    assert idle
    for n in idle:
        assert torch.equal(weights[n], supernet.get_parameter(n).detach())
        key = f"{names.index(n)}.momentum_buffer"
        assert key not in momenta or torch.equal(momenta[key], step.state()[key])
    moved = [n for n in names if n.startswith(ran) and not torch.equal(weights[n], supernet.get_parameter(n))]
    assert moved


def test_the_probability_of_dropping_all_is_the_rate() -> None:
    """For every number of candidates (Bender et al. 2018)."""
    for count in (1, 2, 4, 5, 8):
        assert drop_probability(0.05, count) ** count == pytest.approx(0.05)
    assert drop_probability(0.0, 3) == 0.0


def test_paths_are_uniform() -> None:
    """The operations of each edge over 500 paths, by chi-square; with this seed none of six is below .01."""
    drawn = [DRAW(n) for n in range(500)]
    for edge in PATHS:
        counts = Counter(path[edge] for path in drawn)
        assert chisquare([counts[o] for o in OPERATIONS]).pvalue > 0.01
    assert drawn[7] == DRAW(7)


def make_enas(**arguments: Any) -> ENASStep:
    step = make_step("enas", make_supernet(), updates=2, samples=3, drawn=4, **arguments)
    assert isinstance(step, ENASStep)
    return step


def test_a_restored_controller_is_the_one_that_was_saved() -> None:
    """It draws the same architectures, and learns on alike."""
    step = make_enas()
    step.take(INPUTS, TARGETS, moment(0, length=1))
    again = make_enas()
    again._supernet.load_state_dict(step._supernet.state_dict())
    again.restore({k: v.clone() for k, v in step.state().items()})
    assert again.data() == step.data()
    for each in (step, again):
        each.take(INPUTS, TARGETS, Moment(1, 0, 1, 2))
    packed, unpacked = pack_policy(step._policy, step._baseline), pack_policy(again._policy, again._baseline)
    assert all(torch.equal(v, unpacked[k]) for k, v in packed.items())
    assert unpack_policy(step._policy, packed)[0].rows == step._policy.rows


def test_a_controller_learns_which_operation_pays() -> None:
    """Where the reward is the share of edges with one operation, its draws come to have it: from a fifth to
    more than half."""
    step = make_enas(lr=0.02)
    step._score = lambda path, number: count_conv(path) / 6  # type: ignore[method-assign]
    for update in range(60):
        step._climb(update)
    rng = stream(0, "draws")
    from cambrian.policies import controller

    drawn = [controller.sample(step._policy, DRAW, rng, 16) for _ in range(30)]
    assert np.mean([count_conv(path) / 6 for path in drawn]) > 0.5


def test_a_controllers_logits_are_bounded_and_its_skips_pulled() -> None:
    """By the method's settings, in every step of its own, and after a checkpoint."""
    given = {"temperature": 5.0, "tanh": 2.5, "tanh_reduce": 2.0, "skip_weight": 0.8, "skip_target": 0.3}
    step = make_enas(**given)
    assert (step._policy.squash, step._skips) == (Squash(5.0, 2.5, 2.0), SkipShare(0.3, 0.8))
    step._score = lambda path, number: 0.5  # type: ignore[method-assign]
    step._climb(0)
    again = make_enas(**given)
    again.restore({k: v.clone() for k, v in step.state().items()})
    assert again._policy.squash == step._policy.squash == Squash(5.0, 2.5, 2.0)


def test_a_controller_learns_by_the_adam_of_its_method() -> None:
    """In the first step, whose moments are the gradient and its square, by lr g / (|g| + epsilon): with the
    epsilon of the released code far less than the rate wherever the gradient is small."""
    moves = {}
    for epsilon in (1e-8, 1e-3):
        step = make_enas(momentum=0.0, epsilon=epsilon, lr=0.01)
        step._score = lambda path, number: number / 3  # type: ignore[method-assign]
        step._policy = add_rows(step._policy, [d for d, _ in walk_of(step._walks, DRAW(0), 16)])
        before = step._policy.parameters["gates0"].copy()
        step._climb(0)
        slope = step._policy.first["gates0"]
        moves[epsilon] = step._policy.parameters["gates0"] - before
        np.testing.assert_allclose(moves[epsilon], 0.01 * slope / (abs(slope) + epsilon), rtol=1e-6)
    assert abs(moves[1e-3]).mean() < 0.5 * abs(moves[1e-8]).mean()


def count_conv(path: Mapping[str, Any]) -> int:
    return sum(answer == "nor_conv_3x3" for answer in path.values())


def test_favoured_options_begin_with_more_weight() -> None:
    """Off by default: an untrained controller draws all alike; with it, about 2.56 times as often."""
    shares = []
    for favoured in ((), ("nor_conv_3x3",)):
        step = make_enas(favoured=list(favoured))
        rng = stream(1, "draws")
        from cambrian.policies import controller

        drawn = [controller.sample(step._policy, step._walks, rng, 16) for _ in range(60)]
        shares.append(np.mean([count_conv(path) / 6 for path in drawn]))
    assert shares[0] == pytest.approx(0.2, abs=0.06)
    assert shares[1] == pytest.approx(2.56 / 6.56, abs=0.08)


def test_walks_of_a_supernet_have_its_outer_answers() -> None:
    """Whatever decides the other ones."""
    fixed = {PATHS[0]: "skip_connect"}
    paths = Paths(SPACE, fixed, seed=0, identity=1)
    rng = stream(2, "walk")
    assert all(paths.walk(lambda choice: choice.draw(rng))[PATHS[0]] == "skip_connect" for _ in range(5))
    assert sample(paths, rng)[PATHS[0]] == "skip_connect"
