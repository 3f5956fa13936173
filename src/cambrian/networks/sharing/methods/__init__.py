"""Methods to train a supernet, by name; `TrainSupernet.method` is the spec of one of them."""

from __future__ import annotations

from cambrian.registry import Registry

SUPERNET_METHODS = Registry(
    "supernet method",
    {
        "uniform": "cambrian.networks.sharing.methods.uniform:Uniform",
        "fair": "cambrian.networks.sharing.methods.fair:Fair",
        "path-dropout": "cambrian.networks.sharing.methods.path_dropout:PathDropout",
        "enas": "cambrian.networks.sharing.methods.enas:ENAS",
        "softmax": "cambrian.networks.sharing.methods.softmax:Softmax",
    },
)

__all__ = ["SUPERNET_METHODS"]
