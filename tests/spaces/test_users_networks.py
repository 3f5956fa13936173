"""Networks as users write them: parts that are shared, loaded, made late, computed; each is built with its
weights and left as it was by the check of shapes, or refused in a sentence."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cambrian
from cambrian.architecture import Architecture, sample
from cambrian.errors import CambrianError, SpaceError, Unbuildable
from cambrian.networks.measure.sizes import macs, params
from cambrian.spaces.program.function_space import Program, Shape, space
from cambrian.spaces.space import Grows
from tiers import slow_for

TASK = Shape(channels=1, height=8, width=8, classes=3)


def program(make: Callable[[], Any]) -> Program:
    """A space whose one question does not matter to what it makes."""

    @space(task=TASK)
    def body(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        return make()

    return body


def build(make: Callable[[], Any]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return program(make).build(Architecture({"a": 1}), TASK)


class Forward(nn.Module):
    """A linear layer, and a forward of one's own."""

    def __init__(self, forward: Callable[[nn.Linear, torch.Tensor, bool], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 3)
        self._forward = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self._forward(self.linear, x.flatten(1), self.training)


def twice() -> nn.Module:
    again, norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
    head = [nn.Flatten(), nn.Linear(4 * 64, 3)]
    return nn.Sequential(nn.Conv2d(1, 4, 1), again, norm, again, norm, *head)


def tied() -> nn.Module:
    one, other = nn.Linear(64, 64), nn.Linear(64, 64)
    other.weight = one.weight
    return nn.Sequential(nn.Flatten(), nn.ModuleList([one, other])[0], other, one, nn.Linear(64, 3))


def normed(norm: Callable[[nn.Module], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Flatten(), norm(nn.Linear(64, 3)))


class Recurrent(nn.Module):
    """A recurrent layer, a buffer, and a tensor that is neither."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.linear = nn.LSTM(8, 5, batch_first=True), nn.Linear(5, 3)
        self.register_buffer("one", torch.ones(5))
        self.plain = torch.ones(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.recurrent(x[:, 0])[0][:, -1] * self.one * self.plain
        logits: torch.Tensor = self.linear(hidden)
        return logits


class LateCache(nn.Module):
    """Its layer is made in the first forward, and is also in a dictionary that torch does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, nn.Linear] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.parts:
            self.parts["linear"] = nn.Linear(x[0].numel(), 3, device=x.device)
            self.add_module("linear", self.parts["linear"])
        logits: torch.Tensor = self.parts["linear"](x.flatten(1))
        return logits


class Functional(nn.Module):
    """A layer that is called with tensors made of its own weights."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tensors = {name: 2 * tensor for name, tensor in self.linear.named_parameters()}
        logits: torch.Tensor = torch.func.functional_call(self.linear, tensors, (x.flatten(1),))
        return logits


class Late(nn.Module):
    """Its layer is made in the first forward."""

    def __init__(self) -> None:
        super().__init__()
        self.linear: nn.Linear | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.linear is None:
            self.linear = nn.Linear(x[0].numel(), 3, device=x.device)
        logits: torch.Tensor = self.linear(x.flatten(1))
        return logits


def computed() -> nn.Module:
    """Rates as many write them, which no device without numbers can compute."""
    rates = [rate.item() for rate in torch.linspace(0, 0.3, 2)]
    return nn.Sequential(nn.Flatten(), nn.Dropout(rates[1]), nn.Linear(64, 3))


def copied() -> nn.Module:
    layer = nn.Linear(64, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(64)[:3])
    return nn.Sequential(nn.Flatten(), layer)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "a module twice": (twice, 8 + 148 + 8 + 771),
    "tied weights": (tied, 64 * 64 + 64 + 64 + 195),
    "weight norm": (normed(nn.utils.parametrizations.weight_norm), 198),
    "spectral norm": (normed(nn.utils.parametrizations.spectral_norm), 195),
    "recurrent": (Recurrent, 4 * 5 * (8 + 5 + 2) + 18),
    "lazy": (lambda: nn.Sequential(nn.LazyConv2d(2, 1), nn.Flatten(), nn.LazyLinear(3)), 4 + 387),
    "made in its forward": (Late, 195),
    "made in its forward, into a cache": (LateCache, 195),
    "called with other weights": (Functional, 195),
    "computed": (computed, 195),
    "copied": (copied, 195),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_built_with_weights(name: str) -> None:
    """Without a warning; every parameter, counted once, has numbers, and a step of training changes them."""
    make, count = NETWORKS[name]
    network = build(make)
    assert params(network) == count
    assert all(p.device.type == "cpu" for p in [*network.parameters(), *network.buffers()])
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimiser.step()
    assert not any(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("name", slow_for(("spectral norm",), NETWORKS))
def test_a_draft_and_a_count_leave_it_as_it_was(name: str) -> None:
    """Under the meta device it is made too, and counting changes no attribute of any module."""
    make, count = NETWORKS[name]
    with torch.device("meta"):
        draft = program(make).build(Architecture({"a": 1}), TASK)
    assert params(draft) == count
    network = build(make)
    before = [{k: id(v) for k, v in vars(m).items()} for m in network.modules()]
    state = {k: v.clone() for k, v in network.state_dict().items()}
    macs(network, (1, 8, 8))
    assert [{k: id(v) for k, v in vars(m).items()} for m in network.modules()] == before
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())


def test_a_module_that_runs_twice_counts_twice_in_work_and_once_in_weights() -> None:
    """Multiply-accumulates by hand: 1 x 4 once, 4 x 4 x 9 twice, at each of 64 places, and the last layer."""
    assert macs(build(twice), (1, 8, 8)) == 64 * (4 + 2 * 144) + 256 * 3


def test_the_older_weight_norm() -> None:
    """It keeps a weight that was computed with gradients, which Python's own copy refuses."""
    from cambrian.networks.tensor_copies import copy_network

    with pytest.warns(FutureWarning, match="deprecated"):
        network = nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(64, 3)))
    twin = copy_network(network)
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(twin(images), network(images))
    assert twin[1].weight_v is not network[1].weight_v


