"""`load`: from whatever the user has to a Task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cambrian.errors import DataError, UnknownName, UsageError, did_you_mean
from cambrian.tasks.examples import Reader
from cambrian.tasks.metrics import METRICS
from cambrian.tasks.readers import TASKS
from cambrian.tasks.splits import Split, split
from cambrian.tasks.statistics import digest, leaks, mean_std
from cambrian.tasks.task import Task


def load(
    source: Any,
    *,
    metric: str = "accuracy",
    validation: float | None = None,
    test: float = 0.2,
    seed: int = 0,
    limit: int | None = None,
    size: int | None = None,
    name: str | None = None,
) -> Task:
    """The task of classifying the images of `source`.

    >>> load("digits").sizes
    {'train': 1150, 'validation': 288, 'test': 359}
    """
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    for setting, value in (("limit", limit), ("size", size)):
        if value is not None and value < 1:
            raise UsageError(f"{setting}={value}: expected a positive integer")
    examples = reader_of(source).examples()
    if name is not None:
        examples = replace(examples, name=name)
    chosen = split(examples, validation=validation, test=test, limit=limit, seed=seed)
    kept = np.sort(np.concatenate([chosen.train, chosen.validation, chosen.test]))
    inputs, notes = examples.decode(kept, size)
    parts = Split(*(np.searchsorted(kept, part) for part in (chosen.train, chosen.validation, chosen.test)))
    mean, std = mean_std(inputs, parts.train)
    task = Task(
        name=examples.name,
        inputs=inputs,
        targets=examples.targets[kept],
        labels=examples.labels,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        mean=mean,
        std=std,
        metric=metric,
    )
    return replace(task, digest=digest(task), warnings=(*notes, *leaks(task)))


def reader_of(source: Any) -> Reader:
    """The reader for `source`."""
    if isinstance(source, Reader):
        return source
    if isinstance(source, str) and source in TASKS.names():
        reader: Reader = TASKS.make(source)
        return reader
    raise DataError(
        f"no data set {str(source)!r}: it is neither a known name nor an existing path"
        f"{did_you_mean(str(source), TASKS.names())}"
    )
