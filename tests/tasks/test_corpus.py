"""Texts of which the next character is learned: windows read back, parts apart, metrics by closed forms, and
a text that repeats itself learned."""

from __future__ import annotations

import gzip
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refused
from torch import nn

from cambrian import space
from cambrian.architecture import Architecture
from cambrian.errors import Unbuildable, UsageError
from cambrian.estimators.build import build_network
from cambrian.estimators.job import Job
from cambrian.estimators.scoring import measure_all
from cambrian.exports.readme import OUTPUTS, write_readme
from cambrian.goal import IGNORED, Goal
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Done, Fidelity
from cambrian.reports.sampled_text import write_text
from cambrian.search.search import Search
from cambrian.tasks import load, read_texts
from cambrian.tasks.readers.corpus import Corpus, is_corpus
from cambrian.tasks.targets.metrics import (
    KINDS,
    METRICS,
    bits_per_character,
    list_metrics,
    measure,
    perplexity,
)
from cambrian.tasks.texts import Script, choose_next

VERSE = "The sea, the sea, the sea!\nWho sails alone sails far;\r\nand who stays, who knows?\n\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def read_back(image: np.ndarray, characters: str) -> str:
    """The characters whose channels are lit; the last channel is any other."""
    return "".join((characters + "\0")[row.argmax()] for row in image[:, 0])


def test_pieces_have_a_target_for_each_character(tmp_path: Path) -> None:
    """Every example is a piece of the text of the asked length, and its targets are the characters after each
    of its own, line ends as \\n; each part of the text is a part of the data, in their order."""
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
        places: list[int] = []
        for n, row in enumerate(rows.tolist()):
            first = 5 * n  # half of nine characters are read twice
            assert read_back(task.inputs[row], characters) == piece[first : first + 9]
            targets = task.targets[row].tolist()
            wanted = piece[first + 1 : first + 10]
            ignored = 0 if part == "train" else 4
            assert targets[:ignored] == [IGNORED] * ignored
            assert "".join(characters[code] for code in targets[ignored:]) == wanted[ignored:]
            places += range(first + ignored, first + 9)
        if part != "train":  # every place is judged once
            assert places == list(range(4, len(piece) - 1 - (len(piece) - 10) % 5))


def test_rare_characters_are_one_and_pieces_are_spread(tmp_path: Path) -> None:
    """Of two kinds that are told apart the third is `other`; fewer pieces are evenly spread."""
    file = write(tmp_path / "x.txt", "aab" * 700 + "z" * 20 + "aab" * 700)
    task = load(Corpus(str(file), length=4, characters=2, windows=200))
    assert task.labels == ("a", "b", "other")
    assert task.sizes == {"train": 160, "validation": 20, "test": 20}
    assert load(Corpus(str(file), windows=200), length=50).inputs.shape[1] == 50


def test_a_packed_text_is_the_same(tmp_path: Path) -> None:
    """A .txt.gz has the name and the task of its text; a damaged one is refused in a sentence."""
    file = write(tmp_path / "verse.txt", VERSE * 40)
    packed = tmp_path / "packed" / "verse.txt.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert load(packed).digest == load(file).digest
    assert load(packed).name == "verse"
    packed.write_bytes(packed.read_bytes()[:40])
    refused(packed, r"verse\.txt\.gz: cannot be read \(.*\): mend it")


def test_a_text_is_told_from_a_table(tmp_path: Path) -> None:
    """Prose is one; lines with a separator equally often are not, nor is a short text."""
    assert is_corpus(write(tmp_path / "prose.txt", VERSE * 40))
    assert is_corpus(write(tmp_path / "line.txt", "a single line without an end " * 50))
    for name, row in (("comma", "1,2,3"), ("tab", "cat.png\tcat"), ("semicolon", "a;b")):
        assert not is_corpus(write(tmp_path / f"{name}.txt", f"{row}\n" * 500))
    assert not is_corpus(write(tmp_path / "short.txt", VERSE))


