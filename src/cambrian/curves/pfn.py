"""A network that was fitted to a prior over curves, after Adriaensen et al., "Efficient Bayesian Learning
Curve Extrapolation using Prior-Data Fitted Networks" (NeurIPS 2023): one pass gives the posterior that the
sampler of `domhan` approaches in thousands.

The network is our own, far smaller than the paper's: `pfn_network.py`, trained by `pfn_training.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast
from cambrian.errors import UsageError
from cambrian.one_thread import one_thread

if TYPE_CHECKING:
    from cambrian.curves.pfn_network import CurveNetwork

SHIPPED = Path(__file__).with_name("pfn.safetensors")


@dataclass(frozen=True)
class PFN:
    """`network` is the file of a network that you trained yourself ("": the one that comes along). It reads
    values from 0 to 1, and no other curves."""

    network: str = ""
    bounded: ClassVar[bool] = True
    others: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.network and not Path(self.network).is_file():
            raise UsageError(
                f"curve model 'pfn': {self.network} is not a file: make one with"
                f" python -m cambrian.curves.pfn_training --out {self.network}"
            )

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Reading:
        return Reading(load_network(str(Path(self.network) if self.network else SHIPPED)))


@dataclass(frozen=True)
class Reading:
    network: CurveNetwork

    def predict(self, curve: Curve, last: float) -> Forecast:
        import torch

        from cambrian.curves.pfn_network import PATCH

        steps = torch.from_numpy((curve.steps / last).astype(np.float32))[None]
        values = torch.from_numpy(curve.values.astype(np.float32))[None]
        queries = torch.ones(1, -(-len(curve) // PATCH), 1)
        with one_thread(), torch.no_grad():
            mixture = self.network(steps, values, queries)
        logits, means, deviations = (_to_array(part[0, -1, 0]) for part in mixture)
        return Forecast(means, deviations, np.exp(logits - logits.max()))


@lru_cache(2)
def load_network(path: str) -> CurveNetwork:
    """The network of a file. Raises UsageError for one of another kind."""
    from cambrian.curves.pfn_network import CurveNetwork
    from cambrian.networks.checkpoint import load_tensors

    network = CurveNetwork()
    try:
        network.load_state_dict(load_tensors(Path(path))[0])
    except RuntimeError as error:
        raise UsageError(f"curve model 'pfn': {path} holds another network") from error
    return network.eval()


def _to_array(part: Any) -> Any:
    return part.double().numpy()
