"""Random search draws from the space's own measure, and nothing it sees changes that."""

from __future__ import annotations

from collections import Counter

import pytest

from cambrian.architecture import sample
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.strategies import STRATEGIES, Evaluate
from chance import assert_even
from mocks import Toy
from reseeding import stream


def test_it_draws_what_sampling_draws():
    """Proposal n is the space's sample from the same generator, whatever is pending or learned."""
    strategy = STRATEGIES.make("random")
    state = strategy.start(Problem(Toy()))
    pending = []
    for n in range(20):
        proposal = strategy.propose(state, pending, stream(0, "propose", n))
        assert proposal == Evaluate(sample(Toy(), stream(0, "propose", n)))
        trial = Trial(n, proposal.architecture, Fidelity(), outcome=Done(float(n)))
        pending = [*pending, trial] if n % 2 else []
        state = strategy.learn(state, trial)


@pytest.mark.statistical
def test_it_is_uniform():
    """Each of four architectures as often as the others."""
    strategy, state = STRATEGIES.make("random"), Toy(questions=1)
    drawn = Counter(
        strategy.propose(state, [], stream(1, "uniform", n)).architecture["q0"] for n in range(4000)
    )
    assert_even([drawn[x] for x in "abcd"])
