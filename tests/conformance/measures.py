"""What pairs are measured by: functions of the architecture or of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.randomness import stream


def guess(architecture: Mapping[str, Any], fidelity: Any) -> float:
    """Each answer adds its share; one architecture in ten cannot be had."""
    shares = [float(stream(0, "share", p, repr(a)).random()) for p, a in architecture.items()]
    mean = sum(shares) / (1 + len(shares))
    return float("nan") if repr(mean)[-1] == "7" else mean


def parameters(network: Any, fidelity: Any) -> float:
    """How small it is."""
    return -float(sum(p.numel() for p in network.parameters()))
