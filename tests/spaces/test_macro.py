"""Networks of NAS-Bench-Macro without its table."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cambrian.errors import UnknownName
from cambrian.randomness import stream
from cambrian.spaces.chains.macro.space import FIRST, Macro
from cambrian.spaces.knowledge import Encodes, Grows
from cambrian.spaces.program.function_space import Shape

SPACE = Macro()
SHAPE = Shape(2, 8, 8, 3)


def texts():
    return {codes: SPACE.canonical(SPACE.architecture(codes)) for codes in product(range(3), repeat=8)}


def test_functions_are_counted_stage_by_stage():
    """3 times 3 first stages; 3 times (1 + 2 + 4) second and third ones: 3,969."""
    assert len(set(texts().values())) == 3 * 3 * (3 * 7) ** 2


def test_networks_of_one_text_are_the_same_module():
    """Layer by layer the same, for some pairs of all kinds; and another for each other text of those."""
    pairs = {}
    for codes, text in texts().items():
        pairs.setdefault(text, []).append(codes)
    several = [group for group in pairs.values() if len(group) > 1][::100]
    built = {}
    for group in several:
        names = {str(SPACE.build(SPACE.architecture(c), SHAPE, filters=2)) for c in (group[0], group[-1])}
        assert len(names) == 1, group
        built[names.pop()] = group
    assert len(built) == len(several)


def test_growth_reaches_every_function():
    """3, 9, 27, ... chains of so many layers, and at last all functions, each of them once."""
    cells, found = [], []
    for level in SPACE.know(Grows).levels:
        pool = SPACE.know(Grows).grow(cells, stream(0))
        cells = [pool.architecture(i) for i in range(len(pool))]
        assert {SPACE.know(Grows).level(c) for c in cells} == {level}
        found.append(len(cells))
    assert found[:4] == [3, 9, 27, 81]
    assert {SPACE.canonical(c) for c in cells} == set(texts().values())
    assert found[-1] == 3969
    assert len(SPACE.know(Grows).grow(cells, stream(0))) == 0


def test_a_short_chain_is_the_long_one_that_does_nothing_after_it():
    """The same network, text and, in each layer of its own, the same tokens."""
    short, long = SPACE.architecture((2, 0, 1)), SPACE.architecture((2, 0, 1, 0, 0, 0, 0, 0))
    assert short != long
    assert SPACE.codes(short) == SPACE.codes(long)
    assert SPACE.canonical(short) == SPACE.canonical(long)
    assert str(SPACE.build(short, SHAPE, filters=2)) == str(SPACE.build(long, SHAPE, filters=2))
    tokens = SPACE.know(Encodes).tokens([short, long])
    assert tokens[0].tolist() == [[0, 2], [1, 0], [2, 1]] + [[-1, -1]] * 5
    assert tokens[1, :3].tolist() == tokens[0, :3].tolist()


def test_a_layer_that_is_nothing_is_a_projection_first_in_its_stage():
    """Without any block there are three of them, and the image is halved three times all the same."""
    import torch

    network = SPACE.build(SPACE.architecture((0,) * 8), SHAPE, filters=2).eval()
    strided = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)]
    assert len(strided) == len(FIRST) == 3
    assert network(torch.zeros(1, 2, 8, 8)).shape == (1, 3)
    assert not np.isnan(network(torch.zeros(1, 2, 8, 8)).detach().numpy()).any()
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        SPACE.build(SPACE.architecture((0,) * 8), SHAPE, filter=2)
