"""Replay of a finished run: with the trials learned at each proposal, its strategy proposes the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cambrian.architecture import replay
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate, TrainSupernet, trial_of
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.order import Order
from cambrian.strategies.strategy import Strategy
from cambrian.testing.suite import expect
from cambrian.weights import source_row


def check_replay(problem: Problem, strategy: Strategy, rows: Sequence[Row], order: str = "number") -> None:
    """Raises Violation where a proposal of the run is not the one that its strategy makes after the trials
    that the row records as learned, in the order in which they were learned."""
    rows = [row for row in rows if not row.final]
    # By place of learning, the row learned there: in order of number the two agree.
    places = {n: n for n in range(len(rows))}
    if order == "arrival":
        places = {row.learned: row.trial.number for row in rows if row.learned is not None}
    expect(sorted(places) == list(range(len(places))), "the places at which trials were learned have gaps")
    search = Order(problem, strategy)
    for row in rows:
        expect(row.knew >= search.learned, f"row {row.trial.number} knew less than the row before it")
        while search.learned < row.knew:
            number = places[search.learned]
            expect(number < row.trial.number, f"row {row.trial.number} knew a later one")
            search.learn(number)
        proposal = search.propose()
        asked = isinstance(proposal, Evaluate | TrainSupernet)
        expect(asked, f"where row {row.trial.number} was asked for, it says {proposal}")
        assert isinstance(proposal, Evaluate | TrainSupernet)
        again = trial_of(row.trial.number, proposal, problem.fidelity)
        if isinstance(proposal, Evaluate):
            again = msgspec.structs.replace(again, architecture=replay(problem.space, again.architecture))
        source = source_row(again.weights)
        cached = None if source is None else rows[source].trial.cached
        if cached is not None:  # a row names the trial that was measured, and not a repeat of it
            again = msgspec.structs.replace(again, weights=msgspec.structs.replace(again.weights, row=cached))
        expect(
            _request_fields(again) == _request_fields(row.trial),
            f"row {row.trial.number} is another one when replayed",
        )
        search.add(row.trial)


def _request_fields(trial: Trial) -> tuple[object, ...]:
    return trial.architecture, trial.fidelity, trial.weights, trial.parent, trial.replicate, trial.method
