"""Texts of which the next character is learned: windows read back, parts apart, metrics by closed forms, and
a text that repeats itself learned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refused
from torch import nn

from cambrian import space
from cambrian.exports.readme import OUTPUTS, write_readme
from cambrian.goal import Goal
from cambrian.outcome import Done, Fidelity
from cambrian.reports.sampled_text import write_text
from cambrian.search.search import Search
from cambrian.tasks import load, read_texts
from cambrian.tasks.metrics import KINDS, METRICS, bits_per_character, list_metrics, next_accuracy, perplexity
from cambrian.tasks.readers.corpus import Corpus, is_corpus
from cambrian.tasks.texts import Script

VERSE = "The sea, the sea, the sea!\nWho sails alone sails far;\r\nand who stays, who knows?\n\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def read_back(image: np.ndarray, characters: str) -> str:
    """The characters whose channels are lit; the last channel is any other."""
    return "".join((characters + "\0")[row.argmax()] for row in image[:, 0])


def test_windows_are_the_text_before_each_place(tmp_path: Path) -> None:
    """Every example is a piece of the text of the asked length, and its target the character after it, line
    ends as \\n; each part of the text is a part of the data, in their order."""
    task = load(write(tmp_path / "verse.txt", VERSE * 40), length=9)
    text = (VERSE * 40).replace("\r\n", "\n")
    characters = task.rendering["text"]["characters"]
    assert (task.goal, task.metric) == (Goal("characters"), "bits-per-character")
    assert set(characters) == set(text)
    assert task.inputs.shape[1:] == (9, 1, len(characters) + 1)
    assert task.labels[characters.index("\n")] == "newline"
    borders = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
    for part, (begin, end) in borders.items():
        rows = getattr(task, part)
        piece = text[int(begin * len(text)) : int(end * len(text))]
        assert len(rows) == len(piece) - 9  # every place that has nine characters of its part before it
        for n, row in enumerate(rows.tolist()):
            assert read_back(task.inputs[row], characters) == piece[n : n + 9]
            assert characters[task.targets[row]] == piece[n + 9]


def test_rare_characters_are_one_and_places_are_spread(tmp_path: Path) -> None:
    """Of two kinds that are told apart the third is `other`; fewer windows are evenly spread."""
    file = write(tmp_path / "x.txt", "aab" * 700 + "z" * 20 + "aab" * 700)
    task = load(Corpus(str(file), length=4, characters=2, windows=200))
    assert task.labels == ("a", "b", "other")
    assert task.sizes == {"train": 160, "validation": 20, "test": 20}
    assert load(Corpus(str(file), windows=200), length=50).inputs.shape[1] == 50


def test_a_text_is_told_from_a_table(tmp_path: Path) -> None:
    """Prose is one; lines with a separator equally often are not, nor is a short text."""
    assert is_corpus(write(tmp_path / "prose.txt", VERSE * 40))
    assert is_corpus(write(tmp_path / "line.txt", "a single line without an end " * 50))
    for name, row in (("comma", "1,2,3"), ("tab", "cat.png\tcat"), ("semicolon", "a;b")):
        assert not is_corpus(write(tmp_path / f"{name}.txt", f"{row}\n" * 500))
    assert not is_corpus(write(tmp_path / "short.txt", VERSE))


def test_a_further_text_is_read_to_its_end(tmp_path: Path) -> None:
    """The last characters as they are, after dark rows where there are fewer."""
    task = load(write(tmp_path / "verse.txt", VERSE * 40), length=6)
    characters = task.rendering["text"]["characters"]
    files = [write(tmp_path / "a.txt", "stays far\n\n"), write(tmp_path / "b.txt", "sea")]
    _names, inputs = read_texts(files, task.rendering)
    assert read_back(inputs[0], characters) == " far\n\n"
    assert not inputs[1][:3].any()
    assert read_back(inputs[1][3:], characters) == "sea"


def test_metrics_are_those_of_the_cross_entropy() -> None:
    """Bits are torch's cross-entropy over ln 2, the perplexity is 2 to the bits; of a guess without
    knowledge they are log2 and the number of characters."""
    rng = np.random.default_rng(0)
    logits, targets = torch.from_numpy(rng.normal(size=(50, 7))), rng.integers(0, 7, 50)
    nats = float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets)))
    likely = logits.softmax(1).numpy()
    assert bits_per_character(targets, likely) == pytest.approx(nats / math.log(2))
    assert perplexity(targets, likely) == pytest.approx(math.exp(nats))
    assert perplexity(targets, np.full((50, 7), 1 / 7)) == pytest.approx(7)
    assert next_accuracy(targets, likely) == np.mean(likely.argmax(1) == targets)
    assert math.isfinite(bits_per_character(np.array([0]), np.array([[0.0, 1.0]], np.float32)))
    assert list_metrics("characters")[0] == "bits-per-character"
    assert METRICS["bits-per-character"].minimize


def test_bad_texts_are_one_sentence(tmp_path: Path) -> None:
    """Too short for what is asked, and not in UTF-8."""
    file = write(tmp_path / "verse.txt", VERSE * 20)
    refused(Corpus(str(file), length=400), r"characters are too few to learn a language from, with 400")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe" + b"words and words\n" * 100)
    refused(tmp_path / "bad.txt", r"bad\.txt: not a text in UTF-8")


@space
def bag(pick, task):
    """One linear layer, which reads all characters at once."""
    bias = pick("bias", (True, False))
    inputs = task.channels * task.height * task.width
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, task.classes, bias=bias))


def learn_circle(tmp_path: Path, where: Any, epochs: int, **skeleton: int) -> Done:
    """The outcome of a random network of a space that has learned ten letters in a circle."""
    task = load(Corpus(str(write(tmp_path / "circle.txt", "abcdefghij" * 150)), length=2, windows=400))
    train = {"name": "train", "arguments": {"batch_size": 8, "learning_rate": 0.1}}
    fidelity = Fidelity(epochs, skeleton=skeleton)
    search = Search(where, "random", train, task, budget=1, fidelity=fidelity, engine="serial")
    outcome = search.run(quiet=True).trials[0].outcome
    assert search.minimize
    assert isinstance(outcome, Done), outcome
    assert outcome.metrics["perplexity"] == pytest.approx(2**outcome.value)
    return outcome


def test_a_text_that_repeats_itself_is_learned(tmp_path: Path) -> None:
    """Of ten letters in a circle the next one is certain: a linear layer needs less than a bit, where a guess
    needs more than three."""
    outcome = learn_circle(tmp_path, bag, 6)
    assert outcome.value < 1.0
    assert outcome.metrics["next_accuracy"] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_of_every_kind_of_goal_says_how_it_is_used(kind: str) -> None:
    """Its outputs, its title and its use are in words; of characters the title says so."""
    facts = {"goal": {"kind": kind}, "channels": 3, "height": 8, "width": 1}
    text = write_readme(facts, "bytes divided by 255", "")
    assert "program(images)" in text
    assert ("next character" in text) == (kind == "characters")
    assert kind in OUTPUTS


def test_a_text_is_written_character_by_character() -> None:
    """By a network that is certain of the next letter of the alphabet the alphabet is written; one that
    guesses never writes a character without a channel."""
    script = Script("abcde", 3, corpus=True)

    def certain(images: np.ndarray) -> np.ndarray:
        return np.roll(images[:, -1, 0] / 255.0, 1, axis=1)[:, [0, 1, 2, 3, 4, 5]]

    def guess(images: np.ndarray) -> np.ndarray:
        return np.full((1, 6), 1 / 6, np.float32)

    rng = np.random.default_rng(0)
    assert write_text(certain, script, "a", 4, rng) == "bcde"
    drawn = write_text(guess, script, "", 400, rng)
    assert set(drawn) == set("abcde")
    assert len(drawn) == 400


@pytest.mark.slow
@pytest.mark.parametrize(("name", "skeleton"), [("darts-rnn", {"hidden": 24}), ("autoformer", {"patch": 1})])
def test_recurrent_cells_and_transformers_learn_it(
    tmp_path: Path, name: str, skeleton: dict[str, int]
) -> None:
    """Both need a bit less than a guess after few steps already."""
    assert learn_circle(tmp_path, name, 8, **skeleton).value < math.log2(10) - 0.8
