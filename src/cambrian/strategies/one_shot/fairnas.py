"""FairNAS: Chu et al., "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search"
(ICCV 2021). Each option of the supernet gets exactly one gradient per update; evolution searches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cambrian.strategies.one_shot.shared_evolution import SharedEvolution


@dataclass(frozen=True)
class FairNAS(SharedEvolution):
    """See `SharedEvolution` for the settings. The paper's own evolution has several objectives, and this one
    the first of the search's."""

    @staticmethod
    def paper() -> FairNAS:
        """70 generations of 64 (Sec. 4.1)."""
        return FairNAS(children=4480, population=64, parents=16)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "fair"}
