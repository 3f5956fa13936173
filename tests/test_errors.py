"""The tree of errors: what its docstring draws is what there is."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian import errors
from cambrian.errors import (
    MOST_NAMES,
    CambrianError,
    MissingExtra,
    Rejected,
    RunError,
    UnknownName,
    UsageError,
    did_you_mean,
)

CLASSES = {name: c for name, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, CambrianError)}


def drawn() -> dict[str, str]:
    """class -> parent, read off the picture in the module's docstring."""
    found, parents = {}, {0: "CambrianError"}
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r"^((?:│   )*)[├└]── (\w+)", line)
        if node:
            depth = len(node[1]) // 4 + 1
            found[node[2]] = parents[depth - 1]
            parents[depth] = node[2]
    return found


def test_the_picture_of_the_tree_is_the_tree() -> None:
    """Every class is drawn, under its own parent."""
    assert drawn() == {n: c.__bases__[0].__name__ for n, c in CLASSES.items() if c is not CambrianError}


def test_the_tree_is_shallow() -> None:
    """Two levels below the root at most."""
    depths = [sum(issubclass(above, CambrianError) for above in c.__mro__) for c in CLASSES.values()]
    assert max(depths) - 1 <= 2


def test_exit_codes_tell_whose_fault_it_is() -> None:
    """2: what the user gave; 3: the run directory; 1: anything else."""
    codes = {
        n: 2 if issubclass(c, UsageError) else 3 if issubclass(c, RunError) else 1 for n, c in CLASSES.items()
    }
    assert {n: c.exit_code for n, c in CLASSES.items()} == codes


def test_a_rejected_walk_is_nobodys_mistake() -> None:
    """It is redrawn, so no one who catches mistakes of use may catch it."""
    assert not issubclass(Rejected, UsageError)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30), st.text(max_size=8))
def test_did_you_mean_offers_valid_names_only(valid: list[str], name: str) -> None:
    """What is offered is one of the valid names; few are listed all, many are not."""
    tail = did_you_mean(name, valid)
    offered = [v for v in valid if f"did you mean {v!r}?" in tail]
    assert ("did you mean" in tail) == bool(offered)
    assert ("valid: " in tail) == (len(valid) <= MOST_NAMES)


def test_did_you_mean_finds_the_slip() -> None:
    """One letter off is found; something else is not."""
    assert did_you_mean("progresive", ["progressive", "random"]).startswith("; did you mean 'progressive'?")
    assert "did you mean" not in did_you_mean("zzz", ["progressive", "random"])


def test_an_unknown_name_carries_what_is_valid() -> None:
    """For those who want to offer a choice of their own."""
    error = UnknownName("strategy", "randm", iter(["random", "progressive"]))
    assert (error.kind, error.name, error.valid) == ("strategy", "randm", ["progressive", "random"])
    assert str(error).startswith("unknown strategy 'randm'; did you mean 'random'?")


def test_a_missing_extra_says_how_to_get_it() -> None:
    """The command can be copied."""
    assert "pip install 'cambrian[export]'" in str(MissingExtra("onnx", "export", "exporting to ONNX"))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_can_be_raised_with_a_sentence(name: str) -> None:
    """Those without a form of their own take the sentence."""
    if name not in ("UnknownName", "MissingExtra", "Unread"):
        assert str(CLASSES[name]("a sentence")) == "a sentence"
