"""`load` makes a Task of the user's data, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cambrian.errors import DataError, UnknownName, UsageError, did_you_mean
from cambrian.goal import Goal
from cambrian.tasks.blocks import describe_blocks
from cambrian.tasks.examples import TRAIN, Decoded, Examples, Reader
from cambrian.tasks.images.masks import resize_masks
from cambrian.tasks.readers import READERS, TASKS
from cambrian.tasks.reading import with_options
from cambrian.tasks.scored_parts import check_parts
from cambrian.tasks.splits import Split, split
from cambrian.tasks.statistics import digest, find_crowded, leaks, mean_std, refuse_alike
from cambrian.tasks.targets.metrics import METRICS, choose_metric
from cambrian.tasks.targets.number_scale import find_far_out, fit_scale
from cambrian.tasks.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETTINGS = ("metric", "validation", "test", "seed", "limit", "size", "name")


def load(
    source: Any,
    *,
    metric: str | None = None,
    validation: float | None = None,
    test: float = 0.2,
    seed: int = 0,
    limit: int | None = None,
    size: int | None = None,
    name: str | None = None,
    **reading: Any,
) -> Task:
    """The task of learning the labels of the images of `source`, or a `target` in the rows of a table.

    `source` is a known name; a path: a folder of class folders of images (perhaps inside train/, val/ and
    test/), or of images and their masks, an `.npz`, a `.csv`, a folder of IDX files; a map-style torch
    `Dataset`, `(inputs, labels)` arrays, a dictionary of arrays, or a (train, test) pair of these; or a
    reader. A test part that it brings along is kept as it is; splits are otherwise carved out by `test` and
    `validation`, fractions or numbers of images, with `seed`. `metric` is what counts: of classes accuracy,
    of numbers r2 (see `METRICS`). `limit` takes a stratified subset of the training part, `size` resizes to
    size x size. `reading` are fields of the reader, which override its guesses (docs/data.md).
    Raises DataError, one sentence, before anything is trained.

    >>> load("digits").sizes
    {'train': 1150, 'validation': 288, 'test': 359}
    """
    # Settings first: they are checked in no time, and the data may take minutes to read.
    if metric is not None and metric not in tuple(METRICS):
        raise UnknownName("metric", metric, METRICS)
    for setting, value in (("limit", limit), ("size", size)):
        if value is not None and not (isinstance(value, Integral) and value >= 1):
            raise UsageError(f"{setting}={value!r:.40}: expected a positive integer")
    for setting, share in (("validation", validation), ("test", test)):
        if share is not None and not isinstance(share, Real):
            raise UsageError(f"{setting}={share!r:.40}: expected a number")
    if not isinstance(seed, Integral):
        raise UsageError(f"seed={seed!r:.40}: expected a whole number")
    examples = with_options(reader_of(source), reading, SETTINGS).examples()
    metric = choose_metric(metric, examples.goal.kind)
    if name is not None:
        examples = replace(examples, name=name)
    # Split by the labels, so that only the images that are kept are decoded.
    chosen = split(examples, validation=validation, test=test, limit=limit, seed=seed)
    check_parts(examples, chosen, metric)
    kept = np.sort(np.concatenate([chosen.train, chosen.validation, chosen.test]))
    decode = examples.decode if examples.fit is None else examples.fit(chosen.train)
    inputs, notes, rendering, columns, masks = Decoded(*decode(kept, size))
    targets = examples.targets[kept] if masks is None else masks
    if examples.goal.kind == "pixels" and size is not None:
        targets = resize_masks(targets, size, size)
    notes = (*notes, *refuse_alike(examples.name, inputs, examples.noun))
    if examples.blocks is not None:
        own = bool((examples.parts != TRAIN).any())
        drawn = (chosen.train, chosen.validation, chosen.test)
        notes = (*notes, *describe_blocks(examples.blocks, examples.name, drawn, own))
    # `kept` is sorted: the position of an image in it is its row among the decoded ones.
    parts = Split(*(np.searchsorted(kept, part) for part in (chosen.train, chosen.validation, chosen.test)))
    mean, std = mean_std(inputs, parts.train)  # nothing of the test part goes into the network
    if "text" in rendering:
        # A character's channel is lit so seldom that its standard score would drown the others.
        # Of a text to be continued a row is as long as one of standard scores: with a channel of 1, a cell of
        # 64 units was half a bit behind after 300 steps.
        unit = len(std) ** -0.5 if examples.goal.kind == "characters" else 1.0
        mean, std = (0.0,) * len(mean), (unit,) * len(std)
    task = Task(
        name=examples.name,
        inputs=inputs,
        targets=targets,
        labels=examples.labels,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        mean=mean,
        std=std,
        metric=metric,
        rendering=rendering,
        columns=columns,
        goal=fit_goal(examples, chosen.train),
    )
    return replace(
        task, digest=digest(task), warnings=(*notes, *find_crowded(task), *find_far_out(task), *leaks(task))
    )


def fit_goal(examples: Examples, train: NDArray[np.int64]) -> Goal:
    """The goal of the examples, of numbers with their scale by the training part."""
    if examples.goal.kind != "numbers":
        return examples.goal
    return Goal("numbers", *fit_scale(examples.targets[train].astype(np.float64)))


def reader_of(source: Any) -> Reader:
    """The reader for `source`: itself, by name, by spec, by path, or for objects in memory."""
    if isinstance(source, Reader):
        return source
    # A spec has these two keys at most; any other dictionary is one of arrays.
    if isinstance(source, Mapping) and "name" in source and source.keys() <= {"name", "arguments"}:
        return cast(Reader, READERS.make(source))
    if isinstance(source, str) and source in TASKS.names():
        return cast(Reader, TASKS.make(source))
    if isinstance(source, str | os.PathLike):
        return _of_path(_path_of(source))
    return cast(Reader, READERS.get("memory")(source))


def _path_of(source: str | os.PathLike[str]) -> Path:
    text = os.fsdecode(source)
    if not text.strip():
        raise DataError("the path of the data is empty: give a path, or a known name")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # of nobody's home
        raise DataError(f"no data set {text!r:.200}: there is no such home: write the whole path") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, or a zero in it
        return False


def _of_path(path: Path) -> Reader:
    """The reader for a path. Files are told apart by their names, folders by their contents."""
    if not _exists(path):
        raise DataError(
            f"no data set {str(path)!r}: it is neither an existing path nor a known name"
            f"{did_you_mean(str(path), TASKS.names())}"
        )
    return cast(Reader, READERS.get(_format(path))(str(path)))


def _format(path: Path) -> str:
    from cambrian.tasks.readers.corpus import is_corpus
    from cambrian.tasks.readers.idx import is_idx
    from cambrian.tasks.readers.masks import is_mask_folder
    from cambrian.tasks.readers.npz import is_npz_folder
    from cambrian.tasks.readers.sounds import is_sound_folder
    from cambrian.tasks.readers.texts import is_text_folder

    if is_idx(path):  # first, since these are folders, too, and files of any ending
        return "idx"
    if path.is_dir():
        if is_npz_folder(path):
            return "npz"
        if is_sound_folder(path):
            return "sounds"
        if is_text_folder(path):
            return "texts"
        return "masks" if is_mask_folder(path) else "folder"
    suffix = path.suffix.lower().removeprefix(".")
    if path.name.lower().endswith((".txt", ".txt.gz")) and is_corpus(path):
        return "corpus"
    if suffix in ("tsv", "txt"):
        return "csv"
    if suffix not in ("npz", "csv"):
        raise DataError(
            f"{path}: not a format that can be read: give a folder of class folders of images, of .wav or "
            "of .txt files, an .npz, a .csv, or IDX files"
        )
    return suffix
