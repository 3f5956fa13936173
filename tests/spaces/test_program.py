"""A space written as a function: what it is, how it is read, what it says when shapes do not fit."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture, completions, sample
from cambrian.errors import SpaceError, Unbuildable, UnknownName
from cambrian.registry import Registry
from cambrian.spaces.program.function_space import Shape, space
from cambrian.spaces.space import Encodes, Grows

TASK = Shape(channels=1, height=8, width=8, classes=3)


@space
def misfit(pick: Any, task: Any, *, filters: int = 4, check: bool = True) -> nn.Module:
    """A layer that expects another number of channels, one that cannot be made, a head that is wrong."""
    body = pick.module(
        "body",
        {
            "fits": lambda: nn.Conv2d(task.channels, filters, 3),
            "nested": lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(7, filters, 3)),
            "impossible": lambda: nn.Conv2d(3, filters, 3, groups=2),
        },
    )
    head = pick("head", ["right", "narrow", "many"])
    inputs = {"right": filters, "narrow": 2, "many": filters}[head]
    classes = task.classes + (head == "many")
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def net(body: str = "fits", head: str = "right", **skeleton: Any) -> nn.Module:
    return misfit.build(Architecture({"body": body, "head": head}), TASK, **skeleton)


def test_the_skeleton_is_given_to_build() -> None:
    """Keyword-only arguments: defaults first, then what `build` is told, and never a question."""
    assert net()[0].out_channels == 4
    assert net(filters=6)[0].out_channels == 6
    assert misfit.skeleton == {"filters": 4, "check": True}
    assert set(sample(misfit, np.random.default_rng(0))) == {"body", "head"}


def test_a_shape_that_does_not_fit_names_its_question_and_the_shapes() -> None:
    """The question, the layer inside what it made, what the layer is and what it was given."""
    with pytest.raises(Unbuildable) as caught:
        net(body="nested")
    said = str(caught.value)
    for part in ("question 'body' (nested)", "layer '0.1'", "Conv2d(7, 4", "[2, 1, 8, 8]"):
        assert part in said


def test_a_shape_outside_of_questions_names_the_last_one_before() -> None:
    """The head is nobody's answer: the layer is named, and the question whose module came before."""
    with pytest.raises(
        Unbuildable, match=r"layer '3', Linear\(.*cannot take \[2, 4\].*after question 'body'"
    ):
        net(head="narrow")


def test_a_module_that_cannot_be_made_names_its_question() -> None:
    """Errors of a factory's are the answer's, not the program's."""
    with pytest.raises(Unbuildable, match=r"question 'body': 'impossible' cannot be made: .*divisible"):
        net(body="impossible")


def test_a_head_for_another_number_of_classes_is_unbuildable() -> None:
    """The forward at the end of a build looks at what comes out, too."""
    with pytest.raises(Unbuildable, match=re.escape("[2, 4] for 2 inputs, expected [2, 3]")):
        net(head="many")


def test_checking_the_fit_leaves_no_trace() -> None:
    """No hook stays, no running statistic moves, no random number is used up."""

    @space
    def normal(pick: Any, task: Any) -> nn.Module:
        pick("a", [1, 2])
        return nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3))

    torch.manual_seed(0)
    built = normal.build(Architecture({"a": 1}), TASK)
    after = torch.rand(1)
    torch.manual_seed(0)
    nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3))
    assert torch.equal(after, torch.rand(1))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in built.modules())
    assert built[0].num_batches_tracked == 0
    assert built[0].running_mean.device.type == "cpu"


def test_a_forward_that_looks_at_numbers_passes() -> None:
    """Such a network is no shape error."""

    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :3] * (2.0 if x.sum().item() > 0 else 1.0)

    @space
    def looking(pick: Any, task: Any) -> nn.Module:
        pick("a", [1, 2])
        return Looks()

    assert isinstance(looking.build(Architecture({"a": 1}), TASK), Looks)


def test_running_out_of_memory_is_not_the_shapes_fault() -> None:
    """torch's RuntimeError goes through as it is, so that it ends as "oom"."""

    @space
    def large(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])

        def build() -> nn.Module:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")

        return build

    with pytest.raises(RuntimeError, match="allocate memory"):
        large.build(Architecture({"a": 1}), TASK)


