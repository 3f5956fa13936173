"""What a space cannot be made of is said in a sentence, whoever wrote it: on the command line, in a spec."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from cambrian.architecture import replay, sample
from cambrian.errors import SpaceError, UsageError
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.branches.anchor_points.space import AnchorPoints

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


NUMBERS = [
    (name, field)
    for name, field in CASES
    for default in [getattr(SPACES.make(name), field)]
    if not isinstance(default, str | bool | Mapping)
    and not (isinstance(default, tuple) and {str, tuple} & set(map(type, default)))
    if default != ()
]


@pytest.mark.parametrize(("name", "setting"), NUMBERS)
@pytest.mark.parametrize("value", [10**9, 10**30])
def test_no_number_is_huge(name: str, setting: str, value: int) -> None:
    """Of blocks, layers, filters, ...: it is refused, before anything is as large, with the largest named."""
    default = getattr(SPACES.make(name), setting)
    given = [value] * len(default) if isinstance(default, tuple) else value
    with pytest.raises(SpaceError, match=rf"space '{name}': {setting} .*(to|most) [\d,]+, got"):
        SPACES.make({"name": name, "arguments": {setting: given}})


LARGEST = [
    "pnas(blocks=20)",
    "nasnet(blocks=20)",
    "amoebanet(blocks=20)",
    "darts(nodes=20)",
    "enas-micro(nodes=20)",
    "cgp(rows=10, columns=50, levels_back=50, most=500)",
    "tiny-chain(layers=50)",
    "anchor-points(layers=30, least=30)",
    "enas-macro(layers=30, least=30)",
    "free-graph(layers=30)",
    "network-morphism(layers=30)",
    "memory-banks(layers=30, banks=16)",
    "metaqnn(layers=50)",
    "darts-rnn(nodes=30)",
    "nascell(base=30)",
    "stacked(stages=30, cells=30, cell=pnas, blocks=20)",
    "hierarchical(motifs=[12, 12], nodes=[11, 11, 11])",
    "proxylessnas(depths=[20, 20, 20, 20, 20, 20])",
    "autoformer(depths=[50, 50])",
]


@pytest.mark.parametrize("text", LARGEST)
def test_the_largest_is_sampled(text: str) -> None:
    """At the bounds a sample is an architecture of the space, and is drawn at once."""
    space = SPACES.parse(text)
    drawn = sample(space, stream(0))
    assert replay(space, drawn) == drawn


@pytest.mark.parametrize("setting", ["heights", "widths", "filters", "strides"])
@pytest.mark.parametrize("value", [(), (0,), (3, 3)])
def test_options_are_numbers_from_one_on(setting: str, value: tuple[int, ...]) -> None:
    """None, too small, twice."""
    with pytest.raises(UsageError, match=f"space 'anchor-points': {setting} are "):
        AnchorPoints(**{setting: value})


def test_kernels_are_odd() -> None:
    """So that padding keeps the image's size."""
    with pytest.raises(UsageError, match="heights are different odd numbers"):
        AnchorPoints(heights=(2, 3))
