"""Sounds and texts from files to predictions of further files, by spaces that know neither."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import torch

import cambrian
from cambrian.architecture import sample
from cambrian.cli.export import predict
from cambrian.exports.predict import predict_files
from cambrian.randomness import stream
from cambrian.search.search import Search
from cambrian.spaces import SPACES

RATE, COUNT = 4000, 24
RNG = np.random.default_rng(4)
LETTERS = {"early": "abcdef ", "late": "tuvwxyz "}


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones that rise or fall, which only their course in time tells apart."""
    root = tmp_path_factory.mktemp("tones")
    moments = np.arange(RATE // 4) / RATE
    for name, slope in (("up", 1), ("down", -1)):
        (root / name).mkdir()
        for n in range(COUNT):
            sweep = RNG.uniform(900, 1100) + slope * 2400 * (moments - 0.125)
            samples = 0.5 * np.sin(2 * np.pi * np.cumsum(sweep) / RATE)
            with wave.open(str(root / name / f"{n}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes((32767 * samples).astype("<i2").tobytes())
    return root


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of letters from the beginning or from the end of the alphabet."""
    root = tmp_path_factory.mktemp("letters")
    for name, kinds in LETTERS.items():
        (root / name).mkdir()
        for n in range(COUNT):
            text = "".join(RNG.choice(list(kinds), 20))
            (root / name / f"{n}.txt").write_text(f"m{text}n")
    return root


@pytest.mark.usefixtures("clean_is_forked")
def test_sounds_are_learned_and_predicted(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The export takes .wav files and folders of them, and agrees with the run's own network."""
    task = cambrian.load(tones, mels=16)
    search = Search("tiny-chain", "random", "train", task, 1, fidelity=cambrian.Fidelity(15), workers=1)
    result = search.run(tmp_path / "run", quiet=True)
    exported = cambrian.export(result, tmp_path / "out")
    rows = predict_files(exported, [tones / "up", tones / "down" / "3.wav"])
    assert len(rows) == COUNT + 1
    right = [row.label == Path(row.file).parent.name for row in rows]
    assert np.mean(right) > 0.8
    assert list(result.predict([tones / "down" / "3.wav"]).labels) == [rows[-1].label]
    predict(exported, [tones / "down"])
    assert f"{tones / 'down'}: a folder of {COUNT} sounds" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["stages", "sequence-chain", "darts-rnn", "nascell", "autoformer"])
def test_spaces_read_texts(name: str, letters: Path) -> None:
    """Each builds a network for texts, whose logits follow the characters."""
    task = cambrian.load(letters)
    space = SPACES.make(name)
    torch.manual_seed(0)
    network = space.build(sample(space, stream(0, "texts")), task).eval()
    pixels = torch.from_numpy(task.inputs[:4].astype(np.float32) / 255).permute(0, 3, 1, 2)
    with torch.inference_mode():
        logits, others = network(pixels), network(pixels.flip(1))
    assert logits.shape == (4, 2)
    assert not torch.allclose(logits, others)