def test_loaded_and_frozen_weights_are_kept() -> None:
    """They are those that were loaded, and still so after a search's training, in every trial."""
    loaded = nn.Linear(64, 8)

    @space
    def frozen(pick: Any, task: Any) -> nn.Module:
        part = nn.Linear(64, 8)
        part.load_state_dict(loaded.state_dict())
        part.requires_grad_(False)
        return nn.Sequential(nn.Flatten(), part, nn.ReLU(), nn.Linear(8, pick("a", [3]) * task.classes // 3))

    seen = []

    def keep(network: Any, fidelity: Any) -> float:
        seen.append(network[1].weight)
        return params(network)

    cambrian.Search(frozen, "random", keep, cambrian.load("digits", limit=120), budget=2).run()
    assert all(torch.equal(weight, loaded.weight) for weight in seen)


def test_a_module_made_before_is_copied_for_each_network() -> None:
    """What one trial trains is not what the next begins with."""
    backbone = nn.Linear(64, 3)
    made = program(lambda: nn.Sequential(nn.Flatten(), backbone))
    one, other = (made.build(Architecture({"a": 1}), TASK) for _ in range(2))
    assert torch.equal(one[1].weight, backbone.weight)
    assert len({id(backbone), id(one[1]), id(other[1])}) == 3


OUTPUTS: dict[str, tuple[Callable[[nn.Linear, torch.Tensor, bool], Any], str]] = {
    "a dict": (lambda f, x, _: {"logits": f(x)}, "gives a dict with the keys ['logits'], expected a tensor"),
    "nothing": (lambda f, x, _: None, "gives None, expected a tensor [2, 3]"),
    "a list": (lambda f, x, _: [f(x)], "gives a list of 1, expected a tensor [2, 3]"),
    "an empty tuple": (lambda f, x, _: (), "gives (), expected a tensor [2, 3]"),
    "one more dimension": (lambda f, x, _: f(x)[..., None], "gives [2, 3, 1] for 2 inputs, expected [2, 3]"),
    "classes": (lambda f, x, _: f(x).argmax(1), "gives [2] for 2 inputs, expected [2, 3]"),
    "whole numbers": (lambda f, x, _: (f(x) > 0).long(), "gives torch.int64 numbers"),
    "fewer": (lambda f, x, _: f(x)[:, :2], "gives [2, 2] for 2 inputs, expected [2, 3]"),
    "features beside": (lambda f, x, _: (f(x), x), "gives [2, 64] for 2 inputs"),
    "a dict in evaluation": (lambda f, x, t: f(x) if t else {"y": f(x)}, "a dict with the keys ['y']"),
    "doubles": (lambda f, x, _: f.double()(x), "weights are float64, images come as float32"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_is_no_logits_is_said(name: str) -> None:
    """What it is, and what was expected, when the network is built; in evaluation mode, too."""
    forward, says = OUTPUTS[name]
    make = (lambda: Forward(forward).double()) if name == "doubles" else (lambda: Forward(forward))
    with pytest.raises(Unbuildable, match=re.escape(says)):
        build(make)


def test_one_logit_for_two_classes() -> None:
    """The sentence says that there are two."""
    made = program(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))
    with pytest.raises(Unbuildable, match="two for two classes"):
        made.build(Architecture({"a": 1}), Shape(1, 8, 8, 2))


LATE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "in forward": (
        lambda pick: Forward(lambda f, x, _: f(x) * pick("b", [1])),
        "question 'b' is asked after the network was made, as in its forward",
    ),
    "again in forward": (
        lambda pick: Forward(lambda f, x, _: f(x) * pick("a", [1])),
        "question 'a' is asked after the network was made",
    ),
    "in a builder": (
        lambda pick: lambda: nn.Linear(64, pick("b", [1])),
        "question 'b' is asked in what body returns to make the network, which sampling never calls",
    ),
    "in a candidate": (
        lambda pick: pick.module("op", {"x": lambda: nn.Linear(64, pick("b", [3]))}),
        "question 'b' is asked while candidate 'x' of question 'op' is made",
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_a_question_that_sampling_never_meets(name: str) -> None:
    """It is said where it is asked, and what to do."""
    ask, says = LATE[name]

    @space(task=TASK)
    def body(pick: Any, task: Any) -> Any:
        pick("a", [1])
        return ask(pick)

    answers = sample(body, np.random.default_rng(0))
    with pytest.raises(SpaceError, match=re.escape(says)):
        body.build(answers, TASK)


def stem(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.AdaptiveAvgPool2d(2), nn.Flatten())


def loading(error: type[Exception] | None = None) -> tuple[Program, list[int]]:
    """A body that can be run for grey images only, and the channels it was called with."""
    weights, calls = stem(1).state_dict(), []

    @space
    def body(pick: Any, task: Any) -> nn.Module:
        calls.append(task.channels)
        if error is not None and task.channels != 1:
            raise error("grey images only")
        first = stem(task.channels)
        first.load_state_dict(weights)
        layers = [first]
        for i in range(pick.depth("depth", 1, 3)):
            layers.append(nn.Linear(16, 16, bias=pick(f"bias{i}", [True, False])))
        return nn.Sequential(*layers, nn.Linear(16, task.classes))

    return body, calls


@pytest.mark.parametrize("error", [None, AssertionError, KeyError, FileNotFoundError])
def test_a_body_that_needs_the_shape_of_the_data(error: type[Exception] | None) -> None:
    """It is tried anew where that is known, after which it has its order."""
    body, _ = loading(error)
    fitted = body.for_task(TASK)
    assert fitted.know(Grows) is not None
    assert fitted.build(sample(fitted, np.random.default_rng(0)), TASK)
    with pytest.raises(CambrianError, match=r"cannot be run for|for 3 classes of inputs 2 x 8 x 8"):
        sample(body.for_task(Shape(2, 8, 8, 3)), np.random.default_rng(0), tries=3)


def test_a_body_that_makes_weights_is_called_a_handful_of_times() -> None:
    """Where it is tried; and then only for answers that are new: of 14 architectures, 14 times."""
    body, calls = loading()
    calls.clear()
    fitted = body.for_task(TASK)
    assert len(calls) <= 10
    found = {sample(fitted, np.random.default_rng(n)) for n in range(400)}
    assert len(found) == 14
    assert len(calls) <= 10 + 14


def test_what_is_remembered_is_what_would_be_walked() -> None:
    """Same draws, same architectures and rejections, whether the body is run or not."""

    def body(pick: Any, task: Any) -> Any:
        width = pick("width", [4, 6])
        if pick("deep", [True, False]):
            pick.real("rate", 0.0, 1.0)
            pick.require(width == 4, "too wide")
        return nn.Linear(width, 3)

    remembering = space(body)
    for n in range(60):
        ends = []
        for walk in (remembering.walk, remembering._walk_anew):
            rng = np.random.default_rng(n)
            try:
                ends.append(walk(lambda choice, rng=rng: choice.draw(rng)).key)
            except CambrianError as error:
                ends.append(str(error))
        assert ends[0] == ends[1]


def test_sampling_leaves_the_random_state() -> None:
    """Also where the body has to be run with numbers."""
    made = program(computed)
    before = torch.get_rng_state()
    for n in range(5):
        sample(made, np.random.default_rng(n))
    assert torch.equal(torch.get_rng_state(), before)
