"""A task: data decoded once into arrays, its splits, its metric.

Prepared on disk (`save`), the arrays are memory-mapped by every process that opens them (`open`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError, RunChanged
from cambrian.files import make_folder, stage_file, write_file
from cambrian.goal import CLASSES, Goal, read_goal
from cambrian.tasks.nouns import name_examples

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Task:
    """Images to learn from, or rows of a table, which are images of one pixel: their channels are the
    features. `inputs` is uint8 or float32 [n, height, width, channels] (channels last, as
    networks like it), `targets` int64[n] below `len(labels)`, or as `goal` has them (see `cambrian.goal`),
    whose `labels` name the outputs of a network. `train`, `validation` and `test` are
    disjoint sorted int64 indices into both. `mean` and `std` are per channel over the training part,
    in the unit in which networks get their inputs: uint8 divided by 255, float32 as it is. `digest` tells
    whether two tasks are the same, and `warnings` are sentences for the user to read. `rendering` says
    how files became arrays (see `cambrian.tasks.images.rendering` and `cambrian.tasks.tables.table_form`),
    `columns` how the cells of a table became features (see `cambrian.tasks.tables.features`)."""

    name: str
    inputs: NDArray[Any]
    targets: NDArray[Any]
    labels: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    metric: str = "accuracy"
    digest: str = ""
    warnings: tuple[str, ...] = ()
    rendering: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[Mapping[str, Any], ...] = ()
    goal: Goal = CLASSES

    @property
    def height(self) -> int:
        return int(self.inputs.shape[1])

    @property
    def width(self) -> int:
        return int(self.inputs.shape[2])

    @property
    def channels(self) -> int:
        return int(self.inputs.shape[3])

    @property
    def classes(self) -> int:
        """The outputs of a network: a logit for each class, or one number."""
        return len(self.labels)

    @property
    def dense(self) -> bool:
        """Whether a network gives an answer for each pixel."""
        return self.goal.kind == "pixels"

    @property
    def causal(self) -> bool:
        """Whether a network gives an answer after each character, of those up to it."""
        return self.goal.kind == "characters"

    @property
    def strata(self) -> NDArray[np.int64]:
        """The groups int64[n] of which a part of the data has its share each: the classes, else a single
        one."""
        return self.targets if self.goal.kind == "classes" else np.zeros(len(self.targets), np.int64)

    @property
    def noun(self) -> str:
        """What its examples are called: images, texts, sounds or rows."""
        return name_examples(self.rendering, self.columns)

    @property
    def answer(self) -> str:
        """The goal in words, for people: `10 classes`, `numbers (price)`."""
        return describe_goal(self.goal, self.labels)

    @property
    def sizes(self) -> dict[str, int]:
        """Images per split."""
        return {part: len(getattr(self, part)) for part in ("train", "validation", "test")}

    def __repr__(self) -> str:
        # On one line: the arrays would fill a screen of a notebook.
        sizes = ", ".join(f"{count} {part}" for part, count in self.sizes.items())
        shape = f"{self.noun} {self.channels} x {self.height} x {self.width}"
        if self.columns:
            shape = f"{self.channels} features of {len(self.columns)} columns"
        return f"<Task {self.name}: {self.answer}, {shape}, {sizes}>"

    def facts(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON."""
        return {
            "name": self.name,
            "labels": list(self.labels),
            "mean": list(self.mean),
            "std": list(self.std),
            "metric": self.metric,
            "digest": self.digest,
            "warnings": list(self.warnings),
            "sizes": self.sizes,
            "shape": [self.height, self.width, self.channels],
            "rendering": dict(self.rendering),
            **({"columns": list(self.columns)} if self.columns else {}),
            **({"goal": msgspec.to_builtins(self.goal)} if self.goal != CLASSES else {}),
        }

    def summary(self) -> dict[str, Any]:
        """The facts that people and exported networks need, as JSON."""
        return self.facts() | {
            "channels": self.channels,
            "height": self.height,
            "width": self.width,
            "stored": str(self.inputs.dtype),
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
        }

    def save(self, directory: Path) -> None:
        """Write the task into `directory`, `task.json` last: a directory that has it is whole."""
        make_folder(directory)
        arrays = {k: getattr(self, k) for k in ("inputs", "targets", "train", "validation", "test")}
        # Staged, so that a process that is killed meanwhile leaves no half array under its final name.
        for name, array in arrays.items():
            with stage_file(directory / f"{name}.npy") as draft, draft.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        write_file(directory / "task.json", json.dumps(self.facts(), indent=1).encode())

    @staticmethod
    def open(directory: Path) -> Task:
        """The task saved in `directory`, its inputs memory-mapped."""
        try:
            facts = json.loads((directory / "task.json").read_text())
            arrays = {
                k: np.load(directory / f"{k}.npy", allow_pickle=False)
                for k in ("targets", "train", "validation", "test")
            }
            # Mapped, so that all workers on a machine share one copy; the other arrays are small.
            inputs = np.load(directory / "inputs.npy", mmap_mode="r", allow_pickle=False)
            return Task(
                name=facts["name"],
                inputs=inputs,
                labels=tuple(facts["labels"]),
                mean=tuple(facts["mean"]),
                std=tuple(facts["std"]),
                metric=facts["metric"],
                digest=facts["digest"],
                warnings=tuple(facts["warnings"]),
                rendering=facts.get("rendering", {}),  # earlier versions did not record it
                columns=tuple(facts.get("columns", ())),
                goal=read_goal(facts.get("goal")),
                **arrays,
            )
        except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            raise DataError(f"{directory} holds no prepared task: {error}") from error


def describe_goal(goal: Goal, labels: Sequence[str]) -> str:
    """The goal in words.

    >>> describe_goal(Goal("numbers"), ["price"]), describe_goal(Goal("labels"), ["sun", "rain"])
    ('numbers (price)', '2 labels')
    """
    if goal.kind == "numbers":
        return f"numbers ({labels[0]})"
    if goal.kind == "heads":
        return ", ".join(f"{count} classes of {name}" for name, count in goal.heads)
    if goal.kind == "pixels":
        return f"{len(labels)} classes of pixels"
    return f"{len(labels)} {goal.kind}"


def prepare(task: Task, directory: Path) -> Task:
    """The task on disk in `directory`, written there unless it already is, its inputs memory-mapped.
    Raises RunChanged where another task lies there."""
    if not (directory / "task.json").exists():
        task.save(directory)
    saved = Task.open(directory)
    # The digest decides, not the settings: trials on other images cannot be compared.
    if saved.digest != task.digest:
        raise RunChanged(
            f"{directory} was prepared from other data than {task.name!r} is now ({saved.digest[:12]}, not "
            f"{task.digest[:12]}): give back the data and settings it was started with, or start a new run"
        )
    return saved
