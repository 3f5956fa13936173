"""Checks of strategies that have a controller."""

from __future__ import annotations

from typing import Any

from cambrian.settings import Span
from cambrian.strategies.settings import check_settings, check_weights


def check_controller(strategy: Any) -> None:
    """Raises UsageError for settings of REINFORCE or PPO that are impossible for a controller."""
    check_settings(
        strategy,
        lr=Span(0, 1, above=True),
        decay=Span(0, 1, below=True),
        batch=Span(1, whole=True),
        layers=Span(1, 100, whole=True),
        hidden=Span(1, 1000, whole=True),
        bound=Span(0, 10, above=True),
        bins=Span(1, 1000, whole=True),
    )
    layers, hidden = strategy.layers, strategy.hidden
    # Each layer has two matrices of [hidden, 4 * hidden]; the options' rows are few beside them.
    check_weights(strategy, 8 * layers * hidden**2, f"{layers} layers of {hidden} units")
