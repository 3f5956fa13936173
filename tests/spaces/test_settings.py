"""What a space cannot be made of is said in a sentence, whoever wrote it: on the command line, in a spec."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cambrian.errors import UsageError
from cambrian.spaces import SPACES
from cambrian.spaces.branches.anchor_points import AnchorPoints

CASES = [(name, field.name) for name in SPACES.names() for field in dataclasses.fields(SPACES.get(name))]


@pytest.mark.parametrize(("name", "setting"), CASES)
@pytest.mark.parametrize("value", [-1, 0.5, "x", None, ["x"], [-1], {}], ids=repr)
def test_no_space_is_made_of_these(name: str, setting: str, value: Any) -> None:
    """Numbers too small, text, nothing, lists of such: the space and the setting or the value are named."""
    with pytest.raises(UsageError) as told:
        SPACES.make({"name": name, "arguments": {setting: value}})
    words = str(told.value)
    assert "\n" not in words
    assert name in words or repr(value) in words or "'x'" in words
    assert "cannot be made of" not in words  # what python itself says of a wrong argument


@pytest.mark.parametrize("setting", ["heights", "widths", "filters", "strides"])
@pytest.mark.parametrize("value", [(), (0,), (3, 3)])
def test_options_are_numbers_from_one_on(setting: str, value: tuple[int, ...]) -> None:
    """None, too small, twice."""
    with pytest.raises(UsageError, match=f"space 'anchor-points': {setting} are different"):
        AnchorPoints(**{setting: value})


def test_kernels_are_odd() -> None:
    """So that padding keeps the image's size."""
    with pytest.raises(UsageError, match="heights are different odd numbers"):
        AnchorPoints(heights=(2, 3))
