"""Answers under `train.` are settings of the training: architecture and hyper-parameters searched jointly
(Zela et al. 2018, arXiv 1807.06906)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from cambrian.choices import Answer
from cambrian.errors import UnknownName, UsageError
from cambrian.networks.training.recipe import Recipe

PREFIX = "train."
SHORT = {"lr": "learning_rate"}
KEPT = ("score", "checkpoint_seconds")  # how a training is judged and kept is no part of it

Trained = TypeVar("Trained", bound=Recipe)


def apply_answers(recipe: Trained, architecture: Mapping[str, Answer]) -> Trained:
    """`recipe` as the architecture's answers would have it; UsageError names the question that asks for
    what a training does not have, or gives what it cannot use."""
    valid = {f.name: f for f in dataclasses.fields(Recipe) if f.name not in KEPT}
    settings: dict[str, Answer] = {}
    for path, answer in architecture.items():
        if not path.startswith(PREFIX):
            continue
        name = path.removeprefix(PREFIX)
        name = SHORT.get(name, name)
        if name not in valid:
            raise UnknownName("training setting", name, [*valid, *SHORT])
        settings[name] = _check_kind(path, valid[name].default, answer)
    return dataclasses.replace(recipe, **settings) if settings else recipe  # type: ignore[arg-type]


def _check_kind(path: str, default: object, answer: Answer) -> Answer:
    """The answer, if it is the kind of thing the setting's default is."""
    kinds = {int: (int, "a whole number"), float: (int | float, "a number"), str: (str, "text")}
    kind, name = kinds.get(type(default), (object, ""))
    if not isinstance(answer, kind):
        raise UsageError(f"question {path!r}: expected {name}, got {answer!r}")
    return answer
