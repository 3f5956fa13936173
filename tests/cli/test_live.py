"""The display of a running search says what the ledger will say."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from scipy.stats import spearmanr

from cambrian.architecture import Architecture
from cambrian.cli.display.live import LiveWatch, watch_search
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Outcome, Trial

PREDICTED = [0.9, 0.5, 0.7, 0.6, 0.8, 0.4]
MEASURED = [0.8, 0.5, 0.6, 0.7, 0.9, 0.3]


def trial(number: int, outcome: Outcome, level: int = 2, predicted: float | None = None) -> Trial:
    note = {"level": level, "predicted": predicted}
    return Trial(number, Architecture({"n": number}), Fidelity(), reason=note, outcome=outcome)


def watched(expected: dict[int, int]) -> tuple[LiveWatch, io.StringIO]:
    text = io.StringIO()
    return LiveWatch(Console(file=text, width=120), expected, {""}), text


def test_a_level_ends_with_its_best_and_its_rank_correlation() -> None:
    """The line of a finished level names the count, the best value and Spearman's rho as scipy has it."""
    watch, text = watched({2: 6})
    with watch:
        for n, (predicted, measured) in enumerate(zip(PREDICTED, MEASURED)):
            watch.on_end(trial(n, Done(measured), predicted=predicted))
    rho = spearmanr(PREDICTED, MEASURED).statistic
    assert f"level 2: 6 trained, best 90.00 %, surrogate's rank correlation {rho:+.2f}" in text.getvalue()


def test_failures_are_counted_and_never_best() -> None:
    """A crashed trial counts as failed, and the table shows the best of the others."""
    watch, _ = watched({1: 3})
    watch.on_end(trial(0, Done(0.25), level=1))
    watch.on_end(trial(1, Crashed("boom"), level=1))
    shown = io.StringIO()
    Console(file=shown, width=120).print(watch)
    assert "1 failed" in shown.getvalue()
    assert "best so far 25.00 % (trial 0)" in shown.getvalue()
    assert "2/3" in shown.getvalue()


def test_why_a_trial_or_a_network_failed_is_said() -> None:
    """The first of a reason, and each of the final stage."""
    watch, text = watched({})
    for n in range(2):
        watch.on_end(trial(n, Infeasible("oom", "no room"), level=1))
    watch.on_end(
        Trial(0, Architecture({}), Fidelity(), "final", "winner", outcome=Infeasible("nan", "it is nan"))
    )
    assert text.getvalue().splitlines() == [
        "  trial 0: failed (oom: no room)",
        "  winner: failed (nan: it is nan)",
    ]


def test_what_is_left_is_reckoned_from_this_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten trials replayed in no time say nothing of the five left: those take as long as the last five."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("cambrian.cli.display.live.time", clock)
    watch, _ = watched({1: 20})
    watch.on_stage("search", 20)
    for n in range(10):
        watch.on_end(trial(n, Done(0.5), level=1))
    for n in range(10, 15):
        watch.on_claim(trial(n, Done(0.5), level=1))
        clock.now += 10
        watch.on_end(trial(n, Done(0.5), level=1))
    shown = io.StringIO()
    Console(file=shown, width=120).print(watch)
    assert "about 50 s left" in shown.getvalue()
    assert "15/20" in shown.getvalue()


def test_roles_are_printed_as_they_are() -> None:
    """A baseline's name that looks like markup."""
    watch, text = watched({})
    final = Trial(0, Architecture({"n": 0}), Fidelity(), "final", "baseline [/x]", outcome=Done(0.5))
    watch.on_end(final)
    assert "baseline [/x]: 50.00 %" in text.getvalue()


def test_without_a_terminal_there_are_lines() -> None:
    """Whole lines without codes that move a cursor; in a terminal the live display."""
    text = io.StringIO()
    with watch_search(Console(file=text, width=40), {}, {""}) as watch:
        watch.on_warning("a long sentence that is wider than forty signs")
        watch.on_end(trial(0, Done(0.5)))
        watch.on_stop("the budget is spent")
    assert text.getvalue().splitlines() == [
        "note: a long sentence that is wider than forty signs",
        "search: the budget is spent; 1 trial, best 50.00 % (trial 0)",
    ]
    with watch_search(Console(file=io.StringIO(), force_terminal=True), {}) as watch:
        assert isinstance(watch, LiveWatch)
