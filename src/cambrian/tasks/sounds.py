"""Sounds to images of one channel: log-mel spectrograms, whose rows are bands and whose columns are moments.

Samples are mixed to one channel, brought to one rate and to a peak of one, and cropped or filled with
silence, evenly at both ends. Frames of 25 ms, 10 ms apart, are weighted by a Hann window; the power of their
spectrum is summed in triangular bands that are equally wide in mel, m = 2595 log10(1 + f / 700) (Davis &
Mermelstein 1980, "Comparison of parametric representations for monosyllabic word recognition"; the formula is
O'Shaughnessy's, 1987). The logarithm is of power above FLOOR, so that silence is 0, as is what shifts move
in.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.settings import COUNT, POSITIVE, Span, check_settings
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME, HOP = 0.025, 0.010
"""Seconds of a frame, and between two (as in speech recognition, such as HTK's)."""
MOST_FRAMES = 128
"""Columns from which on frames are further apart: a longer sound is seen more coarsely."""
FLOOR = 1e-6
"""The power that counts as silence, beside a sine of full scale, whose power is about 1."""
BANDS = Span(4, 256)
MOST_SAMPLES = 100_000_000


class Hearing(msgspec.Struct, frozen=True):
    """How sounds become images, for all of a task: samples a second, seconds, and bands."""

    rate: Annotated[int, COUNT]
    seconds: Annotated[float, POSITIVE]
    mels: Annotated[int, BANDS] = 40

    @property
    def samples(self) -> int:
        return max(1, round(self.rate * self.seconds))

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return max(1, round(self.rate * HOP), -(-self.samples // MOST_FRAMES))

    @property
    def frames(self) -> int:
        return 1 + (self.samples - 1) // self.hop

    @property
    def window(self) -> int:
        return max(2, round(self.rate * FRAME))


def read_hearing(facts: Any) -> Hearing:
    """The hearing that a task or an export has recorded. Raises DataError where it is damaged."""
    try:
        hearing = msgspec.convert(facts, Hearing)
        check_settings(hearing, "sounds")
    except Exception as error:
        raise DataError(f"how sounds become images is damaged: {reason(error)}") from error
    return hearing


def read_header(path: Path, where: str) -> tuple[int, float]:
    """The samples a second of a .wav, and its seconds. Raises DataError for a file that is not one."""
    with _open(path, where) as file:
        return file.getframerate(), file.getnframes() / file.getframerate()


def read_sound(path: Path, where: str) -> tuple[NDArray[np.float32], int]:
    """The samples float32 [n] of a .wav from -1 to 1, mixed to one channel, and how many a second has.

    PCM of 8 bits is unsigned, of 16, 24 and 32 bits signed, the lowest byte first (IBM and Microsoft 1991,
    "Multimedia Programming Interface and Data Specifications 1.0")."""
    with _open(path, where) as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        announced = file.getnframes()
        data = np.frombuffer(file.readframes(announced), np.uint8)
    if len(data) < announced * width * channels:
        raise DataError(
            f"{where}: a truncated sound ({len(data) // (width * channels)} of {announced} samples):"
            " replace or remove it"
        )
    return _convert(data, width).reshape(-1, channels).mean(1, dtype=np.float32), rate


@contextmanager
def _open(path: Path, where: str) -> Iterator[wave.Wave_read]:
    """The sound; whatever the standard library raises on a damaged file becomes one sentence."""
    try:
        with wave.open(str(path), "rb") as file:
            if not 0 < file.getnframes() * file.getnchannels() <= MOST_SAMPLES or file.getframerate() < 1:
                raise DataError(f"{where}: a .wav without samples, or with too many of them: remove it")
            yield file
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{where}: no such file") from error
    except Exception as error:
        why = reason(error) if str(error) else "it ends within its header"
        raise DataError(f"{where}: not a .wav of PCM samples ({why}): convert or remove it") from error


def _convert(data: NDArray[np.uint8], width: int) -> NDArray[np.float32]:
    """The samples of `width` bytes each, from -1 to 1."""
    if width == 1:
        return ((data.astype(np.float32) - 128) / 128).astype(np.float32)
    if width == 3:  # numpy has no such type: the bytes become the upper three of four
        four = np.zeros((len(data) // 3, 4), np.uint8)
        four[:, 1:] = data.reshape(-1, 3)
        data, width = four.reshape(-1), 4
    whole = data.view("<i2" if width == 2 else "<i4")
    return (whole / float(2 ** (8 * width - 1))).astype(np.float32)


def draw_spectrogram(samples: NDArray[np.float32], rate: int, hearing: Hearing) -> NDArray[np.float32]:
    """Float32 [mels, frames, 1] of samples [n] at `rate`, the lowest band last, as people draw it."""
    if rate != hearing.rate:
        from scipy.signal import resample_poly

        common = int(np.gcd(rate, hearing.rate))
        samples = resample_poly(samples, hearing.rate // common, rate // common)
    samples = samples - samples.mean()
    peak = float(np.abs(samples).max())
    fitted = _fit_length(samples / peak if peak else samples, hearing.samples)
    frames = _cut_frames(fitted, hearing) * np.hanning(hearing.window)
    spectrum = np.abs(np.fft.rfft(frames, _fft_size(hearing)))
    # A sine of amplitude 1 has the sum of the window over 2 as its peak.
    power = np.square(spectrum / (np.hanning(hearing.window).sum() / 2))
    bands = power @ make_filters(hearing).T  # [frames, mels]
    image: NDArray[np.float32] = np.log1p(bands / FLOOR).T[::-1, :, None].astype(np.float32)
    return image


def _fit_length(samples: NDArray[Any], length: int) -> NDArray[Any]:
    """The middle of a longer sound; a shorter one between silence."""
    spare = len(samples) - length
    if spare >= 0:
        return samples[spare // 2 : spare // 2 + length]
    return np.pad(samples, (-spare // 2, -spare - -spare // 2))


def _cut_frames(samples: NDArray[Any], hearing: Hearing) -> NDArray[Any]:
    """The frames [frames, window], each in the middle of which a hop begins."""
    half = hearing.window // 2
    padded = np.pad(samples, (half, hearing.window))
    starts = hearing.hop * np.arange(hearing.frames)
    frames: NDArray[Any] = padded[starts[:, None] + np.arange(hearing.window)]
    return frames


def _fft_size(hearing: Hearing) -> int:
    """A power of two, and enough of it that each band has a frequency of its own."""
    # The lowest bands are the narrowest: about their edges' first difference.
    edges = _edges(hearing)
    narrowest = float(np.diff(edges)[0])
    return int(2 ** np.ceil(np.log2(max(hearing.window, hearing.rate / max(narrowest, 1.0)))))


def _edges(hearing: Hearing) -> NDArray[np.float64]:
    """The frequencies, in Hz, at which the bands begin, peak and end: [mels + 2], equally far in mel.

    >>> [round(edge) for edge in _edges(Hearing(8000, 1.0, mels=2))]
    [0, 621, 1791, 4000]
    """
    top = 2595 * np.log10(1 + hearing.rate / 2 / 700)
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(0, top, hearing.mels + 2) / 2595) - 1)
    return edges


@lru_cache(maxsize=8)
def make_filters(hearing: Hearing) -> NDArray[np.float64]:
    """The weights [mels, frequencies] of triangles that peak at 1."""
    frequencies = np.fft.rfftfreq(_fft_size(hearing), 1 / hearing.rate)
    low, middle, high = (_edges(hearing)[n : n + hearing.mels, None] for n in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def describe_hearing(facts: Mapping[str, Any]) -> str:
    """How sounds become images, in words.

    >>> describe_hearing({"rate": 8000, "seconds": 0.5, "mels": 40})
    'spectrograms of 40 bands and 50 moments, of 0.5 s at 8,000 Hz'
    """
    hearing = read_hearing(facts)
    size = f"{hearing.mels} bands and {hearing.frames} moments"
    return f"spectrograms of {size}, of {hearing.seconds:g} s at {hearing.rate:,} Hz"
