"""Keys of measurements: two trials are the same one if they train the same function at the same fidelity, by
the same recipe, as the same replicate."""

from __future__ import annotations

import hashlib

from cambrian.architecture import Architecture
from cambrian.codec import encode
from cambrian.outcome import Fidelity, Trial
from cambrian.request import TrainSupernet
from cambrian.spaces.knowledge import Canonical, know
from cambrian.spaces.space import Space
from cambrian.weights import FRESH, Continue, Fresh, Weights


def trial_key(
    space: Space,
    architecture: Architecture,
    fidelity: Fidelity,
    recipe: str,
    replicate: int,
    raw: bool = False,
    weights: Weights = FRESH,
) -> str:
    """The key of a trial, 32 hexadecimal digits. `recipe` stands for the estimator, its settings and the
    data. `raw`: architectures that are the same function are told apart. Weights count where they change the
    result: of `Inherit` and `Shared` with the row they name."""
    # Two encodings of one network are one measurement, where the space knows a canonical one.
    names = None if raw else know(space, Canonical)
    identity = architecture.key if names is None else names.canonical(architecture)
    # Fresh weights add nothing, so that the keys of ledgers that knew no others stay as they are.
    begun = () if isinstance(weights, Fresh | Continue) else (weights,)
    return digest(identity, fidelity, recipe, replicate, *begun)


def supernet_key(request: TrainSupernet, fidelity: Fidelity, recipe: str) -> str:
    """The key of a supernet's training: of its outer answers, its method, and the parts of a trial's key."""
    return digest("supernet", request.outer.key, request.method, fidelity, recipe, request.replicate)


def digest(*parts: object) -> str:
    return hashlib.sha256(encode(parts)).hexdigest()[:32]


FINAL = "final-"
"""Begins the names of rows of the final stage, which are numbered by themselves."""


def trial_name(trial: Trial) -> str:
    """The name of a row, unique in its run: trials and supernets are numbered together, finals by themselves.

    >>> from cambrian.architecture import Architecture
    >>> trial_name(Trial(3, Architecture({}), Fidelity(), kind="final"))
    'final-3'
    """
    return f"{FINAL}{trial.number}" if trial.kind == "final" else str(trial.number)
