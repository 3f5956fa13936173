"""What takes the steps of a training, where nobody says so."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cambrian.architecture import sample
from cambrian.errors import Unbuildable
from cambrian.options import Scalar
from cambrian.randomness import stream
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space
from cambrian.tasks.nouns import TEXTS

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

TEXT = {"learning_rate": 8e-3, "weight_decay": 0.01}
"""AdamW's settings for a running text, and for texts of classes in a space with a portfolio."""
TRIES = 8
"""Random architectures of which the first that makes a network is looked at."""


def choose_optimiser(
    task: Task, named: Mapping[str, Any], space: Space, skeleton: Mapping[str, Scalar] | None = None
) -> dict[str, Any]:
    """The optimiser of a recipe in which so many settings are `named`, and those of its settings that follow
    from the data: muon where the networks of the space have filters; AdamW for all others, as transformers,
    for the rows of a table, and for running texts, whose recurrent cells need a rate for each weight."""
    optimiser = named.get("optimiser")
    if optimiser is None:
        vectors = bool(task.columns) or task.causal
        optimiser = "adamw" if vectors or not _has_filters(space, task, skeleton or {}) else "muon"
    texts = task.causal or (task.noun == TEXTS and know(space, HasPortfolio) is not None)
    settings = TEXT if texts and optimiser == "adamw" else {}
    return {"optimiser": optimiser, **settings}


def _has_filters(space: Space, task: Task, skeleton: Mapping[str, Scalar]) -> bool:
    """Whether a random network of the space has convolutions that muon's steps are for."""
    from cambrian.networks.training.muon import is_filter

    for number in range(TRIES):
        with suppress(Unbuildable):
            architecture = sample(space, stream(0, "optimiser", number))
            network = draft_network(space, architecture, task, skeleton)
            return any(map(is_filter, network.parameters()))
    return False
