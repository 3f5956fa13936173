"""Replay of a finished run: with the trials learned at each proposal, its strategy proposes the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cambrian.architecture import replay
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, TrainSupernet, trial_of
from cambrian.search.ledger.ledger import Row
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
    state, learned = strategy.start(problem), 0
    for row in rows:
        expect(row.knew >= learned, f"row {row.trial.number} knew less than the row before it")
        for place in range(learned, row.knew):
            trial = rows[places[place]].trial
            expect(trial.number < row.trial.number, f"row {row.trial.number} knew a later one")
            # Strategies learn scores, higher being better, whatever the direction of the run.
            state = strategy.learn(state, trial.maximised())
        learned = row.knew
        done = {places[place] for place in range(learned)}
        pending = [_bare(r.trial) for r in rows[: row.trial.number] if r.trial.number not in done]
        rng = stream(problem.seed, "propose", row.trial.number)
        proposal = strategy.propose(state, pending, rng)
        is_request = isinstance(proposal, Evaluate | TrainSupernet)
        expect(is_request, f"where row {row.trial.number} was asked for, it says {proposal}")
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


def _bare(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, outcome=None)


def _request_fields(trial: Trial) -> tuple[object, ...]:
    return trial.architecture, trial.fidelity, trial.weights, trial.parent, trial.replicate, trial.method
