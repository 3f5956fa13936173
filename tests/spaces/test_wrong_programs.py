"""What is wrong with a program, or with the answers it is given, is said in a sentence with the path."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import CambrianError, IllegalArchitecture, SpaceError, Unbuildable
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape, space
from reseeding import stream

TASK = Shape(channels=1, height=8, width=8, classes=3)


def refused(function: Any, says: str) -> None:
    """The program is refused where it is defined, with that sentence."""
    with pytest.raises(SpaceError, match=re.escape(says)):
        space(function)


def test_a_path_asked_twice() -> None:
    """Of one question, of a fork, of two sub-spaces with one prefix."""

    def twice(pick: Any, task: Any) -> Any:
        pick("a", [1, 2]), pick.module("b", {"x": nn.ReLU}), pick("a", [3])
        return nn.Flatten

    def inner(pick: Any, task: Any) -> Any:
        for _ in range(2):
            pick.inside("cell").module("op", {"x": nn.ReLU})
        return nn.Flatten

    refused(twice, "question 'a' is asked twice in one walk")
    refused(inner, "question 'cell/op' is asked twice in one walk")


def test_names_built_from_randomness() -> None:
    """Found by walking twice with the same answers."""

    def chancy(pick: Any, task: Any) -> Any:
        pick(f"op{random.random()}", ["x", "y"])
        return nn.Flatten

    refused(chancy, "given the same answers again, for 'op0.")


def test_options_that_change_between_walks() -> None:
    """The question's path and both lists."""
    count = itertools.count()

    def drifting(pick: Any, task: Any) -> Any:
        pick("op", ["a", f"b{next(count) % 2}"])
        return nn.Flatten

    refused(
        drifting, "drifting asks for 'op', one of 'a', 'b0', and, given the same answers again, for 'op', "
    )


def test_questions_that_come_and_go() -> None:
    """More, or fewer, the second time; a walk rejected the second time."""
    turn = itertools.cycle([True, False])

    def fewer(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        if next(turn):
            pick("b", [1, 2])
        return nn.Flatten

    def moody(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        pick.require(next(turn), "it is Monday")
        return nn.Flatten

    refused(fewer, "asks for 'b', one of 1, 2, and, given the same answers again, for nothing more")
    turn = itertools.cycle([False, True])
    refused(fewer, "asks for nothing more, and, given the same answers again, for 'b'")
    turn = itertools.cycle([True, False])
    refused(moody, "accepts a walk and, given the same answers, rejects it: it is Monday")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda pick: pick("op", []), "question 'op' has no options"),
        (lambda pick: pick.module("op", {}), "question 'op' has no options"),
        (lambda pick: pick("op", ["a", "b", "a"]), "question 'op' offers an option twice"),
        (lambda pick: pick("op", "conv"), "question 'op': options are a list, got the text 'conv'"),
        (
            lambda pick: pick("op", [None]),
            "question 'op': an option is text, a number or a truth value, got None",
        ),
        (lambda pick: pick("op", [1, 2], [1]), "question 'op': weights must be 2 finite numbers"),
        (lambda pick: pick.some("op", [1, 2], 3), "question 'op': cannot pick between 3 and 3 of 2 options"),
        (lambda pick: pick.integer("op", 3, 1), "question 'op': no whole numbers from 3 to 1"),
        (lambda pick: pick.integer("op", 0.5, 3), "question 'op': no whole numbers from 0.5 to 3"),
        (
            lambda pick: pick.real("op", 0, 1, log=True),
            "question 'op': a logarithmic range must start above 0",
        ),
        (lambda pick: pick.depth("op", 3, 1), "question 'op': there cannot be between 3 and 1 of something"),
        (
            lambda pick: pick.inside("x").repeat("op", -1, 2, print),
            "'x/op': there cannot be between -1 and 2",
        ),
        (
            lambda pick: pick.module("op", {"relu": nn.ReLU()}),
            "'relu' must be a class or function that makes a module",
        ),
        (
            lambda pick: pick.module("op", {"a": lambda pick: 4}),
            "'a' must return a function that makes a torch.nn.Module, got 4",
        ),
        (lambda pick: pick.modules("op", {"a": nn.ReLU, "b": 3}, 1), "as in `lambda: nn.ReLU()`, got 3"),
    ],
)
def test_a_question_that_cannot_be_asked(ask: Any, says: str) -> None:
    """Where the space is defined, with the path."""

    def wrong(pick: Any, task: Any) -> Any:
        ask(pick)
        return nn.Flatten

    refused(wrong, says)