def test_a_further_text_is_read_to_its_end(tmp_path: Path) -> None:
    """The last characters as they are, before dark rows where there are fewer; the next character is read
    after the last one."""
    task = load(write(tmp_path / "verse.txt", VERSE * 40), length=6)
    characters = task.rendering["text"]["characters"]
    files = [write(tmp_path / "a.txt", "stays far\n\n"), write(tmp_path / "b.txt", "sea")]
    _names, inputs = read_texts(files, task.rendering)
    assert read_back(inputs[0], characters) == " far\n\n"
    assert read_back(inputs[1][:3], characters) == "sea"
    assert not inputs[1][3:].any()
    outputs = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    assert choose_next(outputs, inputs).tolist() == [outputs[0, :, 5].tolist(), outputs[1, :, 2].tolist()]


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
    accuracy = measure("next-accuracy", targets, likely, Goal("characters"))
    assert accuracy == np.mean(likely.argmax(1) == targets)
    assert math.isfinite(bits_per_character(np.array([0]), np.array([[0.0, 1.0]], np.float32)))
    assert list_metrics("characters")[0] == "bits-per-character"
    assert METRICS["bits-per-character"].minimize


def test_bad_texts_are_one_sentence(tmp_path: Path) -> None:
    """Too short for what is asked, and not in UTF-8."""
    file = write(tmp_path / "verse.txt", VERSE * 20)
    refused(
        Corpus(str(file), length=400),
        r"characters are too few to learn a language from, with 400 read at once",
    )
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe" + b"words and words\n" * 100)
    refused(tmp_path / "bad.txt", r"bad\.txt: not a text in UTF-8")


def test_places_that_are_ignored_neither_learn_nor_judge() -> None:
    """Loss and metrics are those of the other places, one by one; so is the squared error."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, 7, generator=generator)
    targets = torch.randint(4, (5, 7), generator=generator)
    targets[:, :3] = IGNORED
    rows, classes = logits[:, :, 3:].transpose(1, 2).reshape(-1, 4), targets[:, 3:].reshape(-1)
    for name in ("cross-entropy", "squared-error"):
        loss = make_loss(Recipe(loss=name, label_smoothing=0.1), Goal("characters"))
        assert loss(logits, targets).item() == pytest.approx(loss(rows, classes).item())
    metrics = measure_all(targets.numpy(), logits.softmax(1).numpy(), Goal("characters"))
    nats = torch.nn.functional.cross_entropy(rows, classes).item()
    assert metrics["bits_per_character"] == pytest.approx(nats / math.log(2))
    assert metrics["next_accuracy"] == pytest.approx((rows.argmax(1) == classes).double().mean().item())


@space
def alone(pick, task):
    """The next character by the present one alone: a table of bigrams."""
    bias = pick("bias", (True, False))
    table = nn.Conv2d(task.channels, task.classes, 1, bias=bias)
    return nn.Sequential(table, nn.Flatten(2))


@space
def seer(pick, task):
    """Reads the characters that it is to predict."""
    rows = pick("rows", (3, 5))
    return nn.Sequential(nn.Conv2d(task.channels, task.classes, (rows, 1), padding="same"), nn.Flatten(2))


@space
def tempted(pick, task):
    """Reads ahead where it is told to."""
    ahead = pick("ahead", (0, 1))
    rows = nn.ZeroPad2d((0, 0, 1 - ahead, ahead))
    return nn.Sequential(rows, nn.Conv2d(task.channels, task.classes, (2, 1)), nn.Flatten(2))


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
    """Of ten letters in a circle the next one is certain: a table of bigrams needs less than a bit, where a
    guess needs more than three."""
    outcome = learn_circle(tmp_path, alone, 6)
    assert outcome.value < 1.0
    assert outcome.metrics["next_accuracy"] == 1.0


def test_networks_that_read_a_text_as_a_whole_are_refused(tmp_path: Path) -> None:
    """A space of one answer for a text, and a function that reads the characters it is to predict."""
    task = load(write(tmp_path / "verse.txt", VERSE * 40), length=8)
    with pytest.raises(UsageError, match=r"networks of the space stages read it as a whole: .* darts-rnn"):
        Search("stages", "random", "train", task, budget=1)
    with pytest.raises(UsageError, match="answers to a text depend on later characters"):
        Search(seer, "random", "train", task, budget=1).run(tmp_path / "run", quiet=True)


def test_each_network_of_a_space_of_ones_own_is_held_to_it(tmp_path: Path) -> None:
    """Those that read ahead are trials without a value, whichever network was looked at first."""
    task = load(write(tmp_path / "verse.txt", VERSE * 40), length=8)
    for ahead in (0, 1):
        job = Job.of(tempted, Architecture({"ahead": ahead}), Fidelity(), task)
        with pytest.raises(Unbuildable, match="later characters") if ahead else nullcontext():
            build_network(job)


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
        return choose_next(np.roll(images[:, :, 0] / 255.0, 1, axis=2).transpose(0, 2, 1), images)

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
