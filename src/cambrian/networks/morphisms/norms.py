"""The tensors of a batch normalisation."""

from __future__ import annotations

from typing import NamedTuple

from cambrian.networks.morphisms.recording import Call, Weight


class Norm(NamedTuple):
    """The names of a batch normalisation's tensors: the running mean and variance, and weight and bias."""

    mean: str
    var: str
    affine: tuple[str, ...]
    eps: float


def read_norm(call: Call) -> Norm:
    """The tensors of a call of F.batch_norm(input, mean, var, weight, bias, training, momentum, eps)."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    given = {**dict(zip(names, call.args)), **call.named}
    mean, var, *affine = (
        g.name if isinstance(g := given.get(name), Weight) else ""
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    return Norm(mean, var, tuple(name for name in affine if name), float(given.get("eps", 1e-5)))
