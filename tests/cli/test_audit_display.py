"""The progress of an audit where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cambrian.architecture import Architecture
from cambrian.cli.display import audit
from cambrian.outcome import Done, Fidelity, Trial


def test_lines_say_how_far_an_audit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One when a shortcut begins, and one every ten seconds of the clock, which three networks take here."""
    now = [0.0]
    monkeypatch.setattr(audit.time, "monotonic", lambda: now[0])
    shown = io.StringIO()
    with audit.watch_audit(Console(file=shown)) as watch:
        begun = watch("train(epochs=1)", 6)
        for number in range(6):
            now[0] += 4.0
            begun.on_end(Trial(number, Architecture({}), Fidelity(), outcome=Done(0.5)))
    assert shown.getvalue().splitlines() == [
        "  train(epochs=1): 6 networks to be measured",
        "  train(epochs=1): 3 of 6 measured",
        "  train(epochs=1): 6 of 6 measured",
    ]
