"""What a program's author may hand over that is nothing of the kind: each is told in a sentence of ours, with
the question's path, at once and before anything is allocated."""

from __future__ import annotations

import itertools
import re
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture, sample
from cambrian.errors import SpaceError, Unbuildable
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape, space

TASK = Shape(channels=1, height=8, width=8, classes=3)


def refused(ask: Any, says: str) -> None:
    """A program that asks so is refused where it is defined, with that sentence on one line."""

    def wrong(pick: Any, task: Any) -> Any:
        ask(pick)
        return lambda: nn.Flatten()

    with pytest.raises(SpaceError, match=re.escape(says)) as told:
        space(wrong)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500


def endless(ask: Any) -> Any:
    def asking(pick: Any) -> None:
        for i in itertools.count():
            ask(pick, f"a{i}")

    return asking


@pytest.mark.parametrize(
    "ask",
    [
        lambda pick: pick("a", range(10**9)),
        lambda pick: pick("a", range(10**30)),
        lambda pick: pick.some("a", range(10**9), 1),
        lambda pick: pick.depth("a", 1, 10**9),
        lambda pick: pick.depth("a", 1, 10**5000),
        lambda pick: pick.repeat("a", 0, 10**9, print),
    ],
)
def test_more_options_than_memory_holds(ask: Any) -> None:
    """They are counted without being made."""
    refused(ask, "question 'a' offers ")
    refused(ask, " options: at most 10000; use pick.integer")


@pytest.mark.parametrize(
    "ask",
    [
        endless(lambda pick, path: pick(path, [1, 2])),
        endless(lambda pick, path: pick.integer(path, 1, 2)),
        endless(lambda pick, path: pick.module(path, {"a": nn.ReLU})),
        endless(lambda pick, path: pick.inside(path)("b", [1, 2])),
    ],
)
def test_a_loop_that_never_ends(ask: Any) -> None:
    """It is told from a long one by how many it asks: the first and the last question are named."""
    refused(ask, "10000 questions are asked in one walk, from 'a0")
    refused(ask, "is one more: does a loop end?")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (None, "options are a list, got None"),
        (5, "options are a list, got 5"),
        (iter([1]), "options are a list, got <list_iterator"),
        (itertools.count(), "options are a list, got count(0)"),
        (
            list(np.array([1.0, 2.0])),
            "an option is text, a number or a truth value; convert it first, as .item() or .tolist() do, got",
        ),
        (
            np.array([1, 2]),
            "an option is text, a number or a truth value; convert it first, as .item() or .tolist() do, got",
        ),
        (
            [np.str_("a")],
            "an option is text, a number or a truth value; convert it first, as .item() or .tolist() do, got",
        ),
        ([1.0, float("inf")], "a number among the options is finite, got inf"),
        ([float("nan")], "a number among the options is finite, got nan"),
        (["\ud800"], r"a text among the options can be written as UTF-8, got '\ud800'"),
        ([10**30], "a whole number among the options has 64 bits at most, got 1000"),
        (
            [nn.ReLU, nn.GELU],
            "an option is text, a number or a truth value; of modules say pick.module(path, {'relu': nn.ReLU",
        ),
        ([["x"]], "an option is text, a number or a truth value, got ['x']"),
        (["x" * 9999, None], "an option is text, a number or a truth value, got None"),
        (["x" * 9999] * 2, "offers an option twice: ['xxx"),
    ],
)
def test_options_that_are_none(options: Any, says: str) -> None:
    """Of one, and of some: what is no list, and what no file gives back as it was."""
    refused(lambda pick: pick("a", options), f"question 'a'{'' if 'twice' in says else ':'} {says}")
    refused(lambda pick: pick.some("a", options, 1), "question 'a'")


@pytest.mark.parametrize("path", [3, None, b"a", ["a"], "\ud800"], ids=repr)
@pytest.mark.parametrize(
    "ask",
    [
        lambda pick, path: pick(path, [1, 2]),
        lambda pick, path: pick(path, [1, 2], [1, 2]),
        lambda pick, path: pick.some(path, [1, 2], 1),
        lambda pick, path: pick.depth(path, 1, 2),
        lambda pick, path: pick.integer(path, 1, 2),
        lambda pick, path: pick.real(path, 1, 2),
        lambda pick, path: pick.module(path, {"a": nn.ReLU}),
    ],
)
def test_paths_that_are_no_text(ask: Any, path: Any) -> None:
    """Of every kind of question; half of a surrogate pair is in no file either."""
    refused(lambda pick: ask(pick, path), "path is text")


