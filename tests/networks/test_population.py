"""A population: several networks trained as one, against the same networks trained one by one."""

from __future__ import annotations

import copy
import dataclasses
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cambrian.architecture import sample
from cambrian.errors import UsageError
from cambrian.networks.population import step, training
from cambrian.networks.population.lanes import Lanes
from cambrian.networks.population.step import PopulationStep
from cambrian.networks.population.training import Population
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images
from cambrian.networks.training.precision import choose_precision
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.scoring import scores
from cambrian.networks.training.step import GradientStep, Moment
from cambrian.networks.training.trainer import Training
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS
from cambrian.spaces.program.function_space import Shape

SHAPE = (1, 8, 8)


def make_cells(skeleton=None):
    """Networks of four cells that together have all eight operations, two of them with equal operations."""
    space = PNAS()
    token = {name: n for n, name in enumerate(OPERATIONS)}
    blocks = [
        [(0, 1, token["sep3x3"], token["identity"]), (2, 1, token["dil3x3"], token["max3x3"])],
        [(1, 1, token["sep3x3"], token["sep3x3"])],
        [(0, 0, token["sep5x5"], token["avg3x3"]), (2, 2, token["conv1x7-7x1"], token["identity"])],
        [(0, 1, token["sep7x7"], token["max3x3"])],
    ]
    return [build(space, space.architecture(cell), n, skeleton) for n, cell in enumerate(blocks)]


def build(space, architecture, seed, skeleton=None):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = Shape(*SHAPE, 3)
        return space.build(architecture, shape, **(skeleton or {"filters": 4, "cells": 2}))


def plain_loss(network, inputs, targets, moment):
    """The cross-entropy in the inputs' own precision."""
    output = network(inputs)
    heads = output if isinstance(output, tuple) else (output,)
    first, *others = (F.cross_entropy(logits, targets) for logits in heads)
    return first + 0.4 * sum(others)


def train_both(networks, recipes, dtype=torch.float64, steps=20):
    """The networks after common steps as a population, and copies of them after the same steps one by one."""
    together = [network.to(dtype) for network in networks]
    alone = copy.deepcopy(together)
    lanes = Lanes(together, SHAPE).train()
    step = PopulationStep(lanes, recipes)
    single = [GradientStep(n.train(), r, plain_loss) for n, r in zip(alone, recipes, strict=True)]
    rng = torch.Generator().manual_seed(0)
    for number in range(steps):
        inputs = torch.randn(6, *SHAPE, generator=rng).to(dtype)
        targets = torch.randint(0, 3, (6,), generator=rng)
        moment = Moment(0, number, steps, steps)
        step.take(inputs, targets, moment)
        for each in single:
            each.take(inputs, targets, moment)
    return together, alone


def largest_difference(together, alone):
    pairs = zip(together, alone, strict=True)
    tensors = (zip(a.state_dict().values(), b.state_dict().values(), strict=True) for a, b in pairs)
    return max(float((a - b).detach().abs().max()) for pair in tensors for a, b in pair)


@pytest.mark.parametrize(
    ("settings", "steps"), [({}, 20), ({"optimiser": "adamw", "learning_rate": 0.002}, 4)]
)
def test_a_population_is_its_networks_one_by_one(settings, steps):
    """Four cells with all operations of PNAS's space, each at a rate and on a schedule of its own, have after
    20 steps of SGD, or 4 of AdamW, the weights, statistics and counters of trainings one by one: the
    difference is rounding (observed: 1e-15). The gradients are clipped in each lane by its own norm."""
    recipe = Recipe(gradient_clip=1.0, **settings)
    shapes = ("cosine", "linear", "constant", "trapezoid")
    recipes = [
        dataclasses.replace(recipe, schedule=shape, learning_rate=recipe.learning_rate * (n + 1) / 4)
        for n, shape in enumerate(shapes)
    ]
    assert largest_difference(*train_both(make_cells(), recipes, steps=steps)) < 1e-10


def test_single_precision_agrees_as_long_as_rounding_does():
    """In float32 and at small rates the same holds within 1e-5 (at large ones, rounding grows with each step
    by itself)."""
    recipes = [Recipe(learning_rate=1e-3, warmup=0.0)] * 2
    assert largest_difference(*train_both(make_cells()[:2], recipes, torch.float32)) < 1e-5


@pytest.mark.parametrize("space", ["nasbench201", "darts", "stages"])
def test_other_spaces_train_together_too(space):
    """Random networks of other spaces, whose layers the population does not all know: those run alone."""
    made = SPACES.make(space)
    networks = [build(made, sample(made, stream(n, "population")), n, {"filters": 4}) for n in range(2)]
    assert largest_difference(*train_both(networks, [Recipe(learning_rate=0.05)] * 2, steps=3)) < 1e-10


def test_the_auxiliary_head_trains_along():
    """A network with two heads has the loss of both."""
    networks = make_cells({"filters": 4, "cells": 2, "auxiliary": True})[:2]
    assert largest_difference(*train_both(networks, [Recipe(learning_rate=0.05)] * 2, steps=3)) < 1e-10


