"""The epochs that trials paid for."""

from __future__ import annotations

import msgspec
import pytest

from cambrian.architecture import Architecture
from cambrian.effort import (
    ANEW,
    FREE,
    STOPPED,
    Axis,
    count_paid,
    find_axis,
    find_epochs,
    list_paid,
    read_axis,
    set_axis,
)
from cambrian.errors import UsageError
from cambrian.estimators.extrapolated import Extrapolated
from cambrian.estimators.train import Train
from cambrian.outcome import ENDLESS, Crashed, Done, Fidelity, Infeasible, Outcome, Point, Trial
from cambrian.search.frame import list_records
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.planning.budget import Budget
from cambrian.search.result import Result
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.weights import FRESH, Continue, Shared


def trial(number: int, fidelity: Fidelity, outcome: Outcome | None = None, **rest) -> Trial:
    return Trial(number, Architecture({}), fidelity, outcome=outcome, **rest)


FIRST = trial(0, Fidelity(9), Done(1.0))


@pytest.mark.parametrize(
    ("one", "paid"),
    [
        (trial(1, Fidelity(27), Done(1.0)), 27.0),
        (trial(1, Fidelity(27, 0.5), Done(1.0)), 13.5),
        (trial(1, Fidelity(27), Done(1.0), weights=Continue(0)), 18.0),
        (trial(1, Fidelity(27), Done(1.0, data={ANEW: "gone"}), weights=Continue(0)), 27.0),
        (trial(1, Fidelity(27), Done(1.0), cached=0), 0.0),
        (trial(1, Fidelity(27)), 0.0),
        (trial(1, Fidelity(27), Crashed("x")), 27.0),
        (trial(1, Fidelity(27), Infeasible("limit")), 0.0),
        (trial(1, Fidelity(27), Infeasible("nan", curve=(Point(1, {}), Point(2, {})))), 2.0),
        (trial(1, Fidelity(1000, seconds=3.0), Done(1.0, {"epochs": 1.5})), 1.5),
        (trial(1, Fidelity(20, 0.5), Done(1.0, {"epochs": 5.0})), 2.5),
        (trial(1, Fidelity(20), Done(1.0, {"epochs": 99.0})), 20.0),
        (trial(1, Fidelity(27), Done(1.0), weights=Shared(0)), 0.0),
    ],
)
def test_a_trial_pays_for_its_epochs(one: Trial, paid: float) -> None:
    """All of a training from the start, also of one that was to continue another and could not; the
    difference of one that did; those that it had where it says so; none for a repeat or a child that a
    supernet's weights score."""
    assert list_paid([FIRST, one]) == [9.0, paid]
    assert count_paid(one, FIRST if one.weights != FRESH else None) == paid


@pytest.mark.parametrize(
    ("one", "epochs"),
    [
        (trial(0, Fidelity(27), Done(1.0)), 27.0),
        (trial(0, Fidelity(27)), None),
        (trial(0, Fidelity(27), Crashed("x")), None),
        (trial(0, Fidelity(27), Infeasible("limit")), None),
        (trial(0, Fidelity(27), Infeasible("nan", curve=(Point(1, {}), Point(2, {})))), 2.0),
        (trial(0, Fidelity(27), Done(1.0, {"epochs": 6.5, "planned_epochs": 27.0})), 6.5),
        (trial(0, Fidelity(27), Done(1.0, {"epochs": 27.0}, data={STOPPED: 4})), 4.0),
        (trial(0, Fidelity(ENDLESS, seconds=3.0), Done(1.0, {"epochs": 1.5})), 1.5),
        (trial(0, Fidelity(ENDLESS, seconds=3.0), Done(1.0)), None),
        (trial(0, Fidelity(ENDLESS), Done(1.0)), None),
        (trial(0, Fidelity(ENDLESS)), None),
    ],
)
def test_the_epochs_that_a_network_was_trained_for(one: Trial, epochs: float | None) -> None:
    """As its outcome says, not those that only bound its time; None where nothing says it."""
    assert find_epochs(one) == epochs
    half = msgspec.structs.replace(one, fidelity=msgspec.structs.replace(one.fidelity, fraction=0.5))
    (record,) = list_records(Result(TinyChain(2), None, [Row(half, "k", "done", 1, 0)], {}, []))
    assert record["epochs"] == (None if epochs is None else epochs / 2)


def test_the_count_grows_with_the_trials() -> None:
    """A running trial counts as it will; once it has ended, as it did."""
    trials = [FIRST, trial(1, Fidelity(27), weights=Continue(0))]
    paid = PaidEpochs(trials, {})
    assert paid.count() == 27.0
    trials[1] = trial(1, Fidelity(27), Done(1.0, data={ANEW: "gone"}), weights=Continue(0))
    assert paid.count() == 36.0
    trials.append(trial(2, Fidelity(3), Done(1.0)))
    assert paid.count() == 39.0


def test_a_running_training_counts_the_epochs_that_its_recipe_has() -> None:
    """A share of its fidelity's, by its own answer or by the recipe; a child that is scored has none; answers
    that no training can have are the trial's to refuse."""
    answers = Architecture({"train.length": 0.25})
    running = Trial(1, answers, Fidelity(20), estimator="own")
    wrong = msgspec.structs.replace(running, number=2, architecture=Architecture({"train.length": 9}))
    trials = [FIRST, trial(1, Fidelity(20), weights=Shared(0))]
    paid = PaidEpochs(trials, {"": Train(length=0.5), "own": Extrapolated(Train())})
    assert paid.count() == 9.0
    for each, count in ((running, 9 + 5), (trial(1, Fidelity(20)), 9 + 10), (wrong, 9 + 20)):
        trials[1] = each
        assert paid.count() == count


def test_axes_are_read_and_set() -> None:
    """Fields of a fidelity and settings of its skeleton; whole numbers stay whole."""
    full = Fidelity(81, 1.0, 32, {"filters": 16})
    for name, value in (("epochs", 27), ("fraction", 0.5), ("resolution", 8), ("filters", 4)):
        assert read_axis(set_axis(full, name, value), name) == value
    assert set_axis(full, "epochs", 26.6) == Fidelity(27, 1.0, 32, {"filters": 16})
    assert read_axis(full, "seconds") is None
    assert find_axis(FREE, "filters") == Axis("skeleton")
    assert find_axis((Axis("epochs"),), "filters") is None


def test_budgets_of_epochs() -> None:
    """Read as they are written, alone or with others; in JSON only where there are some."""
    assert Budget.parse("20000 epochs") == Budget(epochs=20000)
    assert Budget.parse(str(Budget(200, 60.0, 5000))) == Budget(200, 60.0, 5000)
    assert Budget.parse("1epoch").most_epochs == 1
    assert msgspec.to_builtins(Budget(200)) == {"trials": 200, "seconds": None}
    with pytest.raises(UsageError, match="above zero"):
        Budget.parse("0 epochs")
