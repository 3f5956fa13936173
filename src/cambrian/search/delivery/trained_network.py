"""The network of a final trial, as it was trained: built, its weights loaded, its outputs compared with those
that were recorded when it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import CambrianError, RunChanged
from cambrian.estimators.build import signature
from cambrian.outcome import Trial
from cambrian.search.identity.agreement import list_names
from cambrian.search.identity.program_code import VERSION, code_parts, find_edits
from cambrian.search.identity.settings import versions
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.tasks.task import Task

OUTPUTS = "outputs"


def load_trained(
    space: Space, task: Task, trial: Trial, path: Path, sha256: str | None, facts: dict[str, Any]
) -> nn.Module:
    """In evaluation mode. Raises RunChanged where the space builds another network now than the one that was
    trained, RunError where the weights cannot be used."""
    from cambrian.networks.checkpoint import load_weights
    from cambrian.networks.known_outputs import outputs_difference

    try:
        network = space.build(trial.architecture, signature(task, trial.fidelity), **trial.fidelity.skeleton)
        facts_beside = load_weights(network, path, sha256)
    # An edit of the space explains the failure better than the error itself, where there was one.
    except CambrianError as error:
        edits = _edits(space, facts)
        if not edits:
            raise
        raise RunChanged(f"the network that was trained cannot be built: {error}. {edits}") from error
    network.eval()
    # Weights that fit do not prove that the network is the same one: its outputs do.
    described = facts_beside.get(OUTPUTS)
    difference = outputs_difference(network, described) if described else 0.0
    if difference > 0:
        raise RunChanged(
            f"the space builds another network now than the one that was trained: its outputs for a fixed "
            f"input differ by {difference:.3g}. {_edits(space, facts) or _other_versions(facts)}"
        )
    return network


def _edits(space: Space, facts: dict[str, Any]) -> str:
    """A sentence on the code that was edited since the run; empty where no edit is known."""
    code = facts.get("settings", {}).get("code")
    if code is None or code["python"] != VERSION:
        return ""
    now = code_parts(space)
    names = [n for n in find_edits(code["parts"], now) if n in now]  # others are of strategy and estimator
    if not names:
        return ""
    return f"The code of {list_names(names)} was edited since: put it back as it was, or search anew"


def _other_versions(facts: dict[str, Any]) -> str:
    before, now = facts.get("versions", {}), versions()
    others = [f"{k} was {before[k]}, now {now[k]}" for k in before if k in now and before[k] != now[k]]
    return f"{'; '.join(others) or 'The code it uses was changed since'}: use what it was trained with"