@pytest.mark.parametrize(
    "weights", [3, [None, 1], "ab", "12", [10**400, 1], itertools.count(), range(10**9)], ids=repr
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda pick, weights: pick("a", [1, 2], weights),
        lambda pick, weights: pick.depth("a", 1, 2, weights),
        lambda pick, weights: pick.repeat("a", 1, 2, print, weights),
        lambda pick, weights: pick.module("a", {"x": nn.ReLU, "y": nn.Tanh}, weights),
    ],
)
def test_weights_that_are_no_numbers(ask: Any, weights: Any) -> None:
    """The question is named, not taken for modules that cannot be made."""
    refused(lambda pick: ask(pick, weights), "question 'a': weights are a list of numbers, got ")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda pick: pick("a", [1, 2], [1e308, 1e308]), "finite numbers >= 0 with a positive sum"),
        (lambda pick: pick.some("a", [1, 2], 1.5), "cannot pick between 1.5 and 1.5 of 2"),
        (lambda pick: pick.some("a", [1, 2], "1"), "cannot pick between '1' and '1' of 2"),
        (lambda pick: pick.some("a", [1, 2], None), "cannot pick between None and None of 2"),
        (lambda pick: pick.some("a", range(2000), 0, 2000), "2000 options are more than 1e+300 answers"),
        (lambda pick: pick.real("a", "1", 3), "a bound is a number, got '1'"),
        (lambda pick: pick.real("a", None, 3), "a bound is a number, got None"),
        (lambda pick: pick.real("a", 1j, 3), "a bound is a number, got 1j"),
        (lambda pick: pick.real("a", 0, 10**400), "no numbers from 0 to 1000"),
        (lambda pick: pick.real("a", -1e308, 1.7e308), "too wide a range for floats"),
        (lambda pick: pick.real("a", 1e-300, 1e300, log=True), "too wide a range for floats"),
        (lambda pick: pick.integer("a", "1", 3), "no whole numbers from '1' to 3"),
        (lambda pick: pick.integer("a", 0, 1 << 63), "whole numbers have 64 bits at most"),
        (lambda pick: pick.integer("a", 0, 10**5000), "0 to a value of type int"),
        (lambda pick: pick.module("a", [nn.ReLU]), "candidates are factories by name"),
        (
            lambda pick: pick.module("a", None),
            "candidates are factories by name, as in {'relu': nn.ReLU}, got",
        ),
    ],
)
def test_bounds_and_candidates(ask: Any, says: str) -> None:
    """Too large for what answers are, or not of their kind."""
    refused(ask, "question 'a'")
    refused(ask, says)


def test_bounds_of_numpy_are_numbers() -> None:
    """A question asked with them can be written as JSON, and its answers are Python's floats."""

    @space
    def fine(pick: Any, task: Any) -> Any:
        pick.real("a", np.float64(0), np.float32(1))
        pick.integer("b", -(1 << 63), (1 << 63) - 1)
        pick.some("c", range(5000), 1, 2)
        return lambda: nn.Flatten()

    drawn = sample(fine, stream(0))
    assert type(drawn["a"]) is float
    assert msgspec.json.decode(msgspec.json.encode(drawn.to_json()), type=dict)["a"] == drawn["a"]


def test_an_options_list_that_is_none_the_second_time() -> None:
    """A question that is known is looked at again when what it offers is no list any more."""
    turns = itertools.chain([[1, 2]], itertools.repeat(None))
    with pytest.raises(SpaceError, match="question 'a': options are a list, got None"):
        space(lambda pick, task: pick("a", next(turns)))


def yielding(pick: Any, task: Any) -> Any:
    yield pick("a", [1, 2])


async def awaiting(pick: Any, task: Any) -> Any:
    return pick("a", [1, 2])


