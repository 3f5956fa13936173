"""Estimators of an architecture's quality, by name."""

from __future__ import annotations

from cambrian.registry import Registry

ESTIMATORS = Registry(
    "estimator",
    {
        "train": "cambrian.estimators.train:Train",
        "function": "cambrian.estimators.function:Function",
        "proxy": "cambrian.estimators.proxy:Proxy",
        "extrapolated": "cambrian.estimators.extrapolated:Extrapolated",
        "one-shot": "cambrian.estimators.one_shot:OneShot",
        "tabular": "cambrian.estimators.tabular:Tabular",
    },
)

__all__ = ["ESTIMATORS"]
