"""The settings of training among the options of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cambrian.errors import UsageError, did_you_mean
from cambrian.networks.training.recipe import OPTIMISERS, PRECISIONS


def read_recipe(
    *,
    learning_rate: float | None,
    optimiser: str | None,
    batch_size: int | None,
    weight_decay: float | None,
    augment_strength: float | None,
    precision: str | None,
    pretrained: Path | None,
) -> dict[str, Any]:
    """The settings that were said, by their names in `Recipe`; None where the plan chooses."""
    for option, name, known in (
        ("optimiser", optimiser, OPTIMISERS),
        ("precision", precision, PRECISIONS),
    ):
        if name is not None and name not in known:
            raise UsageError(f"--{option}: unknown {option} {name!r}{did_you_mean(name, known)}")
    recipe: dict[str, Any] = {
        "learning_rate": learning_rate,
        "optimiser": optimiser,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
        "augment_strength": augment_strength,
        "precision": precision,
    }
    if pretrained is not None:  # an absolute path, since a run may be resumed from another directory
        recipe["pretrained"] = str(pretrained.resolve())
    return recipe
