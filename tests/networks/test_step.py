"""Other steps in the same loop: a path drawn for each step, the sandwich rule, weights and gates by turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_continuation import some_images
from torch import Tensor, nn

from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.switches import Fork
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.losses import CrossEntropy, Distillation
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step
from cambrian.networks.training.trainer import Training
from cambrian.randomness import stream

RECIPE = Recipe(batch_size=8, learning_rate=0.05, schedule="restarts", decay_epochs=1.0, warmup=0.0)
OPTIONS = ("a", "b", "c")


class Forked(nn.Module):
    """A convolution of three kinds, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        kinds = [nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 4, 1), nn.Conv2d(2, 4, 5, padding=2)]
        self.fork = Fork("kind", OPTIONS, kinds)
        self.rest = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.rest(self.fork(x))
        return out


def drawn_path(network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
    """The loss of one path, drawn for the step (SPOS, Guo et al. 2020, Sec. 3.2)."""
    assert isinstance(network, Forked)
    network.fork.choose({"kind": OPTIONS[int(torch.randint(3, ()))]})
    return HeadsLoss(CrossEntropy())(network, inputs, targets, moment)


def sandwich(network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
    """The largest path learns the labels, the smallest and one drawn learn from the largest (BigNAS, Yu et
    al. 2020, Sec. 3.2)."""
    assert isinstance(network, Forked)
    network.fork.choose({"kind": "c"})
    teacher = network(inputs)
    loss = CrossEntropy()(teacher, targets)
    for option in ("b", OPTIONS[int(stream(0, "path", moment.done).integers(3))]):
        network.fork.choose({"kind": option})
        loss = loss + Distillation()(network(inputs), teacher)
    return loss


class Bilevel:
    """Gates by validation batches and Adam, then weights by training batches (DARTS, Liu et al. 2019, Alg. 1,
    first order)."""

    prefix = True

    def __init__(self, network: Forked, recipe: Recipe) -> None:
        self.network, self.recipe = network, recipe
        self.gates = nn.Parameter(torch.zeros(3))
        self.weights = Descent(list(network.parameters()), recipe)
        by_adam = replace(recipe, optimiser="adamw", momentum=0.5, gradient_clip=0.0)
        self.by_gates = Descent([self.gates], by_adam)
        self.validation = BatchStream(some_images(20), Augment(), 3, (0, "validation"))

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        self._loss(*self.validation.batch(moment.epoch, moment.step)).backward()
        self.network.zero_grad()
        self.by_gates.descend(3e-2)
        loss = self._loss(inputs, targets)
        loss.backward()
        self.gates.grad = None
        self.weights.descend(self.recipe.rate(moment.done, moment.length, moment.steps_per_epoch))
        return loss.detach()

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self.network.fork.mixture = Weighted(self.gates.softmax(0))
        return CrossEntropy()(self.network(inputs), targets)

    def state(self) -> dict[str, Tensor]:
        weights = {f"weights.{k}": v for k, v in self.weights.state().items()}
        gates = {f"gates.{k}": v for k, v in self.by_gates.state().items()}
        return weights | gates | {"alpha": self.gates.detach()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for begin, descent in (("weights.", self.weights), ("gates.", self.by_gates)):
            descent.restore({k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)})
        with torch.no_grad():
            self.gates.copy_(tensors["alpha"])


def by_objective(objective: Any) -> Callable[[Forked], Step]:
    return lambda network: GradientStep(network, RECIPE, objective)


METHODS: dict[str, Callable[[Forked], Step]] = {
    "path": by_objective(drawn_path),
    "sandwich": by_objective(sandwich),
    "bilevel": lambda network: Bilevel(network, RECIPE),
}


def training(name: str, epochs: int) -> Training:
    torch.manual_seed(0)
    network = Forked()
    augment = Augment(crop=1, flip=True)
    return Training(network, some_images(24), RECIPE, augment, epochs, method=METHODS[name](network))


@pytest.mark.parametrize("name", METHODS)
def test_it_goes_on_from_any_step(name: str) -> None:
    """From the state after each step, into a training of the same length or of more, all is bit for bit that
    of the whole: weights, moments, gates."""
    states = []

    def keep() -> None:
        tensors, place = short.state()
        states.append(({k: v.detach().clone() for k, v in tensors.items()}, place))

    short = training(name, 2)
    losses = []
    for _ in range(2):
        losses.append(short.run_epoch(keep))
        keep()
    assert len(states) == 6
    whole = training(name, 3)
    assert [whole.run_epoch() for _ in range(3)][:2] == losses
    for tensors, place in states:
        again = training(name, 3)
        again.restore(tensors, place)
        while not again.finished:
            again.run_epoch()
        mine, theirs = again.state()[0], whole.state()[0]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_what_was_not_run_has_no_moment() -> None:
    """A path whose first turn comes after others': its momentum begins at its first gradient, and the weights
    of a path that never had a turn stay as they were. Oracle: torch's own loop, unfused."""
    path = iter("aab")
    chosen: list[str] = []

    def in_turn(network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        assert isinstance(network, Forked)
        chosen.append(next(path))
        network.fork.choose({"kind": chosen[-1]})
        return HeadsLoss(CrossEntropy())(network, inputs, targets, moment)

    torch.manual_seed(0)
    network, plain = Forked(), Forked()
    plain.load_state_dict(network.state_dict())
    recipe = replace(RECIPE, weight_decay=0.0, gradient_clip=0.0)
    loop = Training(
        network, some_images(24), recipe, Augment(), 1, method=GradientStep(network, recipe, in_turn)
    )
    batches = [loop.batches.batch(0, step) for step in range(3)]
    loop.run_epoch()
    assert chosen == ["a", "a", "b"]
    optimiser = torch.optim.SGD(plain.parameters(), lr=1.0, momentum=0.9, nesterov=True, fused=False)
    for step, (inputs, targets) in enumerate(batches):
        plain.fork.choose({"kind": chosen[step]})
        optimiser.param_groups[0]["lr"] = recipe.rate(step, 3, 3)
        optimiser.zero_grad()
        CrossEntropy()(plain(inputs), targets).backward()
        optimiser.step()
    for one, other in zip(network.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert not any(name.startswith(("4.", "5.")) for name in loop._method.state())


def test_gates_learn_on_their_own_batches() -> None:
    """The gates move, and the stream of validation is another than that of training."""
    loop = training("bilevel", 1)
    loop.run_epoch()
    assert isinstance(loop._method, Bilevel)
    assert loop._method.gates.abs().min() > 0
    own = loop._method.validation
    assert [len(own.batch(0, k)[1]) for k in range(3)] == [6, 7, 7]
    assert not torch.equal(own.draws(0).order, own.draws(1).order)
