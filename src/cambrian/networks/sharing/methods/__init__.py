"""Methods to train a supernet, by name; `TrainSupernet.method` is the spec of one of them."""

from __future__ import annotations

from cambrian.registry import Registry

SUPERNET_METHODS = Registry(
    "supernet method",
    {
        "uniform": "cambrian.networks.sharing.methods.uniform:Uniform",
        "fair": "cambrian.networks.sharing.methods.fair:Fair",
        "sandwich": "cambrian.networks.sharing.methods.sandwich:Sandwich",
        "once-for-all": "cambrian.networks.sharing.methods.once_for_all:OnceForAll",
        "path-dropout": "cambrian.networks.sharing.methods.path_dropout:PathDropout",
        "whole": "cambrian.networks.sharing.methods.whole:Whole",
        "enas": "cambrian.networks.sharing.methods.enas:ENAS",
        "darts": "cambrian.networks.sharing.methods.darts:DARTS",
        "darts-pt": "cambrian.networks.sharing.methods.darts_pt:DARTSPT",
        "p-darts": "cambrian.networks.sharing.methods.p_darts:PDARTS",
        "gdas": "cambrian.networks.sharing.methods.gdas:GDAS",
        "snas": "cambrian.networks.sharing.methods.snas:SNAS",
        "pc-darts": "cambrian.networks.sharing.methods.pc_darts:PCDARTS",
        "drnas": "cambrian.networks.sharing.methods.drnas:DrNAS",
        "proxylessnas": "cambrian.networks.sharing.methods.proxylessnas:ProxylessNAS",
        "maskconnect": "cambrian.networks.sharing.methods.maskconnect:MaskConnect",
        "beta-darts": "cambrian.networks.sharing.methods.beta_darts:BetaDARTS",
        "sdarts-rs": "cambrian.networks.sharing.methods.sdarts_rs:SDARTSRS",
        "smash": "cambrian.networks.sharing.methods.smash:SMASH",
        "r-darts": "cambrian.networks.sharing.methods.r_darts:RDARTS",
        "darts-ada": "cambrian.networks.sharing.methods.darts_ada:DARTSADA",
    },
)

__all__ = ["SUPERNET_METHODS"]
