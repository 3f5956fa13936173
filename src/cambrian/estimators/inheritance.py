"""The weights with which a child begins: its parent's, by name or through a network morphism."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cambrian.architecture import Architecture
from cambrian.errors import CambrianError, RunError, UnknownName
from cambrian.estimators.build import signature
from cambrian.estimators.job import Job
from cambrian.estimators.training_data import training_images
from cambrian.estimators.training_run import TRAINING
from cambrian.weights import MORPHISM, MOVES, is_move

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cambrian.networks.morphisms.norms import Norm

WEIGHTS = "weights.safetensors"
"""The artifact of a network's weights, by its own names."""


class Inheritance(NamedTuple):
    """The facts of an inheritance for reports, the optimiser's moments that come with it, and the steps for
    which the network has learned: none where a part of it is new."""

    facts: dict[str, Any] = {}
    moments: dict[str, Tensor] = {}
    steps: int = 0


def inherit(network: nn.Module, job: Job, move: str) -> Inheritance:
    """Give `network` the weights of the parent that the job's request names, by that move. Raises RunError
    where they are not kept any more."""
    if not is_move(move):
        raise UnknownName("move", move, MOVES)
    if move == MORPHISM:
        return _begin_as_parent(network, job)
    from cambrian.networks.checkpoint import load_tensors
    from cambrian.networks.inherit import inherit_weights

    path = job.artifact(WEIGHTS)
    share = inherit_weights(network, path)
    _, origin = load_tensors(path)
    return Inheritance(steps=_read_steps(origin) if share == 1 else 0)


def describe_origin(job: Job, steps: int) -> dict[str, str]:
    """The texts that are stored with the weights of a network that has learned for so many steps, by which it
    can be built again."""
    answers = {path: answer for path, answer in job.architecture.items()}
    return {
        "architecture": json.dumps(msgspec.to_builtins(answers), sort_keys=True),
        "skeleton": json.dumps(job.fidelity.skeleton, sort_keys=True),
        "steps": str(steps),
    }


def _read_steps(origin: Mapping[str, str]) -> int:
    """Files of earlier versions do not say them."""
    return int(origin.get("steps", 0))


def _begin_as_parent(network: nn.Module, job: Job) -> Inheritance:
    """Through a morphism: the network has its parent's function where its shapes allow that."""
    from cambrian.networks.morphisms.moments import carry_moments
    from cambrian.networks.morphisms.morphism import inherit_function

    parent, origin = _build_parent(job)
    seen = signature(job.task, job.fidelity)  # type: ignore[arg-type]
    inherited = inherit_function(network, parent, (seen.channels, seen.height, seen.width))
    _estimate(network, job, inherited.norms)
    moments = carry_moments(_read_moments(job), parent, network, inherited.transfers)
    facts = {
        "share": round(inherited.share, 4),
        "exact": inherited.exact,
        "difference": inherited.difference,
        "lost": list(inherited.lost),
    }
    return Inheritance({"inherited": facts}, moments, _read_steps(origin) if inherited.exact else 0)


def _build_parent(job: Job) -> tuple[nn.Module, dict[str, str]]:
    """The parent's network with its weights, and what else their file says. Raises RunError where it does not
    say which network it is."""
    from cambrian.networks.checkpoint import load_tensors
    from cambrian.networks.pointwise import avoid_strided_pointwise

    path = job.artifact(WEIGHTS)
    tensors, facts = load_tensors(path)
    if "architecture" not in facts:
        raise RunError(f"{path} does not say whose weights it has: it was written by an earlier version")
    try:
        architecture = Architecture(_read_answers(facts["architecture"]))
        seen = signature(job.task, job.fidelity)  # type: ignore[arg-type]
        network = job.space.build(architecture, seen, **json.loads(facts["skeleton"]))
        avoid_strided_pointwise(network)  # as the child was built
        network.load_state_dict(tensors)
    except (CambrianError, RuntimeError, ValueError) as error:
        raise RunError(f"the weights in {path} are of a network that cannot be built: {error}") from error
    return network, facts


def _read_answers(text: str) -> dict[str, Any]:
    answers = json.loads(text)
    return {path: tuple(a) if isinstance(a, list) else a for path, a in answers.items()}


def _estimate(network: nn.Module, job: Job, norms: tuple[Norm, ...]) -> None:
    """Estimate the statistics of new normalisations on a batch of the training part."""
    import torch

    from cambrian.networks.morphisms.statistics import BATCH, estimate_norms

    assert job.task is not None
    if not norms:
        return
    images = training_images(job.task, job.fidelity, job.stage, job.seed, job.device)
    # Evenly over the part, which may be in the order of its classes.
    chosen = torch.linspace(0, len(images) - 1, min(BATCH, len(images))).long()
    inputs = images.inputs(images.pixels[chosen.to(images.pixels.device)])
    estimate_norms(network, norms, inputs.float().cpu())


def _read_moments(job: Job) -> dict[str, Tensor]:
    """The moments with which the parent's training ended; none where they are not kept."""
    from cambrian.networks.checkpoint import load_tensors

    path: Path | None = job.artifacts.get(TRAINING)
    if path is None:
        return {}
    tensors, _ = load_tensors(path)
    prefix = "optimiser."
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
