"""Words for the parts of a search, with and without a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.counts import counted
from cambrian.estimators.limits import describe_limits
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.engines.gpus import count_gpus
from cambrian.search.engines.processes import Processes
from cambrian.search.parts.devices import count_abreast, count_cores
from cambrian.spaces.size import estimate_size
from cambrian.tasks.nouns import IMAGES
from cambrian.tasks.sounds import describe_hearing
from cambrian.tasks.texts import describe_script

if TYPE_CHECKING:
    from cambrian.search.planning.pretrained import Fit
    from cambrian.search.planning.race.amounts import Challenges
    from cambrian.search.search import Search
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


STEPS = 60
"""Steps of training below which a network learns next to nothing; with few images, epochs count in steps."""


def describe_data(task: Task) -> str:
    """The plan's first row, which needs no measuring."""
    size = f"{task.height}x{task.width}x{task.channels}"
    if task.columns:
        size = f"{len(task.columns)} columns, {task.channels} features"
    if "sound" in task.rendering:
        size = describe_hearing(task.rendering["sound"])
    if "text" in task.rendering:
        size = describe_script(task.rendering["text"])
    counts = f"{len(task.train)} train, {len(task.validation)} validation, {len(task.test)} test"
    return f"{task.name}: {size}, {task.answer}; {counts}"


def describe_machine(search: Search, workers: int) -> str:
    """The device, the trials at a time, and on how many GPUs these are where the machine has several."""
    text = f"{search.device}, {workers} at a time"
    if isinstance(search.engine, Processes) and count_abreast(search.engine, search.device) < workers:
        return f"{text}, which share {counted(count_cores(), 'core')}"
    shared_out = search.device == "cuda" and isinstance(search.engine, Processes)
    count = count_gpus() if shared_out else 1
    return text if count < 2 else f"{text}, on {min(workers, count)} of {count} GPUs"


def describe_final(search: Search) -> str:
    """The final stage of a search that does not continue its trials."""
    final, begun = search.final, describe_beginning(search)
    assert final is not None
    training = f"{count_epochs(final.fidelity.epochs)}{list_settings(final.fidelity)}"
    if search.choose is not None:
        return f"the best that keeps {search.choose}, {begun}, on all but test: {training}"
    top = min(final.top, search.budget.trials or final.top)  # no more than are tried
    if len(search.objectives) > 1:
        return f"{counted(top, 'network')} at the front's knees {begun}, on all but test: {training}"
    if top == 1:
        otherwise = ", or as the search trained it, where that takes too long" if search.hands_over else ""
        return f"the best {begun}, on all but test: {training}{otherwise}"
    return f"the best {top} {begun}: {training}; the best of them on all but test"


def describe_beginning(search: Search) -> str:
    """The weights that a network has before its last training."""
    final = search.final
    if getattr(search.space, "pretrained", False):
        return "from your network's weights"
    if final is not None and getattr(search.estimators[final.estimator], "pretrained", None):
        return "from the weights given"
    return "from scratch"


def find_training(search: Search) -> Any:
    """The training that values are of; None where another estimator gives them."""
    training = getattr(search.estimator, "estimator", search.estimator)  # within one that ends it early
    return training if hasattr(training, "batches") else None


def describe_training(search: Search, epochs: int, images: int) -> str:
    """The training of one trial, with its steps where they are few."""
    # Epochs say little where images are few: five epochs of forty images are five steps.
    steps = epochs * find_training(search).batches(images)
    noun = IMAGES if search.task is None else search.task.noun
    text = f"{count_epochs(epochs)} of {images} {noun}{list_settings(search.fidelity)}"
    if steps > 4 * STEPS:
        return text
    few = ", too few to learn much from, so that chance decides which is best" if steps < STEPS // 2 else ""
    return f"{text}: {counted(steps, 'step')}{few}"


def describe_challenges(challenges: Challenges) -> str:
    """The heats after a race, as the end of a phrase; empty where there are none."""
    if not challenges.heats:
        return ""
    times = "once" if challenges.heats == 1 else f"{challenges.heats} times"
    each = f"{challenges.seconds:.3g} s each"
    return f"; then {times} {challenges.challengers} networks a step away beside it, {each}"


def describe_fit(fit: Fit | None) -> list[tuple[str, str]]:
    """The row of pretrained weights in a race; none where there are none."""
    if fit is None:
        return []
    words = f"{fit.name} with {fit.filters} filters, the favourite: {fit.share:.0%} of it"
    return [("weights", f"those given are of {words}")]


def count_epochs(epochs: int) -> str:
    """
    >>> count_epochs(1), count_epochs(3)
    ('1 epoch', '3 epochs')
    """
    return f"{epochs} epoch{'s' if epochs > 1 else ''}"


def list_settings(fidelity: Fidelity) -> str:
    """The settings of the skeleton, each after a comma."""
    return "".join(f", {value} {name}" for name, value in fidelity.skeleton.items())


def describe_whole_space(space: Space) -> str:
    size = estimate_size(space, stream(0, "size"))
    many = "infinitely many" if size == float("inf") else f"about {size:.2g}"
    return f"{name_of(space)}: {many} architectures"


def list_limits(search: Search, left_out: str = "") -> list[tuple[str, str]]:
    """The hard limits on networks, each measure with the way in which it is taken, and the networks that they
    leave out before any is trained."""
    rows = [("limits", describe_limits(search.limits, search.device))] if search.limits else []
    return [*rows, ("left out", left_out)] if left_out else rows
