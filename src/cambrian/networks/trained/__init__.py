"""Metrics of a trained network besides its scores, by name: they can be objectives of a search."""

from __future__ import annotations

from cambrian.registry import Registry

# By their paths, so that a command can list the names without importing torch.
TRAINED_METRICS = Registry(
    "trained metric",
    {
        "corrupted-accuracy": "cambrian.networks.trained.robust:CorruptedAccuracy",
        "pgd-accuracy": "cambrian.networks.trained.robust:PGDAccuracy",
        "int8-accuracy": "cambrian.networks.trained.int8:Int8Accuracy",
    },
)

__all__ = ["TRAINED_METRICS"]
