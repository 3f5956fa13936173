"""Descriptions against explicit vectors, features one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cambrian.architecture import completions, sample
from cambrian.predictors.features import Whole, distances
from cambrian.predictors.paths import path_counts
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.knowledge import Graphs
from mocks import Toy


def apart(one, other):
    """The sum over features of the squared difference of two mappings."""
    return sum((one.get(k, 0) - other.get(k, 0)) ** 2 for k in {**one, **other})


def logarithms(space, architecture):
    """Of 1 + the number of paths of each kind, skip connections left out of the labels."""
    kinds = Counter()
    for path, count in path_counts(space.know(Graphs).graph(architecture)).items():
        kinds[tuple(label for label in path if label != "skip_connect")] += count
    return {kind: np.log(1 + count) for kind, count in kinds.items()}


def test_distances_are_those_of_counts_of_paths_and_of_answers():
    """Of 20 cells of NAS-Bench-201 with 5 others, and an answer more that differs is 1 more."""
    space = NASBench201()
    cells = [sample(space, stream(n, "features")) for n in range(25)]
    some, others = cells[:20], cells[20:]
    paths, told = distances(space, some, others)
    counts = {a: logarithms(space, a) for a in cells}
    np.testing.assert_allclose(paths, [[apart(counts[a], counts[b]) for b in others] for a in some])
    np.testing.assert_allclose(told, [[sum(a[q] != b[q] for q in a) for b in others] for a in some])


def test_skipping_first_or_last_makes_no_difference():
    """Both are the convolution alone: paths 0 apart, answers 2."""
    space = NASBench201()
    one, other = space.architecture((1, 0, 0, 0, 3, 0)), space.architecture((3, 0, 0, 0, 1, 0))
    paths, told = distances(space, [one], [other])
    assert paths.item() == 0.0
    assert told.item() == pytest.approx(2.0)


@pytest.mark.parametrize("space", [Toy(questions=4), PNAS(blocks=1)])
def test_a_whole_space_lies_as_far_as_its_architectures_one_by_one(space):
    """Kept columns, whichever were asked for before: paths and answers, or answers where no graph is."""
    whole = Whole(completions(space, {}))
    others = [sample(space, stream(n, "features")) for n in range(6)]
    for asked in (others[:2], others, others[::-1]):
        for ours, theirs in zip(
            distances(space, whole, asked), distances(space, list(whole), asked), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_whole_space_is_itself_alone():
    """Two of equal content are two keys; finding one again compares nothing."""
    content = list(completions(Toy(questions=2), {}))
    one, other = Whole(content), Whole(content)
    assert list(one) == list(other)
    assert one != other
    assert {one: 1, other: 2} == {other: 2, one: 1}
