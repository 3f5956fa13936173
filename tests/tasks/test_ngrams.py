"""N-grams by counting: the formula of Kneser and Ney written out, distributions that sum to one, places
counted once, and a text of a known entropy."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from string import ascii_letters

import numpy as np
import pytest

from cambrian.tasks import load
from cambrian.tasks.ngrams import NGrams, Places, find_places, fit_ngrams, score_ngrams
from cambrian.tasks.readers.corpus import Corpus

KINDS, ORDER = 4, 3


def draw_text(count: int) -> list[int]:
    """Letters of which the last is rare and never follows itself."""
    rng = np.random.default_rng(5)
    drawn = rng.choice(KINDS, count, p=(0.5, 0.3, 0.17, 0.03)).tolist()
    return [code for n, code in enumerate(drawn) if n == 0 or (code, drawn[n - 1]) != (3, 3)]


def list_places(text: list[int]) -> Places:
    rows = np.array([text[n - ORDER + 1 : n + 1] for n in range(ORDER - 1, len(text))])
    return Places(rows[:, :-1], rows[:, -1])


def kneser_ney(text: list[int], before: tuple[int, ...], character: int) -> float:
    """The formula, by dictionaries, for the order that is one more than the characters before."""
    grams = Counter(tuple(text[n : n + ORDER]) for n in range(len(text) - ORDER + 1))
    for _ in range(ORDER - len(before) - 1):  # to the number of characters that precede each
        grams = Counter(gram[1:] for gram in grams)
    kinds = Counter(grams.values())
    discount = kinds[1] / (kinds[1] + 2 * kinds[2]) if kinds[1] and kinds[2] else 0.5
    lower = kneser_ney(text, before[1:], character) if before else 1 / KINDS
    following = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == before}
    total = sum(following.values())
    if not total:
        return lower
    own = max(following.get(character, 0) - discount, 0) / total
    return own + discount * len(following) / total * lower


@pytest.fixture(scope="module")
def model() -> NGrams:
    return fit_ngrams(list_places(draw_text(150)), ORDER, KINDS)


def test_probabilities_are_those_of_the_formula_and_sum_to_one(model: NGrams) -> None:
    """After any two letters, also those that the text never has."""
    text = draw_text(150)
    histories = list(product(range(KINDS), repeat=ORDER - 1))
    probabilities = model.predict(np.array(histories))
    wanted = [[kneser_ney(text, before, code) for code in range(KINDS)] for before in histories]
    np.testing.assert_allclose(probabilities, wanted, rtol=1e-12)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
    assert (probabilities > 0).all()
    pairs = {tuple(text[n : n + 2]) for n in range(len(text) - 2)}
    assert len(pairs) < len(histories)


def test_only_the_last_characters_are_read(model: NGrams) -> None:
    """A longer history says no more."""
    short = np.array([[1, 0], [3, 3]])
    long = np.array([[2, 2, 1, 0], [0, 1, 3, 3]])
    np.testing.assert_array_equal(model.predict(long), model.predict(short))


@pytest.mark.parametrize("length", [8, 9])
@pytest.mark.parametrize("windows", [10_000, 200])
def test_every_place_is_counted_once(length: int, windows: int, tmp_path: Path) -> None:
    """Of pieces that overlap and of pieces that lie apart, with the characters before each place."""
    rng = np.random.default_rng(1)
    text = "".join(rng.choice(list(ascii_letters), 4000))
    (tmp_path / "x.txt").write_text(text)
    task = load(Corpus(str(tmp_path / "x.txt"), length=length, windows=windows))
    codes = [task.labels.index(character) for character in text]
    begins = [n for n in range(0, 3200 - length, length - length // 2)]
    begins = [begins[n] for n in np.linspace(0, len(begins) - 1, len(task.train)).round().astype(int)]
    # Two characters of its own piece, or of one that overlaps with it, are before a place that is counted.
    wanted = {n for begin in begins for n in range(begin + 2, begin + length + 1)}
    places = find_places(task, task.train, 3)
    rows = sorted(zip(*places.before.T.tolist(), places.at.tolist(), strict=True))
    assert rows == sorted((codes[n - 2], codes[n - 1], codes[n]) for n in wanted)


def test_the_score_is_near_the_entropy_of_the_text(tmp_path: Path) -> None:
    """Letters in a circle, with a coin for each that says whether it is passed over: one bit a letter."""
    rng = np.random.default_rng(2)
    places = np.cumsum(rng.integers(1, 3, 20_000)) % 10
    (tmp_path / "x.txt").write_text("".join("abcdefghij"[n] for n in places))
    assert score_ngrams(load(tmp_path / "x.txt"))[1] == pytest.approx(1, abs=0.02)
    accuracy = score_ngrams(load(tmp_path / "x.txt", metric="next-accuracy"))[1]
    assert accuracy == pytest.approx(0.5, abs=0.05)
