"""Spaces of a user's network: the questions, the network that stays itself, and each change against the same
change by hand."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
from own_networks import NETWORKS, TASK, make_plain, make_trained
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

import cambrian
from cambrian.architecture import Architecture, replay
from cambrian.errors import SpaceError, Unbuildable, UsageError
from cambrian.spaces.models.space import YOURS, ModelSpace
from cambrian.spaces.program.function_space import Shape
from cambrian.testing import SPACE, SpaceCase
from tiers import slow_but, slow_for

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def build(space: ModelSpace, **answers: Any) -> Any:
    """The user's network with these answers in place of its own; "." is written "__"."""
    return build_all(space, {path.replace("__", "."): answer for path, answer in answers.items()})


def build_all(space: ModelSpace, answers: dict[str, Any]) -> Any:
    own = space.begins[YOURS]
    assert set(answers) <= set(own)
    asked = replay(space, {**own, **answers}, lambda choice: next(iter(choice.answers())))
    return space.build(asked, TASK).eval()


def run(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(IMAGES)  # type: ignore[no-any-return]


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@cache
def trained(name: str) -> tuple[Any, ModelSpace]:
    """A trained network and its space; no test may change either."""
    network = make_trained(name)
    return network, cambrian.from_model(network, TASK)


@pytest.fixture(params=slow_for(("mobile",), NETWORKS))
def given(request: pytest.FixtureRequest) -> tuple[nn.Module, ModelSpace]:
    return trained(request.param)


def test_the_network_itself_is_bit_equal(given: tuple[nn.Module, ModelSpace]) -> None:
    """With the network's own answers, and it shares no tensor with the user's."""
    network, space = given
    built = build(space)
    assert torch.equal(run(built), run(network))
    ours = {p.data_ptr() for p in network.parameters()}
    assert not ours & {p.data_ptr() for p in built.parameters()}


def test_wider_and_larger_ones_begin_as_the_network(given: tuple[nn.Module, ModelSpace]) -> None:
    """Each wider layer reads no new channel, and each larger kernel has zeros around it: the same function,
    but behind a normalisation of whole layers, which sees the new channels."""
    network, space = given
    for question in space.survey.questions:
        if question.kind in ("width", "kernel"):
            most = max(int(option) for option in question.options)
            changed = build_all(space, {question.path: most})
            assert str(changed) != str(network), question.path
            mixed = any(isinstance(network.get_submodule(m), nn.LayerNorm) for m in question.members)
            assert close(run(changed), run(network)) != mixed, question.path


def test_answers_make_networks(given: tuple[nn.Module, ModelSpace]) -> None:
    """Of each fourth question, each second is built and gives finite logits; all but the network's own change
    its layers."""
    network, space = given
    for question in space.survey.questions[::4]:
        for option in question.options[::2]:
            built = build_all(space, {question.path: option})
            assert run(built).isfinite().all()
            assert (str(built) == str(network)) == (option == question.own), (question.path, option)


def test_a_narrower_layer_keeps_the_largest_channels() -> None:
    """Of a convolution before a flattening: the network in which the others are zero, as their readers see
    it."""
    network, space = trained("plain")
    narrow = build(space, **{"5/width": 8})
    hidden, reader = network[5], network[8]
    assert isinstance(hidden, nn.Conv2d)
    assert isinstance(reader, nn.Linear)
    gone = hidden.weight.detach().abs().sum((1, 2, 3)).argsort(descending=True)[8:]
    by_hand = copy.deepcopy(network)
    with torch.no_grad():
        by_hand[8].weight.view(64, 32, 16)[:, gone] = 0.0
    assert close(run(narrow), run(by_hand))
    assert narrow[5].out_channels == 8
    assert narrow[8].in_features == 8 * 16


def test_depthwise_layers_have_the_width_of_what_they_read() -> None:
    """An inverted residual's hidden width changes both normalisations and the depthwise convolution."""
    network, space = trained("mobile")
    narrow = build(space, **{"4__conv__0/width": 8})
    kinds = [m for m in narrow[4].conv if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert [getattr(m, "out_channels", getattr(m, "num_features", 0)) for m in kinds] == [8] * 4 + [16] * 2
    assert kinds[2].groups == 8
    block = copy.deepcopy(network[4])
    gone = block.conv[0].weight.detach().abs().sum((1, 2, 3)).argsort(descending=True)[8:]
    with torch.no_grad():
        block.conv[6].weight[:, gone] = 0.0
    by_hand = copy.deepcopy(network)
    by_hand[4] = block
    assert close(run(narrow), run(by_hand))
    grown = build(space, **{"4__conv__3/kernel": 5})
    assert grown[4].conv[3].groups == 32
    assert close(run(grown), run(network))


def test_a_smaller_kernel_is_the_middle_of_the_larger() -> None:
    """Against a convolution with that middle, strided too."""
    network, space = trained("resnet")
    changed = build(space, **{"layer2__0__conv1/kernel": 1})
    by_hand = copy.deepcopy(network)
    conv = by_hand.layer2[0].conv1
    middle = conv.weight[:, :, 1:2, 1:2]
    conv.forward = lambda x: F.conv2d(x, middle, stride=2)
    assert close(run(changed), run(by_hand))


def test_a_dropped_block_is_an_identity() -> None:
    """And takes its own questions away."""
    network, space = trained("resnet")
    own = space.begins[YOURS]
    left = {p: a for p, a in own.items() if not p.startswith("layer2.1.")}
    architecture = Architecture({**left, "layer2.1/block": "drop"})
    assert replay(space, architecture) == architecture
    by_hand = copy.deepcopy(network)
    by_hand.layer2[1] = nn.Identity()
    assert torch.equal(run(space.build(architecture, TASK).eval()), run(by_hand))


def test_no_normalisation_is_the_folded_one() -> None:
    """As torch folds it: the same function in evaluation mode, without the layer."""
    network, space = trained("mobile")
    changed = build(space, **{"BatchNorm2d/norm": "none"})
    assert not any(isinstance(m, nn.BatchNorm2d) for m in changed.modules())
    assert close(run(changed), run(network))
    fused = fuse_conv_bn_eval(network[0], network[1])
    assert torch.equal(changed[0].weight, fused.weight)
    assert torch.equal(changed[0].bias, fused.bias)


def test_other_normalisations_and_activations() -> None:
    """Groups keep the scales; an activation changes wherever its kind is."""
    network, space = trained("resnet")
    groups = build(space, **{"BatchNorm2d/norm": "group"})
    assert isinstance(groups.bn1, nn.GroupNorm)
    assert torch.equal(groups.bn1.weight, network.bn1.weight)
    kinds = {type(m) for m in build(space, **{"relu/activation": "silu"}).modules()}
    assert nn.SiLU in kinds
    assert nn.ReLU not in kinds


def test_blocks_are_asked_one_by_one() -> None:
    """With `each="block"` activations and normalisations have a question for each module that holds them."""
    space = cambrian.from_model(make_trained("resnet"), TASK, each="block")
    paths = [q.path for q in space.survey.questions if q.kind in ("activation", "norm")]
    assert "layer2.0.relu/activation" in paths
    assert "layer2.1/norm" in paths
    kinds = [type(m) for m in build(space, **{"layer1__0__relu/activation": "gelu"}).modules()]
    assert (kinds.count(nn.GELU), kinds.count(nn.ReLU)) == (1, 3)


COUPLED = {
    "resnet": [
        "conv1's width is coupled with layer1.0.bn2 by an addition: it stays 16",
        "layer1.0.conv2's width is coupled with bn1 by an addition: it stays 16",
        "layer2.0.downsample.0's width is coupled with layer2.0.bn2 by an addition: it stays 32",
    ],
    "mobile": ["3.conv.6's width is coupled with 1 by an addition: it stays 8"],
    "plain": [],
    "perceptron": [],
    "transformer": ["blocks.0.mlp.2's width is coupled with place by an addition: it stays 16"],
}
WIDTHS = {
    "resnet": ["layer1.0.conv1", "layer2.0.conv1", "layer2.1.conv1"],
    "mobile": ["3.conv.0", "4.conv.0", "5.conv.0"],
    "plain": ["0", "2", "5", "8"],
    "perceptron": ["1", "4"],
    "transformer": ["blocks.0.mlp.0", "blocks.1.mlp.0"],
}


@pytest.mark.parametrize("name", slow_for(("mobile",), NETWORKS))
def test_coupled_widths_are_refused_by_name(name: str) -> None:
    """The widths with a question are those that a reader of the network's code finds, and the others are
    named with the layer that they are coupled with."""
    _, space = trained(name)
    asked = [q.members[0] for q in space.survey.questions if q.kind == "width"]
    assert asked == WIDTHS[name]
    assert set(COUPLED[name]) <= set(space.fixed)


class Joined(nn.Module):
    """Widths that are coupled in other ways, and one that its forward counts on."""

    def __init__(self, task: Any = TASK) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1)
        self.gate = nn.Conv2d(16, 16, 1)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=2)
        self.counted = nn.Conv2d(16, 8, 1)
        self.head = nn.Linear(8, task.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.one(x), self.two(x)], 1)
        x = self.grouped(x * self.gate(x).sigmoid())
        return self.head(F.relu(self.counted(x)).mean((2, 3)).view(-1, 8))  # type: ignore[no-any-return]


