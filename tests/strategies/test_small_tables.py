"""Strategies on tables: the rows are listed without walks, and a small table is scored as a whole."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cambrian.architecture import Architecture, completions
from cambrian.benchmarks import table
from cambrian.predictors.features import Whole, list_whole
from cambrian.predictors.otmann_kernel import OTMANN
from cambrian.predictors.weisfeiler_lehman import WeisfeilerLehman
from cambrian.spaces.knowledge import Lists, know
from cambrian.spaces.space import Space
from cambrian.strategies.bayesian.candidates import enumerate_space

KINDS = ("conv", "pool", "none")


@pytest.fixture
def space(tmp_path):
    """Chains of three operations, with a size where the first is a convolution: 45 rows."""
    lines = ["op1,op2,op3,size,value"]
    for first, second, third in product(KINDS, KINDS, KINDS):
        for size in (3, 5, 7) if first == "conv" else ("",):
            lines.append(f"{first},{second},{third},{size},{len(lines)}")
    path = tmp_path / "chains.csv"
    path.write_text("\n".join(lines))
    return table(path, questions=("op1", "op2", "op3", "size")).space


class Unlisted(Space):
    """The same questions, of a space that does not list its architectures."""

    def __init__(self, space):
        self.space = space

    def program(self, pick):
        self.space.program(pick)


def test_a_table_lists_its_rows_as_an_enumeration_does(space):
    """The same architectures in the same order, as many as it counts, without a walk."""
    assert space.list_architectures() == list(completions(space, {}))
    assert [list(a) for a in space.list_architectures()] == [list(a) for a in completions(space, {})]
    assert space.count == len(space.list_architectures()) == 45


def test_a_long_table_is_refused_without_a_walk(space, monkeypatch):
    """Its length is known: no row is visited to find it too long."""
    monkeypatch.setattr(Space, "walk", lambda *_: pytest.fail("walked"))
    assert know(space, Lists) is not None
    assert enumerate_space(space, 44, 44) is None
    assert len(enumerate_space(space, 45, 45).architectures) == 45


@pytest.mark.parametrize("kernel", [WeisfeilerLehman(), OTMANN()])
def test_kept_columns_are_the_correlations(space, kernel):
    """Correlations read from a list's columns are those of the architectures compared two by two."""
    whole, plain = list_whole(space), Unlisted(space)
    assert isinstance(whole, Whole)
    some, others = whole[3:20], whole[15:40]
    # The settings are those of the fit, of which one of each number of rounds or pair of rates is tried.
    settings = [setting for setting, _, _ in kernel.kernels(kernel.describe(plain, others))]
    for setting in settings[:4]:
        for ours in (whole, some):
            kept = kernel.correlation(setting, kernel.describe(space, ours), kernel.describe(space, others))
            alone = kernel.correlation(setting, kernel.describe(plain, ours), kernel.describe(plain, others))
            np.testing.assert_allclose(kept, alone, atol=1e-6)


def test_an_error_makes_its_sentence_when_it_is_read(space):
    """The nearest option is found by whoever reads the error, and not where a walk catches it."""
    with pytest.raises(Exception, match="did you mean 'conv'"):
        space.walk(lambda choice: "cnv")
    assert Architecture({"op1": "conv"}) not in set(space.list_architectures())
