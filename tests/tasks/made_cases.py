"""How many made-up data sets are tried."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

WHOLE = "CAMBRIAN_CASES" in os.environ
"""Whether all cases are tried, as `make evidence` does, and not a sixth of them."""


def cases(count: int) -> settings:
    """So many, the same each time."""
    return settings(
        max_examples=count if WHOLE else count // 6,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