def test_no_factory_is_called_and_no_builder_run_while_sampling() -> None:
    """Both would allocate weights."""
    called = []

    @space
    def careful(pick: Any, task: Any) -> Any:
        pick.module("op", {"a": lambda: called.append("factory"), "b": lambda: called.append("factory")})
        return lambda: called.append("builder")

    sample(careful, np.random.default_rng(0))
    assert called == []


def test_sub_programs_may_ask_for_modules() -> None:
    """`inside` gives a questioner that asks for modules too, and errors carry the whole path."""

    @space
    def nested(pick: Any, task: Any) -> nn.Module:
        stem = pick.inside("stem").module("op", {"bad": lambda: nn.Conv2d(9, 9, 1), "flat": nn.Flatten})
        return nn.Sequential(stem, nn.Linear(64, task.classes))

    nested.build(Architecture({"stem/op": "flat"}), TASK)
    with pytest.raises(Unbuildable, match=r"'stem/op' \(bad\)"):
        nested.build(Architecture({"stem/op": "bad"}), TASK)


def two_depths(pick: Any, task: Any) -> Any:
    pick.depth("a", 1, 2), pick.depth("b", 1, 2)
    return nn.Flatten


def sometimes_deep(pick: Any, task: Any) -> Any:
    if pick("deep", [True, False]):
        pick.depth("a", 1, 2)
    return nn.Flatten


@pytest.mark.parametrize("function", [two_depths, sometimes_deep])
def test_without_one_depth_in_every_walk_there_is_no_order(function: Any) -> None:
    """Conformance is honest: such a program is neither Grows nor Encodes."""
    made = space(function)
    assert made.know(Grows) is None
    assert made.know(Encodes) is None


@space
def layers(pick: Any, task: Any) -> Any:
    """Three operations, of which one opens a question, one to three times; a width for all."""
    pick("width", [8, 16])
    for i in range(pick.depth("depth", 1, 3)):
        layer = pick.inside("layer", i)
        if layer("op", ["conv", "pool", "skip"]) == "conv":
            layer.integer("size", 1, 2)
    return nn.Flatten


def test_growth_is_brute_force() -> None:
    """Level by level: all 2 * 4^n architectures, children of a parent the four that extend it."""
    assert layers.know(Grows) is not None
    assert layers.know(Grows).levels == (1, 2, 3)
    everything = list(completions(layers, {}))
    parents: list[Architecture] = []
    for level in layers.know(Grows).levels:
        pool = layers.know(Grows).grow(parents, np.random.default_rng(0))
        children = [pool.architecture(i) for i in range(len(pool))]
        assert pool.complete
        assert set(children) == {a for a in everything if a["depth"] == level}
        assert len(children) == 2 * 4**level
        assert np.bincount(pool.parent + 1).tolist() == ([2 * 4] if level == 1 else [0] + [4] * len(parents))
        parents = children


def test_tokens_are_what_the_layout_says() -> None:
    """Slots by hand: the width in the first row only, operation and size in each; 0 is "not asked"."""
    assert layers.know(Encodes) is not None
    assert dict(layers.know(Encodes).vocabulary) == {"width": 3, "layer#/op": 4, "layer#/size": 3}
    columns = [layers.know(Encodes).slots.index(kind) for kind in ("width", "layer#/op", "layer#/size")]
    answers = {
        "width": 16,
        "depth": 2,
        "layer0/op": "conv",
        "layer0/size": 2,
        "layer1/op": "skip",
    }
    tokens = layers.know(Encodes).tokens([Architecture(answers)])[0][:, columns]
    assert tokens.shape == (2, 3)
    assert tokens[1].tolist()[0] == 0
    assert tokens[1].tolist()[2] == 0
    assert (tokens[0] > 0).all()
    short = Architecture({"width": 16, "depth": 1, "layer0/op": "skip"})
    shorter = layers.know(Encodes).tokens([short])[0][:, columns]
    assert shorter[0, 1] == tokens[1, 1], "the same operation has the same token in every row"


def test_all_tokens_are_distinct() -> None:
    """Over the whole space, by brute force."""
    everything = list(completions(layers, {}))
    assert (
        len({t.tobytes() for t in layers.know(Encodes).tokens(everything)})
        == len(everything)
        == 2 * (4 + 16 + 64)
    )


