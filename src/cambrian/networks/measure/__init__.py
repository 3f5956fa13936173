"""Measures of a network by name: its size, memory and speed."""

from __future__ import annotations

from cambrian.registry import Registry

# By their paths, so that a command can list the names without importing torch.
MEASURES = Registry(
    "measure",
    {
        "params": "cambrian.networks.measure.params:Params",
        "macs": "cambrian.networks.measure.macs:Macs",
        "memory": "cambrian.networks.measure.memory:Memory",
        "training_memory": "cambrian.networks.measure.memory:TrainingMemory",
        "latency": "cambrian.networks.measure.latency:Latency",
    },
)

__all__ = ["MEASURES"]
