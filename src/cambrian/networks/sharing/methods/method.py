"""The interface of a method to train a supernet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cambrian.architecture import Architecture, Decide

if TYPE_CHECKING:
    import numpy as np

    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


class Draw(Protocol):
    """The architectures of the supernet."""

    def __call__(self, number: int) -> Architecture:
        """The random architecture for a step's number: the same number gives the same one."""
        ...

    def stream(self, number: int) -> np.random.Generator:
        """The random numbers for a step's number, for methods that draw by another distribution."""
        ...

    def walk(self, decide: Decide) -> Architecture:
        """The architecture whose shared questions `decide` answers. Raises Rejected."""
        ...


class SupernetMethod(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        """The step that learns from a batch of the training part. `validation` are batches of the validation
        part, for parameters that must not learn from the same images as the weights."""
        ...


@runtime_checkable
class HasGates(Protocol):
    """A step that also learns the probabilities of options."""

    def gates(self) -> dict[str, list[float]]:
        """The probability of each option, by question."""
        ...


@runtime_checkable
class HasData(Protocol):
    """A step that learns more than weights and gates."""

    def data(self) -> dict[str, Any]:
        """Small JSON for the outcome, such as architectures drawn from a controller."""
        ...


@runtime_checkable
class HasExtraWork(Protocol):
    """A step that does more than to learn from batches, such as decisions by the validation part."""

    def measure_extra(self) -> float:
        """The seconds of that work in a whole training, by a part of it that is done now."""
        ...
