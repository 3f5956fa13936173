"""What makes two trials the same measurement: the same function, at the same fidelity, by the same
recipe, as the same replicate."""

from __future__ import annotations

import hashlib

from cambrian.architecture import Architecture
from cambrian.codec import encode
from cambrian.outcome import Fidelity
from cambrian.spaces.knowledge import Canonical, know
from cambrian.spaces.space import Space


def trial_key(
    space: Space,
    architecture: Architecture,
    fidelity: Fidelity,
    recipe: str,
    replicate: int,
    raw: bool = False,
) -> str:
    """Thirty-two hexadecimal digits. `raw`: architectures that are the same function are told apart."""
    names = None if raw else know(space, Canonical)
    identity = architecture.key if names is None else names.canonical(architecture)
    return digest(identity, fidelity, recipe, replicate)


def digest(*parts: object) -> str:
    return hashlib.sha256(encode(parts)).hexdigest()[:32]