def test_some_of_many_is_a_slot_per_option() -> None:
    """Subsets of growing sets of options are told apart."""

    @space
    def joins(pick: Any, task: Any) -> Any:
        for i in range(pick.depth("depth", 1, 3)):
            pick.some(f"from{i}", list(range(i + 1)), 0, i + 1)
        return nn.Flatten

    everything = list(completions(joins, {}))
    assert len(everything) == 2 + 2 * 4 + 2 * 4 * 8
    assert len({t.tobytes() for t in joins.know(Encodes).tokens(everything)}) == len(everything)


def test_real_questions_are_binned_and_drawn() -> None:
    """Children of a space with a real question are a seeded sample, their answers told apart by bins."""

    @space
    def tuned(pick: Any, task: Any) -> Any:
        for i in range(pick.depth("depth", 1, 2)):
            pick.real(f"rate{i}", 0.0, 1.0)
        return nn.Flatten

    pool = tuned.know(Grows).grow((), np.random.default_rng(0), cap=50)
    assert len(pool) == 50
    assert not pool.complete
    rates = np.array([pool.architecture(i)["rate0"] for i in range(50)])
    by_bin = [len(set(pool.step[(rates * 32).astype(int) == b, 0].tolist())) for b in range(32)]
    assert max(by_bin) == 1
    assert len(set(pool.step[:, 0].tolist())) > 10


def test_spec_is_where_the_program_is_found() -> None:
    """`module:function` for one at the top of a module; None for one inside a function."""
    spec = Registry("space", {}).spec(layers)
    assert spec == {"name": f"{__name__}:layers"}
    assert Registry("space", {}).make(spec) is layers

    @space
    def local(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        return nn.Flatten

    assert Registry("space", {}).spec(local) is None


@pytest.mark.parametrize(
    "function",
    [
        lambda pick: nn.Flatten,
        lambda pick, task, filters: nn.Flatten,
        lambda pick, task, *more: nn.Flatten,
        lambda pick, task, *, filters: nn.Flatten,
        lambda pick, task, **skeleton: nn.Flatten,
    ],
)
def test_another_signature_is_refused(function: Any) -> None:
    """The sentence shows what it should be."""
    with pytest.raises(SpaceError, match=r"\(pick, task, \*, setting=default"):
        space(function)


def test_what_is_defined_below_is_named() -> None:
    """A program is walked where it is defined, so that a helper below it is not there yet."""

    def early(pick: Any, task: Any) -> Any:
        return later_helper(pick)  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(SpaceError, match="later_helper"):
        space(early)


def test_what_is_no_network_is_refused() -> None:
    """The sentence says what was returned."""

    @space
    def nothing(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])

    with pytest.raises(SpaceError, match="got None"):
        nothing.build(Architecture({"a": 1}), TASK)


def test_an_unknown_skeleton_setting_names_the_nearest() -> None:
    """As everywhere."""
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        net(filtrs=3)


def test_the_default_task_can_be_set() -> None:
    """Where questions depend on the task, they are asked for the one that was given."""

    @space(task=Shape(1, 4, 4, 2))
    def sized(pick: Any, task: Any) -> Any:
        pick.integer("pools", 0, task.height.bit_length())
        return nn.Flatten

    assert [a["pools"] for a in completions(sized, {})] == list(range(4))


def test_a_builder_is_sampled_without_torch() -> None:
    """A coordinator with such a space need not load torch."""
    code = """
import sys
import cambrian.spaces.knowledge
from cambrian.architecture import sample
import numpy as np

@cambrian.space
def light(pick, task):
    pick.module("op", {"a": lambda: None, "b": lambda: None})
    for i in range(pick.depth("depth", 1, 3)):
        pick(f"op{i}", ["x", "y"])
    def build():
        from torch import nn
        return nn.Flatten()
    return build

sample(light, np.random.default_rng(0))
light.know(cambrian.spaces.knowledge.Grows).grow((), np.random.default_rng(0))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_modules_that_cannot_be_made_reject_the_walk() -> None:
    """A body whose modules have impossible sizes for some answers is sampled from the others."""

    @space
    def groups(pick: Any, task: Any) -> nn.Module:
        channels, divisor = pick("channels", [4, 6]), pick("groups", [2, 3])
        return nn.Sequential(nn.Conv2d(task.channels, channels, 1), nn.Conv2d(channels, 6, 1, groups=divisor))

    legal = {(a["channels"], a["groups"]) for a in completions(groups, {})}
    assert legal == {(c, g) for c, g in product([4, 6], [2, 3]) if c % g == 0}