@space
def made_wrong(pick: Any, task: Any) -> nn.Module:
    """Factories that make no module, need arguments, or give one module twice."""
    fork = pick.fork(
        "op",
        {
            "number": lambda: 3,
            "bare": nn.Linear,
            "once": lambda pick: nn.Sequential(nn.ReLU()),
        },
    )
    return nn.Sequential(fork(), fork(), nn.Flatten(), nn.Linear(64, task.classes))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("number", "question 'op': 'number' must make a torch.nn.Module, it made 3"),
        ("bare", "question 'op': 'bare' cannot be made: "),
        ("once", "question 'op': 'once' is one module, wanted with arguments or more than once"),
    ],
)
def test_a_candidate_that_makes_no_module(answer: str, says: str) -> None:
    """Named by its question and its name in it."""
    with pytest.raises(SpaceError, match=re.escape(says)):
        made_wrong.build(Architecture({"op": answer}), TASK)


class Looks(nn.Module):
    """A forward that meta tensors cannot be sent through, giving `width` numbers."""

    def __init__(self, how: str, width: int) -> None:
        super().__init__()
        self.how, self.width, self.norm = how, width, nn.BatchNorm2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        if self.how == "numpy":
            return torch.as_tensor(x.detach().numpy()).flatten(1)[:, : self.width]
        if self.how == "constant":
            return (x + torch.ones(8)).flatten(1)[:, : self.width]
        if self.how == "item":
            return x.flatten(1)[:, : self.width] * (1 + x.sum().item())
        return torch.as_tensor(x.tolist()).flatten(1)[:, : self.width]


@pytest.mark.parametrize("how", ["numpy", "constant", "item", "list"])
def test_a_forward_that_the_meta_device_cannot_run(how: str) -> None:
    """It is run for real: what fits passes and stays as it was, what does not is named with its shape."""

    @space
    def looking(pick: Any, task: Any) -> nn.Module:
        return Looks(how, pick("width", [2, 3]))

    fits = looking.build(Architecture({"width": 3}), TASK)
    assert isinstance(fits, Looks)
    assert fits.norm.num_batches_tracked == 0
    with pytest.raises(Unbuildable, match=r"gives \[2, 2\] for 2 inputs, expected \[2, 3\]"):
        looking.build(Architecture({"width": 2}), TASK)
    with torch.device("meta"):
        assert isinstance(looking.build(Architecture({"width": 3}), TASK), Looks), "a draft cannot be run"


def test_a_shape_behind_such_a_forward() -> None:
    """The layer that refuses is found by the real forward, with the question and both shapes."""

    @space
    def behind(pick: Any, task: Any) -> nn.Module:
        head = pick.module("head", {"fits": lambda: nn.Linear(5, 3), "wide": lambda: nn.Linear(9, 3)})
        return nn.Sequential(Looks("numpy", 5), head)

    behind.build(Architecture({"head": "fits"}), TASK)
    with pytest.raises(Unbuildable, match=r"question 'head' \(wide\).*in_features=9.* cannot take \[2, 5\]"):
        behind.build(Architecture({"head": "wide"}), TASK)


def test_lazy_modules_learn_their_sizes_in_build() -> None:
    """What comes back is ordinary; they are no candidates of a shared network."""

    @space
    def lazy(pick: Any, task: Any) -> nn.Module:
        op = pick.module("op", {"conv": lambda: nn.LazyConv2d(4, 3), "flat": nn.Flatten})
        return nn.Sequential(op, nn.Flatten(), nn.LazyLinear(task.classes))

    built = lazy.build(Architecture({"op": "conv"}), TASK)
    assert [type(m) for m in built] == [nn.Conv2d, nn.Flatten, nn.Linear]
    with torch.device("meta"):
        assert lazy.build(Architecture({"op": "flat"}), TASK)[2].in_features == 64
    with pytest.raises(SpaceError, match="lazy modules cannot be shared"):
        lazy.know(Shares).share({}, TASK)


@space
def wide(pick: Any, task: Any) -> Any:
    """Questions of every kind, one of them conditional."""
    hidden = pick.integer("hidden", 2, 6)
    pick.some("branches", ["relu", "tanh", "sigmoid"], 1, 2)
    pick.real("slope", 0.01, 0.5, log=True)
    deep = pick("deep", [True, False])
    if deep:
        pick.inside("deeper").integer("hidden", 2, 4)
    pick.require(hidden > 2 or not deep, "a deep network must not be narrow")
    return lambda: nn.Flatten()


