"""Answers under `train.` as settings of the training, for a joint search of architecture and
hyper-parameters (Zela et al. 2018, arXiv 1807.06906)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from cambrian.choices import Answer
from cambrian.errors import UnknownName, UsageError
from cambrian.networks.training.recipe import USUAL_RATES, Recipe

PREFIX = "train."
SHORT = {"lr": "learning_rate"}
# A search must not choose how its own results are scored, nor how often they are saved.
KEPT = ("score", "checkpoint_seconds")

Trained = TypeVar("Trained", bound=Recipe)


def apply_answers(recipe: Trained, architecture: Mapping[str, Answer]) -> Trained:
    """`recipe` with the settings in the architecture's answers. A usual learning rate becomes that of the
    optimiser that is answered. Raises UnknownName for a question about a setting that does not exist,
    UsageError for an answer that the setting cannot have."""
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
    changes: dict[str, Any] = dict(settings)
    if "optimiser" in settings and recipe.learning_rate == USUAL_RATES[recipe.optimiser]:
        changes.setdefault("learning_rate", None)  # which the recipe fills in
    return dataclasses.replace(recipe, **changes) if changes else recipe


def _check_kind(path: str, default: object, answer: Answer) -> Answer:
    """The answer. Raises UsageError if it is of another kind than the setting's default."""
    # A default of None or a flag tells nothing of the kind: the recipe checks it itself.
    kinds = {int: (int, "a whole number"), float: (int | float, "a number"), str: (str, "text")}
    kind, name = kinds.get(type(default), (object, ""))
    if not isinstance(answer, kind):
        raise UsageError(f"question {path!r}: expected {name}, got {answer!r}")
    return answer
