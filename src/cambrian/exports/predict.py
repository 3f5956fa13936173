"""Run an exported program on images."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError, UsageError
from cambrian.exports.export import MODEL
from cambrian.exports.mask_images import list_mask_files, write_mask
from cambrian.exports.program import load_program
from cambrian.files import check_target, write_file
from cambrian.goal import choose_outputs, read_goal, write_number
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.tasks.nouns import one_of, read_noun

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 256
_DENSE_BATCH = 32
"""Images whose pixels' probabilities are kept at once."""


class Prediction(msgspec.Struct, frozen=True):
    """The likeliest class of an image file, or of a row as FILE:NUMBER, counted from 1, and the program's
    probability for it; a number that is predicted has none. Several labels, or the classes of several heads,
    have a ; between them, and the least of their probabilities. Of the classes of pixels, the label names
    those that the image holds, and the probability is the mean over its pixels."""

    file: str
    label: str
    probability: float | None


def predict(directory: str | os.PathLike[str], images: NDArray[Any]) -> NDArray[Any]:
    """Probabilities float32 [n, classes] for images [n, height, width, channels]: uint8, or floats in
    the unit that `model.json` names; of a network of numbers, these, float64 [n, 1]; of pixels, [n, classes,
    height, width]; of texts those of the next character. Raises DataError where they have another size, or
    another unit: bytes for a network of floats, or floats beyond 0 to 1 for one of bytes."""
    import torch

    from cambrian.networks.normalisation import as_inputs
    from cambrian.networks.probabilities import read_probabilities
    from cambrian.tasks.images.units import read_unit
    from cambrian.tasks.texts import choose_next

    place = Path(directory)
    facts = model_facts(place)
    wanted = tuple(int(facts[name]) for name in ("height", "width", "channels"))
    if images.ndim != 4 or images.shape[1:] != wanted:
        raise DataError(
            f"{place} takes {read_noun(facts)} [n, height, width, channels] of size {list(wanted)}, got "
            f"an array of shape {list(images.shape)}"
        )
    images = read_unit(images, stored_type(facts), f"{place} takes {read_noun(facts)}")
    program, goal = load_program(place, facts), read_goal(facts.get("goal"))
    sides = wanted[:2] if goal.kind == "pixels" else ()
    # Of a price of a million float32 holds eighths alone.
    dtype = np.float64 if goal.kind == "numbers" else np.float32
    predicted = np.empty((len(images), len(facts["labels"]), *sides), dtype)
    with torch.inference_mode():
        # In batches: activations of thousands of images at once would not fit into memory.
        for start in range(0, len(images), _BATCH):
            part = as_inputs(np.asarray(images[start : start + _BATCH]))
            output = program(part)  # numbers are in their own unit already
            read = output if goal.kind == "numbers" else read_probabilities(output, goal)
            if goal.kind == "characters":
                predicted[start : start + _BATCH] = choose_next(read.numpy(), images[start : start + _BATCH])
            else:
                predicted[start : start + _BATCH] = read.numpy()
    return predicted


def predict_files(
    directory: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]],
    masks: str | os.PathLike[str] | None = None,
    broken: list[DataError] | None = None,
) -> list[Prediction]:
    """Predictions for image files, each scaled to the program's size, or for all rows of tables, where the
    program was trained on one. Of a program that gives the classes of pixels, a PNG of them is written into
    the folder `masks` for each image, in its size. Raises DataError for a file that is not an image, or not
    such a table. A list `broken` takes the errors of files that cannot be read, and the others are
    predicted, unless there are none."""
    facts = model_facts(Path(directory))
    dense = read_goal(facts.get("goal")).kind == "pixels"
    if masks is not None and not dense:
        each = one_of(read_noun(facts))
        raise UsageError(f"{directory} gives an answer for {each}, not for its pixels: leave out masks")
    if facts.get("columns"):
        return [row for file in files for row in _predict_rows(directory, file, facts)]
    read, paths = _choose_reading(directory, files, facts)
    targets = dict(zip(paths, list_mask_files(paths, Path(masks)), strict=True)) if masks is not None else {}
    rows: list[Prediction] = []
    # Probabilities of each pixel of many images at once would not fit into memory.
    step = _DENSE_BATCH if dense else max(len(paths), 1)
    for start in range(0, len(paths), step):
        some, found = _read_whole(read, paths[start : start + step], broken)
        if found is None:
            continue
        names, inputs = found
        probabilities = predict(directory, inputs)
        rows += _name_classes(names, probabilities, facts)
        drawn = (facts.get("rendering") or {}).get("mask") or {}
        for row, image in zip(probabilities, some, strict=True) if targets else ():
            write_mask(row.argmax(0), targets[image], image, drawn)
    if broken and not rows:
        raise broken[0]
    return rows


_Inputs = tuple[list[str], "NDArray[Any]"]
"""The names of examples, and the inputs of a network."""