@space
def forked(pick: Any, task: Any) -> Any:
    """Forks and repetitions, read without torch's help."""
    pick.fork("op", {1: nn.ReLU, "deep": lambda pick: pick.fork("inner", {"a": nn.Tanh, "b": nn.ReLU})})
    pick.forks("some", {"a": nn.Tanh, "b": nn.ReLU}, 0, 2)
    pick.repeat("layers", 0, 3, lambda pick, i: pick.fork("op", {"a": nn.Tanh, "b": nn.ReLU}))
    return lambda: nn.Flatten()


EDITED = {"hidden": 3, "branches": ["relu"], "slope": 0.1, "deep": True, "deeper/hidden": 2}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            {"hiden": 3, "hidden": None},
            "question 'hidden' has no answer, which would be a whole number from 2 to 6; "
            "is 'hiden' meant to be one?",
        ),
        ({"branches": ["relv"]}, "question 'branches': 'relv' is not an option; did you mean 'relu'?"),
        (
            {"branches": "relu"},
            "question 'branches': expected a list of 1 to 2 of 'relu', 'tanh', 'sigmoid', got 'relu'",
        ),
        ({"branches": ["relu", "relu"]}, "question 'branches': expected a list of 1 to 2 of"),
        ({"slope": None}, "question 'slope' has no answer, which would be a number from 0.01 to 0.5"),
        ({"slope": "steep"}, "question 'slope': expected a number from 0.01 to 0.5, got 'steep'"),
        ({"deep": 1}, "question 'deep': 1 is not an option (valid: True, False)"),
        ({"deep": False}, "no question 'deeper/hidden' is asked"),
        ({"deeper": {"hidden": 2}}, "question 'deeper': an answer is text, a number or a list of them"),
        ({"deeper/hiddn": 2}, "no question 'deeper/hiddn' is asked; did you mean 'deeper/hidden'?"),
        ({"hidden": 2}, "the space rejects this architecture: a deep network must not be narrow"),
    ],
)
def test_an_edited_architecture_is_replayed_strictly(edit: dict[str, Any], says: str) -> None:
    """Unknown paths name the nearest, illegal answers what is legal, missing ones their question."""
    assert replay(wide, Architecture.from_json(EDITED)).to_json() == EDITED
    answers = {path: answer for path, answer in {**EDITED, **edit}.items() if answer is not None}
    with pytest.raises(IllegalArchitecture, match=re.escape(says)):
        replay(wide, Architecture.from_json(answers))


ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    0.5,
    float("nan"),
    float("inf"),
    "",
    "conv",
    "relu",
    [],
    ["x"],
    [[1]],
    {},
]


def edited(answers: dict[str, Any], rng: np.random.Generator) -> Any:
    """One to three random edits: a path misspelt, dropped or made up, an answer replaced or moved."""
    answers = dict(answers)
    for _ in range(int(rng.integers(1, 4))):
        paths = [*answers, "made/up"]
        path, other = (paths[int(i)] for i in rng.integers(len(paths), size=2))
        edit = int(rng.integers(6))
        if edit == 0:
            answers[path[:-1] + "#"] = answers.pop(path, 1)
        elif edit == 1:
            answers.pop(path, None)
        elif edit == 2:
            answers[path + "/more"] = ODD[int(rng.integers(len(ODD)))]
        elif edit == 3:
            answers[path] = ODD[int(rng.integers(len(ODD)))]
        elif edit == 4:
            answers[path] = answers.get(other)
        else:
            answers[path] = [answers.get(other), answers.get(path)]
    return answers if rng.random() < 0.99 else [answers]


@pytest.mark.damage
def test_no_wrong_architecture_is_an_uncaught_exception() -> None:
    """10,000 random edits of architectures of several spaces: each is accepted, and then is one, or refused
    by an error of ours; nearly all are refused."""
    names = ("pnas", "macro", "nasbench101", "nasbench201", "tiny-chain")
    spaces = [*(SPACES.make(name) for name in names), forked, wide]
    refusals = 0
    for n in range(10_000):
        rng, space = stream(0, "edited", n), spaces[n % len(spaces)]
        answers = edited(sample(space, rng).to_json(), rng)
        try:
            accepted = replay(space, Architecture.from_json(answers))
        except CambrianError:
            refusals += 1
        else:
            assert replay(space, accepted) == accepted
    assert refusals > 9_000