def test_calls_run_in_groups():
    """Eight copies of a network need as many calls as one."""
    networks = [make_cells()[0] for _ in range(8)]
    assert Lanes(networks, SHAPE).calls == Lanes(networks[:1], SHAPE).calls


def make_images(n=64):
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (n, 8, 8, 1), generator=rng, dtype=torch.uint8)
    targets = torch.arange(n) % 3
    return Images(pixels, targets, torch.tensor([0.5]), torch.tensor([0.3]))


def make_population(networks, epochs=2, **settings):
    recipe = Recipe(learning_rate=0.01, batch_size=16, **settings)
    return Population(networks, make_images(), recipe, Augment(1, flip=True), epochs, seed=3, trial="cells")


def test_a_population_sees_the_batches_of_a_training():
    """Losses and scores of an epoch are those of a `Training` of the same seed and name."""
    networks = make_cells()
    recipe = Recipe(learning_rate=0.01, batch_size=16)
    alone = copy.deepcopy(networks[2])
    training = Training(alone, make_images(), recipe, Augment(1, flip=True), 2, seed=3, trial="cells")
    population = make_population(networks)
    assert population.run_epoch()[2] == pytest.approx(training.run_epoch(), abs=1e-4)
    score = population.score(make_images(), 48)[2]
    # The network in the lane has the present weights, so that the usual scores are the oracle.
    whole = scores(networks[2], make_images(), 64)
    assert score == pytest.approx({name: whole[name] for name in score}, abs=1e-5)


@pytest.mark.parametrize("groups", [1, 4])
def test_a_population_has_the_precision_of_its_networks_alone(groups, monkeypatch):
    """On a CPU bfloat16 for dense convolutions and 32 bits for others, as in the training of one; scores in
    32 bits."""
    asked = []

    def note(device, precision="auto"):
        asked.append(precision)
        return nullcontext()

    monkeypatch.setattr(step, "half_precision", note)
    monkeypatch.setattr(training, "half_precision", note)
    networks = [
        nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, groups=groups), nn.Flatten(), nn.Linear(144, 3))
        for _ in range(2)
    ]
    population = make_population(networks, precision="bfloat16")
    population.run_epoch()
    population.score(make_images(), 64)
    alone = choose_precision(networks[0], "bfloat16", torch.device("cpu"))
    assert asked == [alone] * 4 + ["auto"]
    assert alone == ("bfloat16" if groups == 1 else "float32")


def test_a_population_resumes_bit_for_bit():
    """A population that is restored from the state after an epoch ends with the same weights."""
    whole, first, second = (make_population(make_cells()[:2], optimiser="adamw") for _ in range(3))
    for _ in range(2):
        whole.run_epoch()
    first.run_epoch()
    second.training.restore(*first.training.state())
    second.run_epoch()
    assert largest_difference(whole.lanes.networks, second.lanes.networks) == 0


def test_a_lost_lane_does_not_disturb_the_others():
    """Where one network's loss is not a number, the others train as they would without that."""
    networks, others = make_cells(), make_cells()
    with torch.no_grad():
        networks[1].linear.bias.fill_(torch.nan)
    population, healthy = make_population(networks), make_population(others)
    losses, expected = population.run_epoch(), healthy.run_epoch()
    assert losses[1] != losses[1]
    assert [losses[n] for n in (0, 2, 3)] == [expected[n] for n in (0, 2, 3)]


class Branching(nn.Module):
    """A network whose forward depends on the values of its input."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 3)

    def forward(self, x):
        return self.linear(x.flatten(1) if x.sum() > 0 else -x.flatten(1))


class Repeated(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 3)

    def forward(self, x):
        return self.linear(self.convolution(self.convolution(x)).flatten(1))


def test_what_cannot_train_together_is_refused():
    """One sentence says which network or setting it is."""
    cells = make_cells()
    with pytest.raises(UsageError, match="network 2 of the population cannot be traced"):
        Lanes([cells[0], Branching()], SHAPE)
    with pytest.raises(UsageError, match="network 1 of the population runs its module convolution twice"):
        Lanes([Repeated()], SHAPE)
    with pytest.raises(UsageError, match="at least one network"):
        Lanes([], SHAPE)
    with pytest.raises(UsageError, match="network 1 of the population drops paths"):
        Lanes(make_cells({"filters": 4, "cells": 2, "drop_path": 0.2}), SHAPE)
    lanes = Lanes(cells, SHAPE)
    with pytest.raises(UsageError, match="4 networks needs as many recipes, got 1"):
        PopulationStep(lanes, [Recipe()])
    with pytest.raises(UsageError, match=r"momentum = 0\.9 and 0\.5"):
        PopulationStep(lanes, [Recipe()] * 3 + [Recipe(momentum=0.5)])
    with pytest.raises(UsageError, match="images of a population do not grow"):
        PopulationStep(lanes, [Recipe(first_resolution=0.5)] * 4)
