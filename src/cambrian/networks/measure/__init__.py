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
        "predicted_latency": "cambrian.networks.measure.predicted_latency:PredictedLatency",
        "layers": "cambrian.networks.measure.layers:Layers",
        "synflow": "cambrian.networks.measure.zero_cost.synflow:Synflow",
        "snip": "cambrian.networks.measure.zero_cost.gradients:Snip",
        "grasp": "cambrian.networks.measure.zero_cost.gradients:Grasp",
        "fisher": "cambrian.networks.measure.zero_cost.fisher:Fisher",
        "grad_norm": "cambrian.networks.measure.zero_cost.gradients:GradNorm",
        "plain": "cambrian.networks.measure.zero_cost.gradients:Plain",
        "l2_norm": "cambrian.networks.measure.zero_cost.gradients:L2Norm",
        "jacob_cov": "cambrian.networks.measure.zero_cost.jacobian:JacobCov",
        "epe_nas": "cambrian.networks.measure.zero_cost.jacobian:EpeNas",
        "naswot": "cambrian.networks.measure.zero_cost.rectifiers:Naswot",
        "linear_regions": "cambrian.networks.measure.zero_cost.rectifiers:LinearRegions",
        "ntk": "cambrian.networks.measure.zero_cost.ntk:NTK",
        "zen": "cambrian.networks.measure.zero_cost.zen:Zen",
        "zico": "cambrian.networks.measure.zero_cost.zico:Zico",
        "expressivity": "cambrian.networks.measure.zero_cost.az_nas:Expressivity",
        "progressivity": "cambrian.networks.measure.zero_cost.az_nas:Progressivity",
        "trainability": "cambrian.networks.measure.zero_cost.az_nas:Trainability",
        "vkdnw": "cambrian.networks.measure.zero_cost.vkdnw:VKDNW",
    },
)

__all__ = ["MEASURES"]