def test_other_couplings_are_named() -> None:
    """Concatenation, multiplication, groups; a number in a forward; and activations that are no modules."""
    assert cambrian.from_model(Joined(), TASK).fixed == (
        "one's width is coupled with two by a concatenation: it stays 8",
        "two's width is coupled with one by a concatenation: it stays 8",
        "gate's width is coupled with one by a multiplication: it stays 16",
        "counted's width stays: Joined, cannot take [2, 1, 8, 8]: shape '[-1, 8]' is invalid for input of"
        " size 4",
        "1 activation is called as a function, such as F.relu: as a module, such as nn.ReLU, it would be a"
        " question",
    )


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.layer(x if x.mean() > 0 else -x)  # type: ignore[no-any-return]


WRONG = {
    "deciding": (Deciding(), SpaceError, "(test_own_network.py, line "),
    "empty": (nn.Flatten(), SpaceError, "has no parameters that are trained"),
    "images": (nn.Conv2d(3, 10, 3), SpaceError, "cannot be run on images 1 x 8 x 8"),
    "classes": (nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), Unbuildable, "expected [2, 10]"),
    "nothing": (nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), SpaceError, "has nothing to ask about"),
    "kind": (lambda: 5, SpaceError, "gives int"),
    "wants": (lambda a, b: None, SpaceError, "wants a, b"),
    "raises": (lambda: 1 / 0, SpaceError, "cannot be called: ZeroDivisionError"),
    "name": ("nowhere", SpaceError, "write it as in mine:net"),
    "module": ("no_such_module:net", UsageError, "cannot load model 'no_such_module:net'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_network_that_cannot_be_followed_is_refused(name: str) -> None:
    """In one sentence."""
    model, kind, words = WRONG[name]
    with pytest.raises(kind) as caught:
        cambrian.from_model(model, TASK)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_frozen_weights_stay_frozen() -> None:
    """In layers of another size too; and a fresh network is fresh each time, a given one is not."""
    network = make_trained("plain")
    network[2].requires_grad_(False)
    changed = build(cambrian.from_model(network, TASK), **{"2/kernel": 5, "0/width": 8})
    assert [p.requires_grad for p in changed[2].parameters()] == [False, False]
    assert changed[0].weight.requires_grad
    assert cambrian.from_model(network, TASK).pretrained
    assert not ModelSpace("own_networks:make_plain", channels=1, height=8, width=8).pretrained


def test_the_name_of_a_network_makes_the_same_space() -> None:
    """`module:name`, a function and a class alike; a task of other images has other questions."""
    named = cambrian.from_model("own_networks:Transformer", TASK)
    assert named == cambrian.from_model(NETWORKS["transformer"], TASK)  # by its name, which it has
    assert named.survey == cambrian.from_model(lambda: NETWORKS["transformer"](), TASK).survey
    plain = cambrian.from_model(make_plain).for_task(Shape(1, 4, 4, 10))
    assert isinstance(plain, ModelSpace)
    kernels = {q.path: q.options for q in plain.survey.questions if q.kind == "kernel"}
    assert kernels == {"0/kernel": (1, 3, 5, 7), "2/kernel": (1, 3, 5, 7), "5/kernel": (1, 3, 5)}


@pytest.mark.parametrize("name", slow_but(("plain",), NETWORKS))
def test_the_spaces_keep_their_contract(name: str) -> None:
    """All that is promised of every space; of the plain network in each run of the tests."""
    space = cambrian.from_model(f"own_networks:{NETWORKS[name].__name__}", TASK)
    skipped = ("check_names_are_the_same_in_every_process",) if name == "plain" else ()
    names = [check.__name__ for check in SPACE.checks if check.__name__ not in skipped]
    assert SPACE.violations(SpaceCase(space, task=TASK), names) == []
