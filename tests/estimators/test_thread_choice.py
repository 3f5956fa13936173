"""The number of threads of a training by the clock, by simulated costs, and in a real training."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from cambrian.estimators.thread_choice import ThreadChoice
from cambrian.outcome import ENDLESS, Done, Fidelity
from small_training import estimated

Cost = Callable[[int, float], float]
"""The seconds of a step on so many threads at this time."""


class Simulated:
    """Steps that take their cost, in epochs of `epoch` steps."""

    def __init__(
        self, most: int, cost: Cost, epoch: int = 50, pixels: Callable[[float], float] = lambda t: 1
    ):
        self.now, self.steps, self.used = 0.0, 0, most
        self._cost, self._epoch, self._pixels = cost, epoch, pixels
        self.choice = ThreadChoice(most, self._use, lambda: self.now)

    def _use(self, number: int) -> None:
        self.used = number

    def run(self, until: float) -> None:
        while self.now < until:
            with self.choice.running():
                for _ in range(self._epoch):
                    self.now += self._cost(self.used, self.now) * self._pixels(self.now)
                    self.steps += 1
                    self.choice.after_step(self._pixels(self.now))
            self.now += 0.01  # scored


def idle(number: int, now: float) -> float:
    return float(0.05 * number**-0.7)


def crowded(number: int, now: float) -> float:
    """Threads wait for those that have lost their core."""
    return 0.05 if number == 1 else 0.15


def best_of_four(number: int, now: float) -> float:
    return {16: 0.08, 8: 0.05, 4: 0.02, 2: 0.04, 1: 0.07}[number]


@pytest.mark.parametrize(
    ("cost", "most", "best"), [(idle, 2, 2), (idle, 16, 16), (crowded, 2, 1), (best_of_four, 16, 4)]
)
@pytest.mark.parametrize("epoch", [3, 50])
def test_the_fastest_is_chosen_and_costs_little(cost: Cost, most: int, best: int, epoch: int) -> None:
    """In five minutes at least 94 of 100 steps that the best number alone would have taken."""
    simulated = Simulated(most, cost, epoch)
    simulated.run(until=300.0)
    assert simulated.choice.number == best
    pauses = 0.01 * simulated.steps / epoch
    assert simulated.steps * cost(best, 0.0) >= 0.94 * (simulated.now - pauses)


def test_other_work_that_comes_and_goes_is_noticed() -> None:
    simulated = Simulated(2, lambda n, t: crowded(n, t) if 100 <= t < 200 else idle(n, t))
    for until, number in ((90, 2), (190, 1), (300, 2)):
        simulated.run(until)
        assert simulated.choice.number == number


def test_images_that_grow_meanwhile_decide_nothing() -> None:
    """Each step costs a little more than the one before, and is judged by its pixels."""
    simulated = Simulated(2, lambda n, t: 0.05, pixels=lambda t: 1 + t / 30)
    simulated.run(until=60.0)
    assert simulated.choice.number == 1


def test_numbers_that_are_as_fast_are_not_exchanged() -> None:
    simulated = Simulated(2, lambda n, t: 0.05 if n == 1 else 0.049)
    simulated.run(until=100.0)
    assert simulated.choice.number == 1


def test_a_number_that_is_slower_by_far_costs_a_step() -> None:
    """Where threads wait for cores that others have, the training has nearly all its steps on one thread."""
    simulated = Simulated(4, lambda n, t: 0.05 if n == 1 else 9.0)
    simulated.run(until=60.0)
    assert simulated.choice.number == 1
    assert simulated.steps >= (60 - 2 * 9.5) / 0.06


def test_a_first_step_that_makes_threads_decides_nothing() -> None:
    """Where the first step on a number takes a hundred times as long as the next ones, but on sixteen threads
    less than a second."""
    met = set()

    def cost(number: int, now: float) -> float:
        new = number not in met
        met.add(number)
        return idle(number, now) * (100 if new and number > 1 else 1)

    simulated = Simulated(16, cost)
    simulated.run(until=10.0)
    assert simulated.choice.number == 16


def test_a_score_has_the_threads_of_the_steps() -> None:
    """Those that were the fastest, also where another number is on trial; then the process has all again."""
    simulated = Simulated(2, crowded)
    simulated.run(until=30.0)
    with simulated.choice.scoring():
        assert simulated.used == 1
    assert simulated.used == 2


@pytest.mark.parametrize(
    ("fidelity", "timed", "chooses"),
    [(Fidelity(ENDLESS), True, True), (Fidelity(2), True, False), (Fidelity(2), False, False)],
)
def test_a_training_until_its_deadline_alone_chooses(
    fidelity: Fidelity, timed: bool, chooses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have the threads that they were given, and so the same last bits. Afterwards the process has
    those of before."""
    used: list[int] = []
    real = torch.set_num_threads
    before = torch.get_num_threads()
    real(2)

    def note(number: int) -> None:
        used.append(number)
        real(number)

    monkeypatch.setattr(torch, "set_num_threads", note)
    known = {"deadline": time.monotonic() + 1.0, "shorten": True} if timed else {}
    try:
        _, outcome = estimated(fidelity=fidelity, **known)
        assert isinstance(outcome, Done)
        assert torch.get_num_threads() == 2
    finally:
        real(before)
    assert bool(used) == chooses
