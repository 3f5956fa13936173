"""Splits: stratified, disjoint, seeded, and true to what the data set brings along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.errors import DataError, UsageError
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Examples
from cambrian.tasks.splits import quotas, split

COUNTS = st.lists(st.integers(3, 60), min_size=2, max_size=8)


def examples(counts: list[int], parts: np.ndarray | None = None, shuffle: int = 0) -> Examples:
    """Examples with `counts[k]` images of class k, in a shuffled order; they cannot be decoded."""
    targets = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(shuffle).shuffle(targets)
    parts = np.full(len(targets), TRAIN, np.int8) if parts is None else parts
    return Examples("toy", targets, tuple(f"c{k}" for k in range(len(counts))), parts, lambda *_: None)


def histogram(found: Examples, indices: np.ndarray) -> np.ndarray:
    return np.bincount(found.targets[indices], minlength=len(found.labels))


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(0, 2**31))
def test_disjoint_complete_and_every_class_everywhere(counts, validation, test, seed) -> None:
    """The three splits are sorted, share nothing, cover everything, and each has every class."""
    found = examples(counts)
    parts = split(found, validation=validation, test=test, seed=seed)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(sum(counts)))
    for indices in (parts.train, parts.validation, parts.test):
        assert (np.diff(indices) > 0).all()
        assert (histogram(found, indices) > 0).all()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(20, 200), min_size=2, max_size=8), st.floats(0.1, 0.4), st.integers(0, 99))
def test_classes_give_their_share_to_the_image(counts, test, seed) -> None:
    """No class is more than one image away from its proportional share, and the total is exact."""
    found = examples(counts)
    taken = histogram(found, split(found, test=test, seed=seed).test)
    assert taken.sum() == round(test * sum(counts))
    share = np.array(counts) * taken.sum() / sum(counts)
    assert (np.abs(taken - share) < 1 + 1e-9).all()


def test_agrees_with_scikit_learn() -> None:
    """Where the shares are whole numbers, the class counts are those of sklearn's stratified split."""
    from sklearn.model_selection import train_test_split

    found = examples([50, 30, 120])
    _, theirs = train_test_split(np.arange(200), test_size=0.2, stratify=found.targets, random_state=0)
    ours = split(found, test=0.2).test
    assert (histogram(found, ours) == histogram(found, theirs)).all()


def test_deterministic_and_seeded() -> None:
    """The same seed gives the same split, another seed another."""
    found = examples([40, 40])
    first, again, other = (split(found, seed=s) for s in (1, 1, 2))
    assert (first.train == again.train).all()
    assert (first.test == again.test).all()
    assert (first.test != other.test).any()


@settings(deadline=None, max_examples=30)
@given(COUNTS, st.integers(0, 99))
def test_given_parts_are_kept(counts, seed) -> None:
    """A test part that the data set brings along is the test split; validation comes out of the rest."""
    whole = [2 * c for c in counts]
    parts = np.random.default_rng(seed).choice(np.array([TRAIN, TEST], np.int8), sum(whole))
    found = examples(whole, parts)
    pool = np.bincount(found.targets[parts == TRAIN], minlength=len(whole))
    if pool.min() < 2:
        with pytest.raises(DataError, match="too few to be in every split"):
            split(found, seed=seed)
        return
    ours = split(found, test=0.5, seed=seed)
    assert (ours.test == np.flatnonzero(parts == TEST)).all()
    assert set(ours.train) | set(ours.validation) == set(np.flatnonzero(parts == TRAIN))
    assert not set(ours.train) & set(ours.validation)


def test_all_three_given() -> None:
    """A data set with all three parts is taken as it is, whatever the fractions say."""
    parts = np.array([TRAIN, TRAIN, VALIDATION, TEST] * 10, np.int8)
    found = Examples("toy", np.arange(40) // 4 % 2, ("a", "b"), parts, lambda *_: None)
    ours = split(found, validation=0.5, test=0.5)
    assert (ours.train == np.flatnonzero(parts == TRAIN)).all()
    assert (ours.validation == np.flatnonzero(parts == VALIDATION)).all()
    assert (ours.test == np.flatnonzero(parts == TEST)).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(10, 60), min_size=2, max_size=5), st.integers(15, 40))
def test_limit_is_a_stratified_subset(counts, limit) -> None:
    """`limit` keeps that many images, each class within one image of its share."""
    found = examples(counts)
    limit = min(limit, sum(counts))
    parts = split(found, limit=limit, seed=3)
    kept = histogram(found, np.concatenate([parts.train, parts.validation, parts.test]))
    assert kept.sum() == limit
    floor = np.maximum(np.array(counts) * limit / sum(counts), 3)  # three splits want an image each
    assert (kept <= np.ceil(floor)).all()
    assert (kept >= 3).all()


def test_limit_leaves_a_given_test_part_whole() -> None:
    """Downscaling the training does not change what is judged by."""
    parts = np.array([TRAIN] * 900 + [TEST] * 100, np.int8)
    ours = split(examples([500, 500], parts), limit=100)
    assert len(ours.train) + len(ours.validation) == 100
    assert len(ours.test) == 100


def test_validation_by_default() -> None:
    """A tenth of a large set, a fifth of a small one, 500 images in between."""
    for size, expected in ((10_000, 1_000), (4_000, 500), (500, 100)):
        parts = np.array([TRAIN] * size + [TEST] * 2, np.int8)
        found = examples([size // 2 + 1, size // 2 + 1], parts)
        assert len(split(found).validation) == expected


def test_whole_numbers_are_images() -> None:
    """`test=30` is thirty images, not a fraction."""
    ours = split(examples([100, 100]), validation=20, test=30)
    assert (len(ours.train), len(ours.validation), len(ours.test)) == (150, 20, 30)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan"), 200, 0, True])
def test_impossible_shares_are_refused(share) -> None:
    """A share that leaves nothing on one side is one sentence."""
    with pytest.raises(UsageError, match="expected a fraction between 0 and 1"):
        split(examples([100, 100]), test=share)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([50, 1], "class 'c1' has only 1 training image, too few"),
        ([50, 2, 1], r"class 'c1' has only 2 training images \(and 1 more classes too few\)"),
        ([50], "only one class, 'c0'"),
        ([50, 0], "class 'c1' has no training image"),
    ],
)
def test_classes_that_cannot_be_split(counts, sentence) -> None:
    """A class that cannot be in every split is named."""
    with pytest.raises(DataError, match=sentence):
        split(examples(counts))


def test_limit_too_small_for_the_classes() -> None:
    """A limit that starves a class says what would do."""
    with pytest.raises(DataError, match="give at least 9"):
        split(examples([50, 50, 50]), limit=8)


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.data())
def test_quotas_are_the_nearest_to_proportion(counts, data) -> None:
    """Against brute force: no exchange of one image between two classes comes nearer to proportion."""
    sizes = np.array(counts)
    total = data.draw(st.integers(len(counts), sum(counts) - len(counts)))
    low, high = np.ones_like(sizes), sizes - 1
    taken = quotas(sizes, total, low, high)
    assert taken.sum() == total
    assert ((taken >= low) & (taken <= high)).all()
    ideal = sizes * total / sizes.sum()
    loss = ((taken - ideal) ** 2).sum()
    for more in range(len(counts)):
        for less in range(len(counts)):
            if more != less and taken[more] < high[more] and taken[less] > low[less]:
                moved = taken.copy()
                moved[more] += 1
                moved[less] -= 1
                assert ((moved - ideal) ** 2).sum() >= loss - 1e-9