@pytest.mark.parametrize(
    "body",
    [3, None, "x", dict, print, nn.Linear, yielding, awaiting],
    ids=["number", "none", "text", "type", "builtin", "module", "generator", "coroutine"],
)
def test_what_is_no_function_of_two_arguments(body: Any) -> None:
    """By the decorator's arguments too; a generator would give no network."""
    with pytest.raises(SpaceError, match="a space is a function"):
        space(task=TASK)(body)


def test_a_class_is_returned_by_a_function() -> None:
    """A module of the user's own that gets pick and task is no space by itself."""
    with pytest.raises(
        SpaceError, match=r"got the class Linear: write a function that returns Linear\(...\)"
    ):
        space(nn.Linear)


@pytest.mark.parametrize("task", [None, 3, "x", (1, 8, 8, 3)])
def test_what_is_no_task(task: Any) -> None:
    """Refused where it is given."""
    with pytest.raises(SpaceError, match=r"a task is Shape\(channels, height, width, classes\)"):
        space(task=task)


@pytest.mark.parametrize("field", ["channels", "height", "width", "classes"])
@pytest.mark.parametrize("value", ["a", 0, -1, 1.5, None, True])
def test_shapes_are_whole_numbers(field: str, value: Any) -> None:
    """Each from 1 on."""
    with pytest.raises(SpaceError, match=f"whole numbers of at least 1, got {field}="):
        Shape(**{field: value})


class Forgetful(nn.Module):
    """A forward that lacks its return."""

    def forward(self, x: torch.Tensor) -> None:
        x.flatten(1)


class Missing(nn.Module):
    """A forward with a mistake of another kind than shapes."""

    def forward(self, x: torch.Tensor) -> Any:
        return {}["x"]


def failing() -> Any:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (lambda pick, task: Forgetful(), Unbuildable, "the network gives None, expected a tensor [2, 3]"),
        (lambda pick, task: Missing(), Unbuildable, "cannot take [2, 1, 8, 8]: KeyError: 'x'"),
        (lambda pick, task: nn.Linear, SpaceError, "should make a torch.nn.Module without arguments: Lin"),
        (lambda pick, task: lambda x: nn.Flatten(), SpaceError, "missing 1 required positional argument"),
        (lambda pick, task: failing, SpaceError, "without arguments: KeyError: 'x'"),
        (
            lambda pick, task: nn.Sequential(pick.module("op", {"a": failing})),
            SpaceError,
            "question 'op': 'a' cannot be made: KeyError: 'x'",
        ),
        (
            lambda pick, task: nn.Sequential(pick.module("op", {"a": Missing})),
            Unbuildable,
            "question 'op' (a): layer '0', Missing(), cannot take [2, 1, 8, 8]: KeyError: 'x'",
        ),
    ],
)
def test_a_network_that_fails_as_it_likes(body: Any, error: Any, says: str) -> None:
    """Whatever a factory, a builder or a forward raises, and one that gives nothing."""
    program = space(body)
    with pytest.raises(error, match=re.escape(says)):
        program.build(sample(program, stream(0)), TASK)


def test_a_stand_in_says_that_it_is_one() -> None:
    """What only the module has is asked for after sampling; to `hasattr` it is not there."""
    refused(
        lambda pick: pick.module("op", {"a": nn.ReLU}).out_channels,
        "modules are stand-ins without 'out_channels'",
    )

    @space
    def asking(pick: Any, task: Any) -> nn.Module:
        assert not hasattr(pick.module("op", {"a": nn.ReLU}), "out_channels")
        return nn.Flatten()

    assert sample(asking, stream(0)) == Architecture({"op": "a"})


def test_a_fork_takes_arguments_by_name() -> None:
    """Sampled, built and shared."""

    @space
    def named(pick: Any, task: Any) -> nn.Module:
        fork = pick.fork("op", {"conv": lambda size: nn.Conv2d(1, 3, size)})
        return nn.Sequential(fork(size=8), nn.Flatten())

    built = named.build(Architecture({"op": "conv"}), TASK)
    assert built[0].kernel_size == (8, 8)
    named.know(Shares).share({}, TASK)  # type: ignore[attr-defined]
