"""The user's own network on the command line: `--model module:name`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.cli.app import say
from cambrian.errors import Unread

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

SHOWN = 3
"""Parts that stay which are named; the others are counted."""

FINE_TUNING, FINE_TUNING_OF_TABLES = 0.02, 3e-4
"""The learning rates of weights that are there already, of images and of tables: a tenth of the usual ones,
which would undo them."""


def read_model(text: str, space: str | None) -> Any:
    """The space of that network. Raises Unread beside --space, of which it takes the place."""
    from cambrian.spaces.models.space import read_model

    if space is not None:
        raise Unread(["--space"], "another space than the one that is made of --model")
    return read_model(text)


def fit_model(space: Any, task: Task, recipe: dict[str, Any], as_json: bool) -> Any:
    """The space for the images of the task. The changes that it knows are said, and the parts that stay. A
    network that comes with weights is trained at FINE_TUNING, of images by SGD, unless the recipe has a
    rate."""
    fitted = space.for_task(task)
    say(f"{'model':>9}  {fitted.describe()}", to_json=as_json)
    for sentence in fitted.fixed[:SHOWN]:
        say(f"{'':>9}  {sentence}", to_json=as_json)
    if len(fitted.fixed) > SHOWN:
        more = len(fitted.fixed) - SHOWN
        say(f"{'':>9}  and {more} more: cambrian.from_model(...).fixed lists all", to_json=as_json)
    if fitted.pretrained and recipe.get("learning_rate") is None:
        recipe["learning_rate"] = rate = FINE_TUNING_OF_TABLES if task.columns else FINE_TUNING
        if not task.columns:  # the rate was found with SGD; Muon's steps are long whatever the gradient's are
            recipe["optimiser"] = recipe.get("optimiser") or "sgd"
        say(
            f"{'':>9}  its weights are kept and trained on, at a learning rate of {rate};"
            " --learning-rate sets another",
            to_json=as_json,
        )
    return fitted
