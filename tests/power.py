"""A power failure before the n-th call that a writer makes to the system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("open", "fsync", "replace")


class PowerFailure(BaseException):
    """Nothing in the code under test may catch it."""


@contextmanager
def failing_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block, so many of CALLS work; each later one raises PowerFailure."""
    real, left = {name: getattr(os, name) for name in CALLS}, iter(range(calls))

    def fail_at(name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise PowerFailure
            return real[name](*args, **named)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, fail_at(name))
        yield