def _choose_reading(
    directory: str | os.PathLike[str], files: Sequence[str | os.PathLike[str]], facts: Mapping[str, Any]
) -> tuple[Callable[[Sequence[Path]], _Inputs], list[Path]]:
    """The way to read files as those of the training were, and the files, with those within for a folder."""
    from cambrian.tasks import list_files, read_images, read_sounds, read_texts
    from cambrian.tasks.readers.texts import is_table

    # Transparency and 16-bit levels as in training; data sets without such images have no such entry.
    rendering = facts.get("rendering") or {}
    if "text" in rendering:
        groups = groupby(map(Path, files), is_table)
        paths = [p for tables, some in groups for p in (some if tables else list_files([*some], rendering))]
        return lambda some: read_texts(some, rendering), paths
    if "sound" not in rendering and stored_type(facts) != "uint8":
        raise UsageError(f"{directory} was trained on float arrays, not on image files: use it from Python")

    def read(some: Sequence[Path]) -> _Inputs:
        names = list(map(str, some))
        if "sound" in rendering:
            return names, read_sounds(some, rendering)
        return names, read_images(some, facts["channels"], facts["height"], facts["width"], rendering)

    return read, list_files(files, rendering)


def _read_whole(
    read: Callable[[Sequence[Path]], _Inputs], paths: Sequence[Path], broken: list[DataError] | None
) -> tuple[Sequence[Path], _Inputs | None]:
    """The files that can be read, and what is in them; without `broken`, raises DataError for others."""
    from cambrian.tasks.readers.listing import show

    while paths:
        try:
            return paths, read(paths)
        except DataError as error:
            whole = [path for path in paths if not {str(path), show(path)} & {*error.places}]
            if broken is None or len(whole) == len(paths):
                raise
            broken.append(error)
        # Once more: texts on either side of a table are read apart, and each part has an error of its own.
        paths = whole
    return paths, None


def _predict_rows(
    directory: str | os.PathLike[str], file: str | os.PathLike[str], facts: Mapping[str, Any]
) -> list[Prediction]:
    from cambrian.tasks import read_rows

    rows = read_rows(file, facts["columns"], facts.get("rendering"))
    probabilities = predict(directory, rows)
    names = [f"{os.fsdecode(file)}:{n}" for n in range(1, len(probabilities) + 1)]
    return _name_classes(names, probabilities, facts)


def _name_classes(
    names: Sequence[str], probabilities: NDArray[Any], facts: Mapping[str, Any]
) -> list[Prediction]:
    labels = [str(label) for label in facts["labels"]]
    goal = read_goal(facts.get("goal"))
    if goal.kind == "numbers":
        rows = zip(names, probabilities[:, 0].tolist(), strict=True)
        return [Prediction(name, write_number(number), None) for name, number in rows]
    if goal.kind == "pixels":
        return [_name_mask(name, row, labels) for name, row in zip(names, probabilities, strict=True)]
    predictions = []
    for name, row in zip(names, probabilities, strict=True):
        chosen = choose_outputs(row, goal)
        # Where no label is predicted, that is as sure as the likeliest of them is unlikely.
        sure = min((float(row[i]) for i in chosen), default=1 - float(row.max()))
        predictions.append(Prediction(name, ";".join(labels[i] for i in chosen), sure))
    return predictions


def _name_mask(name: str, probabilities: NDArray[np.float32], labels: Sequence[str]) -> Prediction:
    """The classes that an image holds, the largest first, with their shares of it."""
    shares = np.bincount(probabilities.argmax(0).ravel(), minlength=len(labels)) / probabilities[0].size
    held = [n for n in np.argsort(-shares, kind="stable") if shares[n] > 0]
    label = ";".join(f"{labels[n]} {100 * shares[n]:.1f} %" for n in held)
    return Prediction(name, label, float(probabilities.max(0).mean()))


def check_table(path: Path) -> None:
    """Raise UsageError for a file that `write_table` could not write: before anything is predicted."""
    if path.suffix.lower() != ".csv":
        raise UsageError(f"predictions are written as a .csv file, got {path}: name it predictions.csv")
    check_target(path)


def write_table(rows: Sequence[Prediction], path: Path, name: str = "number") -> None:
    """A row per file under the header file, label, probability, or of numbers file and their `name`; whole or
    not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if rows and rows[0].probability is None:
        writer.writerow(("file", name))
        writer.writerows((row.file, row.label) for row in rows)
    else:
        writer.writerow(Prediction.__struct_fields__)
        writer.writerows((row.file, row.label, f"{row.probability:.6f}") for row in rows)
    try:
        # Names of files may hold bytes that are not text: they go out as they came.
        write_file(path, text.getvalue().encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def model_facts(directory: Path) -> dict[str, Any]:
    """The content of model.json. Raises UsageError where `directory` is not an export."""
    try:
        facts: dict[str, Any] = json.loads((directory / MODEL).read_text())
    except OSError as error:
        reason = f"{MODEL}: {error.strerror or error}"
        mend = "make one with cambrian export"
        if (directory / LEDGER).is_file():  # the run itself is what is tried first
            mend = f"it is a run: cambrian export {shlex.quote(str(directory))} OUT makes one of its network"
        raise UsageError(f"{directory} is no exported network ({reason}): {mend}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{directory / MODEL} is damaged: export the network again") from error
    if not _is_complete(facts):
        raise UsageError(f"{directory / MODEL} is damaged: export the network again")
    return facts


def _is_complete(facts: object) -> bool:
    """Whether the facts hold everything that predicting needs."""
    return (
        isinstance(facts, dict)
        and all(isinstance(facts.get(name), int) for name in ("height", "width", "channels"))
        and isinstance(facts.get("labels"), list)
        and isinstance(stored_type(facts), str)
    )


def stored_type(facts: Mapping[str, Any]) -> Any:
    """The type of the training data; "input" in exports of earlier versions, where it is now the
    program's."""
    return facts.get("stored", facts.get("input"))
