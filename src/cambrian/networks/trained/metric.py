"""The interface of a metric of trained networks, and the way to one by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cambrian.networks.trained import TRAINED_METRICS

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.trained.parts import Parts


class TrainedMetric(Protocol):
    """`metric(network, parts) -> float`: higher is better. It leaves the network as it was. Implementations
    are frozen dataclasses whose fields are their JSON settings."""

    def __call__(self, network: nn.Module, parts: Parts) -> float: ...


def is_trained_metric(name: str) -> bool:
    """Whether `name` names such a metric, with or without settings.

    >>> is_trained_metric("pgd-accuracy(steps=7)"), is_trained_metric("accuracy")
    (True, False)
    """
    return name.partition("(")[0].strip() in TRAINED_METRICS.names()


def find_trained_metric(name: str) -> TrainedMetric:
    """The metric called `name`: `corrupted-accuracy`, `pgd-accuracy(steps=7)`. Raises UsageError."""
    metric: TrainedMetric = TRAINED_METRICS.parse(name)
    return metric
