"""Trainings that end early by a forecast of their curve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cambrian.architecture import Architecture, sample
from cambrian.effort import STOPPED, count_paid
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.early_end import end_early
from cambrian.estimators.extrapolated import Extrapolated
from cambrian.estimators.function import Function
from cambrian.estimators.job import Job
from cambrian.estimators.known_curves import Unit
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity, Outcome, Point, Trial
from cambrian.randomness import stream
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.testing import PairCase, toy_task
from cambrian.testing.pairs import check_a_kill_costs_nothing

SPACE = SPACES.make("tiny-chain")
FULL = Fidelity(20)


def rise(architecture: Architecture, fidelity: Fidelity) -> Iterator[float]:
    """A curve to an end that depends on the architecture."""
    end = 0.4 + 0.5 * stream(0, "end", architecture.key).random()
    for epoch in range(1, fidelity.epochs + 1):
        yield end - 0.3 / epoch


def learn(estimator: Extrapolated, architecture: Architecture, history: Any = (), **known: Any) -> Outcome:
    job = Job.of(SPACE, architecture, FULL, history=tuple(history), **known)
    estimate = estimator.run(job)
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def draw(count: int) -> list[Architecture]:
    drawn = (sample(SPACE, stream(0, "draw", n)) for n in range(50 * count))
    return list(dict.fromkeys(drawn))[:count]


def measure(architectures: list[Architecture]) -> list[Trial]:
    plain = Function(rise, builds=False)
    outcomes = [learn(plain, a) for a in architectures]  # type: ignore[arg-type]
    return [
        Trial(n, a, FULL, outcome=o) for n, (a, o) in enumerate(zip(architectures, outcomes, strict=True))
    ]


def test_a_loss_that_exploded_is_no_measure_of_the_others() -> None:
    """Two trainings of thirteen did: by their gains every other one had an even chance, and none ended."""
    *others, worst = sorted(measure(draw(14)), key=lambda t: -(t.value or 0.0))
    curve = tuple(Point(epoch, {"value": -1e5 * epoch}) for epoch in range(1, 21))
    exploded = Done(-2e6, curve=curve)
    history = [
        msgspec.structs.replace(t, outcome=exploded) if n in (3, 8) else t for n, t in enumerate(others)
    ]
    ended = learn(Extrapolated(Function(rise, builds=False), "mean-gain"), worst.architecture, history)
    assert isinstance(ended, Done)
    assert ended.data == {STOPPED: 2}
    assert ended.value == pytest.approx(worst.value)


def test_a_hopeless_training_ends_early() -> None:
    """With the mean gain of four others it is known at the first check: the trial says the predicted value,
    and what was saved; the best one, told the same curves, runs to its end."""
    trials = measure(draw(6))
    ranked = sorted(trials, key=lambda t: t.value or 0.0)
    worst, best, others = ranked[0], ranked[-1], ranked[1:-1]
    estimator = Extrapolated(Function(rise, builds=False), "mean-gain")
    ended = learn(estimator, worst.architecture, others)
    assert isinstance(ended, Done)
    assert ended.data == {STOPPED: 2}
    assert ended.value == ended.metrics["predicted"] == pytest.approx(worst.value)  # all gain alike
    assert ended.metrics["epochs"] == len(ended.curve) == 2
    assert ended.metrics["epochs_saved"] == 18
    assert ended.metrics["last_value"] == ended.curve[-1].metrics["value"]
    whole = learn(estimator, best.architecture, others)
    assert isinstance(whole, Done)
    assert whole.value == best.value
    assert whole.metrics["epochs_saved"] == 0
    assert whole.metrics["predicted"] == pytest.approx(best.value)


def test_the_best_is_of_all_trials() -> None:
    """One that was measured before the curves that a model reads is still to be beaten: the second best of
    seven ends early, which is better than all five of the latest."""
    *others, second, best = sorted(measure(draw(7)), key=lambda t: t.value or 0.0)
    estimator = Extrapolated(Function(rise, builds=False), "mean-gain", curves=5)
    ended = learn(estimator, second.architecture, [best, *others])
    assert isinstance(ended, Done)
    assert ended.data == {STOPPED: 2}


def test_nothing_ends_without_a_best_or_by_the_rule_never() -> None:
    """The first trial of a search, one whose model has too few curves, and one that is only to be
    reported."""
    trials = measure(draw(6))
    worst = min(trials, key=lambda t: t.value or 0.0)
    inner = Function(rise, builds=False)
    for estimator, history in (
        (Extrapolated(inner, "last-value"), []),
        (Extrapolated(inner, "svr"), trials),
        (Extrapolated(inner, "mean-gain", stop="never"), trials),
    ):
        outcome = learn(estimator, worst.architecture, history)
        assert isinstance(outcome, Done)
        assert outcome.value == worst.value
        assert STOPPED not in outcome.data


def test_a_forecast_is_no_best_value() -> None:
    """Trials that ended early are curves to read, and their values are nothing to be beaten."""
    trials = measure(draw(6))
    ended = Done(0.99, curve=(Point(2, {"value": 0.5}),), data={STOPPED: 2})
    stopped = Trial(9, draw(7)[-1], FULL, outcome=ended)
    best = max(trials, key=lambda t: t.value or 0.0)
    others = [*(t for t in trials if t is not best), stopped]
    outcome = learn(Extrapolated(Function(rise, builds=False), "mean-gain"), best.architecture, others)
    assert isinstance(outcome, Done)
    assert outcome.value == best.value


def test_a_search_pays_for_what_it_trained() -> None:
    """By epochs: those until a training ended. The best is that of the search without extrapolation, and the
    same search again is the same."""

    def search(estimator: Any) -> Any:
        return Search(SPACE, "random", estimator, budget=30, fidelity=FULL, seed=1).run(quiet=True)

    inner = Function(rise, builds=False)
    plain = search(inner)
    runs = [search(Extrapolated(inner, "mean-gain")) for _ in range(2)]
    assert plain.best is not None
    for run in runs:
        assert run.best is not None
        assert run.best.value == plain.best.value
        values = [t.outcome for t in run.trials if isinstance(t.outcome, Done) and t.cached is None]
        stopped = [o for o in values if STOPPED in o.data]
        assert len(stopped) > 5
        paid = sum(count_paid(t) for t in run.trials)
        assert paid == sum(len(o.curve) for o in values) < 20 * len(values)
    assert [t.value for t in runs[0].trials] == [t.value for t in runs[1].trials]


def test_a_kill_costs_nothing() -> None:
    """A search killed in its 14th trial and resumed ends the same trainings after the same epochs."""
    check_a_kill_costs_nothing(
        PairCase(SPACE, "random", Extrapolated(Function(rise, builds=False), "mean-gain"), fidelity=FULL)
    )


def test_lower_values_are_better_where_they_are() -> None:
    """An error rate, minimised: the same trainings end after the same epochs as by accuracy."""

    def fall(architecture: Architecture, fidelity: Fidelity) -> Iterator[float]:
        return (1 - value for value in rise(architecture, fidelity))

    def search(function: Any, minimize: bool) -> list[int]:
        around = Extrapolated(Function(function, builds=False), "mean-gain")
        settings: dict[str, Any] = {"budget": 20, "fidelity": FULL, "seed": 2, "minimize": minimize}
        result = Search(SPACE, "random", around, **settings).run(quiet=True)
        return [len(t.outcome.curve) for t in result.trials if isinstance(t.outcome, Done)]

    assert search(fall, True) == search(rise, False)


def test_values_are_read_in_their_bounds() -> None:
    """Percent for a model of shares are refused with the settings that mend it; with these they are shares,
    and a loss that is minimised is turned."""
    assert Unit.of(0.0, 100.0, False, True).read([93.0])[0] == pytest.approx(0.93)
    assert Unit.of(0.0, 100.0, True, True).read([93.0])[0] == pytest.approx(0.07)
    assert Unit.of(0.0, 1.0, True, False).read([2.5])[0] == -2.5
    with pytest.raises(UsageError, match="from 0 to 1, got 93: give the least and the highest value"):
        Unit.of(0.0, 1.0, False, True).read([93.0])


def test_wrong_settings_are_refused() -> None:
    """With the nearest name, the two bounds, and the model's own sentence."""
    with pytest.raises(UnknownName, match="optimistic"):
        Extrapolated(stop="optimist")
    with pytest.raises(UsageError, match="low is below high, got 1 and 1"):
        Extrapolated(low=1.0)
    with pytest.raises(UnknownName, match="svr"):
        Extrapolated(model="svm")


