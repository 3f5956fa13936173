"""Sounds: PCM as it is written, spectrograms against closed forms, folders, guesses and refusals."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refused

from cambrian.networks.training.augment import automatic, draw
from cambrian.tasks import load, read_sounds
from cambrian.tasks.sounds import FLOOR, Hearing, draw_spectrogram, make_filters, read_sound

RATE = 8000
HEARING = Hearing(RATE, 0.5)


def tone(frequency: float, seconds: float = 0.5, rate: int = RATE) -> Any:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write_wav(path: Path, samples: Any, width: int = 2, rate: int = RATE) -> Path:
    """Samples [n] or [n, channels] from -1 to 1 as PCM of `width` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.asarray(samples)
    whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    data = (whole + 128).astype(np.uint8) if width == 1 else whole.astype("<i4")
    octets = data.tobytes() if width == 1 else data.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(octets)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Low and high tones of several lengths, ten each."""
    rng = np.random.default_rng(0)
    for name, frequency in (("low", 300), ("high", 2000)):
        for n in range(10):
            samples = tone(frequency * rng.uniform(0.9, 1.1), 0.2 + 0.02 * n)
            write_wav(tmp_path / "tones" / name / f"{n}.wav", samples)
    return tmp_path / "tones"


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pcm_is_read_in_all_widths(width: int, tmp_path: Path) -> None:
    """The samples come back to within a step of their width; two channels are mixed."""
    samples = 0.9 * tone(440)
    step = 2.0 ** (1 - 8 * width) + 1e-6
    read, rate = read_sound(write_wav(tmp_path / "a.wav", samples, width), "a")
    assert rate == RATE
    assert np.abs(read - samples).max() < 2 * step
    both = np.stack([samples, np.zeros_like(samples)], 1)
    mixed, _ = read_sound(write_wav(tmp_path / "b.wav", both, width), "b")
    assert np.abs(mixed - samples / 2).max() < 2 * step


def test_filters_are_triangles_in_mel() -> None:
    """Between the first and the last peak all bands sum to one; each peaks where its mel says."""
    filters = make_filters(HEARING)
    frequencies = np.fft.rfftfreq(2 * (filters.shape[1] - 1), 1 / RATE)
    peaks = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 42)[1:-1] / 2595) - 1)
    inside = (frequencies >= peaks[0]) & (frequencies <= peaks[-1])
    assert np.allclose(filters.sum(0)[inside], 1)
    assert (filters.max(1) > 0).all()
    step = frequencies[1]
    assert np.abs(frequencies[filters.argmax(1)] - peaks).max() <= step


@pytest.mark.parametrize("frequency", [250, 1000, 3000])
def test_a_tone_lights_its_band(frequency: float) -> None:
    """The brightest band is that of the tone, of the power one spread over the window's main lobe (at most
    2.5 for Hann's), whatever its loudness; silence is 0."""
    image = draw_spectrogram((0.1 * tone(frequency)).astype(np.float32), RATE, HEARING)
    assert image.shape == (40, HEARING.frames, 1)
    edges = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 42)
    mel = 2595 * np.log10(1 + frequency / 700)
    middle = image[:, HEARING.frames // 2, 0]
    assert abs(edges[1:-1][39 - middle.argmax()] - mel) <= edges[1]  # the lowest band is the last row
    power = np.expm1(image[:, HEARING.frames // 2, 0].astype(np.float64)) * FLOOR
    assert 0.9 < power.sum() < 2.5
    assert not draw_spectrogram(np.zeros(4000, np.float32), RATE, HEARING).any()


def test_another_rate_is_the_same_sound() -> None:
    """A tone at twice the rate gives the same picture but at the ends, where the filter rings."""
    slow = draw_spectrogram(tone(700).astype(np.float32), RATE, HEARING)
    fast = draw_spectrogram(tone(700, rate=2 * RATE).astype(np.float32), 2 * RATE, HEARING)
    bright = slow[:, 5:-5] > 9  # within a factor of about a hundred of the peak
    assert np.abs(slow[:, 5:-5] - fast[:, 5:-5])[bright].max() < 0.1


def test_a_folder_is_read(folder: Path) -> None:
    """Classes by folders; what is guessed is said, and other files are counted; single files read alike."""
    (folder / "notes.md").write_text("about")
    task = load(folder)
    assert task.labels == ("high", "low")
    assert task.inputs.dtype == np.float32
    assert task.rendering == {"sound": {"rate": RATE, "seconds": 0.38, "mels": 40}}
    said = " ".join(task.warnings)
    assert "0 of 20 are longer and cropped in the middle: seconds=" in said
    assert "passed over, since they are not sounds: 1 .md" in said
    one = read_sounds([folder / "low" / "3.wav"], task.rendering)
    assert one.shape[1:] == task.inputs.shape[1:]
    assert (task.inputs == one[0]).all(axis=(1, 2, 3)).any()


def test_names_and_parts(tmp_path: Path) -> None:
    """Without class folders the beginnings of names are classes; a test folder is the test part."""
    for part, count in (("train", 8), ("test", 3)):
        for n in range(count):
            for name, frequency in (("a", 300), ("b", 2000)):
                write_wav(tmp_path / part / f"{name}_x_{n}.wav", tone(frequency + 20 * n + len(part), 0.1))
    task = load(tmp_path)
    assert task.labels == ("a", "b")
    assert len(task.test) == 6
    assert load(tmp_path, seconds=0.05, mels=20, rate=4000).inputs.shape[1:3] == (20, 5)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda p: p.write_bytes(b"RIFF"), r"bad\.wav: not a \.wav of PCM samples"),
        (
            lambda p: p.write_bytes(p.parent.joinpath("0.wav").read_bytes()[:900]),
            r"bad\.wav: a truncated sound",
        ),
        (lambda p: write_wav(p, np.zeros(0)), r"bad\.wav: a \.wav without samples"),
    ],
)
def test_a_damaged_sound_is_named(write: Any, sentence: str, folder: Path) -> None:
    """One sentence, and one for several that are damaged."""
    write(folder / "low" / "bad.wav")
    refused(folder, sentence, validation=0.4, test=0.4)


def test_options_that_do_not_fit(folder: Path) -> None:
    """A size is of images; the names of these files are not classes."""
    refused(folder, "sounds have no size", size=8)
    refused(folder, "class '0' has only 2 training sounds", classes="name")


def test_augmentation_keeps_pitches() -> None:
    """Sounds are shifted in time alone, by an eighth of their width, and never mirrored; other images draw as
    ever."""
    augment = automatic(40, 64, 1, None, None, 0, upright=True)
    assert (augment.crop, augment.flip) == (8, False)
    assert str(augment) == "shifts in time up to 8 px"
    draws = draw(augment, 50, (40, 64), np.random.default_rng(0))
    assert (draws.corner[:, 0] == 8).all()
    plain = draw(automatic(40, 64, 1, 8, None, 0), 50, (40, 64), np.random.default_rng(0))
    assert (plain.corner[:, 1] == draws.corner[:, 1]).all()
    assert (plain.order == draws.order).all()
