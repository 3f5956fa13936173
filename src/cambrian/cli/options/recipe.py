"""The settings of training among the options of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.options.headings import TRAINING
from cambrian.cli.options.numbers import amount, count, share
from cambrian.errors import UsageError, did_you_mean
from cambrian.networks.training.recipe import OPTIMISERS, PRECISIONS

LearningRate = Annotated[
    float | None, amount("The highest learning rate of all trainings.", rich_help_panel=TRAINING)
]
Optimiser = Annotated[
    str | None,
    typer.Option(
        help="What takes the steps of all trainings: muon, sgd or adamw.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
BatchSize = Annotated[int | None, count("Images in a step of training.", least=2, rich_help_panel=TRAINING)]
WeightDecay = Annotated[float | None, amount("The weight decay of all trainings.", rich_help_panel=TRAINING)]
AugmentStrength = Annotated[
    float | None,
    share(
        "Shifts, flips and holes of the images in training: 0 is none, 1 the usual.",
        rich_help_panel=TRAINING,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Numbers of convolutions and products of matrices in training: float32, bfloat16 (on a CPU"
        " for networks of dense convolutions alone), or auto, which is bfloat16 on a GPU alone.",
        show_default="the faster one here",
        rich_help_panel=TRAINING,
    ),
]
Pretrained = Annotated[
    Path | None,
    typer.Option(
        help="Begin with the tensors of this safetensors file whose names and shapes fit.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]


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
