"""Supernets for the evaluations of a run: made with seeded weights, or loaded once per process and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.codec import encode
from cambrian.errors import UsageError
from cambrian.estimators.build import signature
from cambrian.estimators.channel_shares import follow_channels, share
from cambrian.estimators.gate_course import show_sites
from cambrian.estimators.generated_weights import add_hypernetwork
from cambrian.estimators.job import Job
from cambrian.estimators.paths import Paths
from cambrian.estimators.training_data import training_images
from cambrian.networks.training.recipe import Recipe
from cambrian.randomness import integer_seed
from cambrian.weights import source_row

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from cambrian.networks.sharing.memo import Memo, Unchanged
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.tasks.task import Task

SUPERNET = "supernet.safetensors"
"""The artifact of a supernet's weights."""
OUTER = "outer"
"""The text beside them: the answers that the supernet was made for, as JSON."""


class Held(NamedTuple):
    """A supernet with trained weights, the name of its use, and the outputs that its children share."""

    name: bytes
    supernet: Supernet
    memo: Memo


_held: WeakKeyDictionary[Task, Held] = WeakKeyDictionary()
"""The supernet whose weights were used last: children are scored by the hundred, and to build a supernet
takes longer than to score one. Forked processes inherit it."""
_batches: WeakKeyDictionary[Task, dict[bytes, list[Unchanged]]] = WeakKeyDictionary()
"""The batches on which statistics are measured, which are the same for all architectures."""


def make_supernet(job: Job, task: Task, outer: Architecture) -> Supernet:
    """The supernet of the outer answers in `outer`, with initial weights by (seed, identity). Raises
    SpaceError for a space without forks that can be shared."""
    import torch

    from cambrian.networks.depthwise import quicken_depthwise
    from cambrian.networks.pointwise import avoid_strided_pointwise, quicken_pointwise

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(job.seed, "weights", job.identity))
        supernet = share(job, outer, signature(task, job.fidelity))
        add_hypernetwork(job, supernet)
    avoid_strided_pointwise(supernet)
    quicken_depthwise(supernet)
    quicken_pointwise(supernet)
    show_sites(job.space, supernet)
    return supernet


def list_paths(job: Job, supernet: Supernet) -> Paths:
    """The architectures of the supernet, with the random streams of this job."""
    return Paths(job.space, supernet.outer, job.seed, job.identity)


def load_supernet(job: Job, task: Task, statistics: str) -> Held:
    """The supernet with the weights of the row that the job's request names, for scores by these
    `statistics`: those that are measured change its buffers, and the others need them as they were trained.
    Raises UsageError for an architecture with other outer answers."""
    from cambrian.networks.checkpoint import load_weights
    from cambrian.networks.pointwise import memory_format
    from cambrian.networks.sharing.memo import Memo

    weights = job.artifact(SUPERNET)
    name = _name_use(job, weights, statistics)
    known = _held.get(task)
    if known is not None and known.name == name:
        _check_outer(job, known.supernet.outer)
        return known
    _check_outer(job, _read_outer(weights))
    supernet: Supernet = make_supernet(job, task, job.architecture)
    load_weights(supernet, weights)
    follow_channels(supernet, weights)
    supernet.to(job.device, memory_format=memory_format(supernet))  # type: ignore[call-overload]
    # Weights that are generated are another child's at each choice.
    memo = Memo(supernet) if supernet.hypernetwork is None else Memo(supernet, 0)
    held = _held[task] = Held(name, supernet, memo)
    return held


def holds_supernet(job: Job, statistics: str) -> bool:
    """Whether this process has the supernet of the job's row, as it was last used."""
    assert job.task is not None
    known = _held.get(job.task)
    return known is not None and known.name == _name_use(job, job.artifact(SUPERNET), statistics)


def read_statistics_batches(job: Job, task: Task, recipe: Recipe, count: int) -> list[Tensor]:
    """The first `count` batches of the training part, in the same order for all architectures."""
    from cambrian.networks.sharing.memo import Unchanged
    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.batch_stream import BatchStream

    fidelity = job.fidelity
    facts = [job.seed, fidelity.fraction, fidelity.resolution, job.device, recipe.batch_size, count]
    held, name = _batches.setdefault(task, {}), encode(facts)
    # Anew after a network has changed its input in place: the next one would read what that left.
    if name not in held or not all(batch.lasts for batch in held[name]):
        images = training_images(task, fidelity, "search", job.seed, job.device)
        steps = recipe.batches(len(images))
        # Without augmentation: the statistics are those of scoring, which does not change images either.
        batches = BatchStream(images, Augment(), steps, (job.seed, "statistics"))
        held[name] = [Unchanged.of(batches.batch(0, step)[0]) for step in range(min(count, steps))]
    return [batch.tensor for batch in held[name]]


def _name_use(job: Job, weights: Path, statistics: str) -> bytes:
    """A name that differs wherever another supernet, or another state of it, is needed."""
    # By inode and time: a file of the store is written once, under the hash of its bytes.
    file, fidelity = weights.stat(), job.fidelity
    place = [str(weights), file.st_ino, file.st_mtime_ns, file.st_size]
    return encode([place, sorted(fidelity.skeleton.items()), fidelity.resolution, job.device, statistics])


def _read_outer(weights: Path) -> Architecture:
    """The outer answers that the supernet in this file was made for."""
    from cambrian.networks.checkpoint import load_facts

    return Architecture.from_json(msgspec.json.decode(load_facts(weights)[OUTER]))


def _check_outer(job: Job, made_for: Mapping[str, Answer]) -> None:
    """Raises UsageError for a supernet with other outer answers than the architecture's: of an activation,
    say, its weights would fit."""
    for path, answer in made_for.items():
        if path in job.architecture and job.architecture[path] != answer:
            raise UsageError(
                f"the supernet of row {source_row(job.request.weights)} was made for the answer"
                f" {answer!r} to question {path!r}, and the architecture has {job.architecture[path]!r}"
            )
