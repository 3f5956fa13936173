"""JPEG-coded archives: `header` (the bytes all streams begin with), `payload`, `offsets`, `labels`.
Image i is the JPEG stream `header + payload[offsets[i]:offsets[i + 1]]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import Examples
from cambrian.tasks.images.arrays import with_notes
from cambrian.tasks.images.decoding import decode_files
from cambrian.tasks.targets.labels import read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODED = {"header", "payload", "offsets", "labels"}

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def from_jpegs(
    name: str,
    parts: Mapping[int, tuple[Path, Mapping[str, NDArray[Any]]]],
    names: Sequence[str] | None = None,
) -> Examples:
    """Examples from `{TRAIN: (file, its arrays), ...}`, whose classes have these names; of a file or folder
    called cifar10_... CIFAR-10's."""
    streams: list[tuple[Path, int, bytes, memoryview]] = []
    for path, arrays in parts.values():
        streams += _streams(path, arrays)
    path = next(iter(parts.values()))[0]
    if names is None and "cifar10_" in f"{name} {path.name}".lower():
        names = CIFAR10
    of_parts = {part: arrays["labels"] for part, (_, arrays) in parts.items()}
    classes = read_labels(np.concatenate([*of_parts.values()]), str(path), names)
    marks = np.concatenate([np.full(len(labels), part, np.int8) for part, labels in of_parts.items()])

    def source(i: int) -> bytes:
        _, _, header, stream = streams[i]
        return header + stream

    def place(i: int) -> str:
        return f"{streams[i][0]}: image {streams[i][1]}"

    decode = with_notes(decode_files(name, source, place), classes.notes)
    return Examples(name, classes.targets, classes.labels, marks, decode)


def _streams(path: Path, arrays: Mapping[str, NDArray[Any]]) -> list[tuple[Path, int, bytes, memoryview]]:
    header, payload, offsets = (
        arrays["header"].tobytes(),
        memoryview(arrays["payload"].tobytes()),  # sliced without a copy of each stream
        arrays["offsets"],
    )
    ends = offsets.tolist()
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(ends) != len(arrays["labels"]) + 1:
        raise DataError(
            f"{path}: expected one more offset than labels, got {len(ends)} and {len(arrays['labels'])}"
        )
    # As int64, since differences of unsigned offsets never are negative.
    if ends[0] < 0 or ends[-1] > len(payload) or np.any(np.diff(offsets.astype(np.int64)) <= 0):
        raise DataError(
            f"{path}: the offsets do not rise within the {len(payload):,} bytes of payload: "
            "fetch the file again"
        )
    return [(path, i, header, payload[ends[i] : ends[i + 1]]) for i in range(len(ends) - 1)]
