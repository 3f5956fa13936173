"""A space of networks together with their trainings: the questions of another space, then one for each
setting of the training that is searched with them (Zela et al. 2018, arXiv 1807.06906, "Towards Automated
Deep Learning: Efficient Joint Neural Architecture and Hyperparameter Search"; Runge et al. 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Scalar
from cambrian.errors import SpaceError, UnknownName
from cambrian.networks.training.recipe import Recipe
from cambrian.registry import find_registry
from cambrian.spaces.joint.knowledge import list_knowledge
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

USUAL: Mapping[str, tuple[Scalar, ...]] = {
    "learning_rate": (0.05, 0.15, 0.45),
    "batch_size": (32, 64, 128),
    "weight_decay": (1e-4, 5e-4, 2e-3),
    "augment_strength": (0.0, 1.0, 2.0),
}
"""The settings that a practitioner tries first; a rate of .15 is the usual one of batches of 64."""
KEPT = ("score", "checkpoint_seconds")
"""Settings that no search may choose: how its own results are scored and saved."""
PREFIX = "train."
"""The beginning of a question about the training (see `estimators/training_answers.py`)."""


@dataclass(frozen=True)
class Joint(Space):
    """The networks of `space` (its name, its spec, or an object), each with an answer to every setting of
    `training`: a setting of the recipe, and the values that it may have, the usual one in the middle.

    A network is built from its architecture's part alone; training reads the answers under `train.`. The
    levels, tokens, moves and morphisms are those of `space`, with trainings that stay as they are."""

    space: Any = "stages"
    training: Mapping[str, tuple[Scalar, ...]] = field(default_factory=lambda: dict(USUAL))

    def __post_init__(self) -> None:
        if not isinstance(self.space, str | Mapping):
            _check_space(self.space)
            self.__dict__["networks"] = self.space  # as it is: one fitted to a task stays fitted
        registry = find_registry("space")
        # The spec itself, so that two of the same settings are equal, and have one spec.
        object.__setattr__(self, "space", registry.spec(self.networks) or self.networks)
        object.__setattr__(self, "training", {n: tuple(v) for n, v in dict(self.training).items()})
        _check_training(self.training)
        if not self.training:
            raise SpaceError("space 'joint': training is empty: name settings, as {\"learning_rate\": [0.1]}")

    @cached_property
    def networks(self) -> Any:
        """The space of the networks."""
        registry = find_registry("space")
        return registry.parse(self.space) if isinstance(self.space, str) else registry.make(self.space)

    def __hash__(self) -> int:
        return hash((str(self.space), str(self.training)))

    @property
    def measure(self) -> str:  # type: ignore[override]
        """That of the inner space; its settings of the training are uniform."""
        return f"{getattr(self.networks, 'measure', Space.measure)}; trainings uniformly"

    @property
    def skeleton(self) -> Sequence[str]:
        return tuple(self.networks.skeleton)

    @property
    def fine(self) -> bool:
        """Whether the inner space's networks answer for each pixel."""
        return bool(getattr(self.networks, "fine", False))

    @property
    def causal(self) -> bool:
        """Whether the inner space's networks answer after each character of a text."""
        return bool(getattr(self.networks, "causal", False))

    @property
    def function(self) -> Any:
        """The code behind the questions, by which a user's own space is recognised."""
        return getattr(self.networks, "function", type(self.networks))

    def for_task(self, task: Signature) -> Joint:
        fit = getattr(self.networks, "for_task", None)  # a user's own space need not have it
        return self if fit is None else replace(self, space=fit(task))

    def walk(self, decide: Decide) -> Architecture:
        network = self.networks.walk(decide)
        pick = self._picks(decide, "", None, self._known)
        self.program(pick)
        return Architecture({**network, **pick.architecture()})

    def program(self, pick: Pick) -> None:
        """Ask for the training; the network has been asked for before (see `walk`)."""
        for name, values in self.training.items():
            pick(PREFIX + name, values)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        network: nn.Module = self.networks.build(self.strip(architecture), task, **skeleton)
        return network

    def check_skeleton(self, skeleton: Mapping[str, Scalar]) -> dict[str, Any]:
        settings: dict[str, Any] = self.networks.check_skeleton(skeleton)
        return settings

    @property
    def knowledge(self) -> tuple[object, ...]:
        return list_knowledge(self)

    # -- architectures and their two parts --------------------------------------------------------

    def strip(self, architecture: Mapping[str, Answer]) -> Architecture:
        """The architecture without its training."""
        return Architecture({path: a for path, a in architecture.items() if path not in self.paths})

    def read_training(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        """The answers about the training."""
        return {path: architecture[path] for path in self.paths}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths of the questions about the training."""
        return tuple(PREFIX + name for name in self.training)

    @cached_property
    def usual(self) -> dict[str, Answer]:
        """The usual training: the middle of the values of each setting."""
        return {PREFIX + name: values[len(values) // 2] for name, values in self.training.items()}

    def list_trainings(self) -> list[dict[str, Answer]]:
        """All trainings, the last setting changing fastest."""
        rows = product(*self.training.values())
        return [dict(zip(self.paths, row, strict=True)) for row in rows]


def _check_space(networks: Any) -> None:
    if not callable(getattr(networks, "walk", None)):
        raise SpaceError(
            f"space 'joint': space is the name of a space, its spec or an object of one, got {networks!r:.80}"
        )


def _check_training(training: Mapping[str, tuple[Scalar, ...]]) -> None:
    """Raise UnknownName for a setting that no training has, SpaceError for one without values or with the
    same value twice."""
    known = [field.name for field in fields(Recipe) if field.name not in KEPT]
    for name, values in training.items():
        if name not in known:
            raise UnknownName("training setting", name, known)
        if not values or len(set(values)) < len(values):
            raise SpaceError(f"space 'joint': training: {name} has different values, got {list(values)}")