def test_a_training_ends_with_its_weights(tmp_path: Path) -> None:
    """A real one, told that it is enough after the first of three epochs, leaves what a training of three
    epochs has then: the first point, and the weights."""
    space, task = SPACES.make("tiny-chain"), toy_task()
    job = Job.of(space, draw(1)[0], Fidelity(3), task, keep=tmp_path)
    estimate = Train().run(job)
    first = next(estimate)
    outcome = end_early(estimate)
    assert isinstance(outcome, Done)
    assert [p.step for p in outcome.curve] == [1]
    assert outcome.curve[0].metrics == first.metrics
    assert (tmp_path / "weights.safetensors").exists()


def test_an_estimator_that_cannot_end_early_is_closed() -> None:
    """Its outcome is made of the curve that it gave."""

    points = [Point(n, {"value": 0.2}, float(n)) for n in range(1, 21)]

    class Stubborn:
        needs, builds, delivers = (), False, False
        closed = 0

        def run(self, job: Job) -> Any:
            try:
                yield from points
            finally:
                Stubborn.closed += 1
            return Done(1.0)

    trials = measure(draw(5))
    outcome = learn(Extrapolated(Stubborn(), "mean-gain"), draw(6)[-1], trials)
    assert isinstance(outcome, Done)
    assert outcome.data == {STOPPED: 2}
    assert Stubborn.closed == 1
    assert outcome.metrics["epochs_saved"] == 18
    assert outcome.seconds == 2


def test_paid_epochs_of_one_that_ended() -> None:
    """Of a tenth of the data a tenth."""
    outcome = Done(0.5, data={STOPPED: 4})
    trial = Trial(0, draw(1)[0], msgspec.structs.replace(FULL, fraction=0.1), outcome=outcome)
    assert count_paid(trial) == pytest.approx(0.4)
    assert count_paid(msgspec.structs.replace(trial, outcome=Done(0.5))) == pytest.approx(2.0)
