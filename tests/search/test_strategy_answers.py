"""What a strategy of the user's own answers: a slip is one sentence, and leaves no trace in the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import mocks
from cambrian.architecture import Architecture, sample
from cambrian.errors import StrategyError
from cambrian.outcome import Fidelity
from cambrian.request import Evaluate, Stop, TrainSupernet, Wait
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.testing import STRATEGY, StrategyCase
from cambrian.weights import Continue

SPACE = mocks.Toy(questions=8)
FEW = 3
"""Sound proposals before the one that is tried, so that the run has something to lose."""


@dataclass(frozen=True)
class Slips:
    """Proposes `FEW` architectures, and then what `answer` makes of one more; `start` and `learn` return what
    they are given, where that is said."""

    answer: Any = None
    first: Any = ()
    then: Any = "counted"
    needs: ClassVar[tuple[type, ...]] = ()
    requests: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Any) -> Any:
        return self.first

    def propose(self, state: Any, pending: Any, rng: np.random.Generator) -> Any:
        architecture = sample(SPACE, rng)
        number = len(state) + len(pending)
        return Evaluate(architecture) if number != FEW else self.answer(architecture)

    def learn(self, state: Any, trial: Any) -> Any:
        return (*state, trial.number) if self.then == "counted" else self.then


def play(strategy: Any, place: Any = None) -> Any:
    return Search(SPACE, strategy, mocks.Mock(), budget=8).run(place, quiet=True)


def with_field(**field: Any) -> Any:
    return lambda architecture: Evaluate(architecture, **field)


class Odd:
    """What JSON has no form for."""

    def __repr__(self) -> str:
        return "Odd()"


PROPOSES = r"propose returns Evaluate\(architecture\), .*, got "
WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (lambda a: None, PROPOSES + "None$"),
    "a bare architecture": (lambda a: a, PROPOSES + r"Architecture\(.*: return Evaluate\(architecture\)$"),
    "a class": (lambda a: Wait, PROPOSES + r".*: return Wait\(\.\.\.\)$"),
    "a text as reason": (with_field(reason="the best"), "reason is a dictionary, got 'the best'$"),
    "no reason": (with_field(reason=None), "reason is a dictionary, got None$"),
    "a list as memory": (with_field(memory=[1]), r"memory is a dictionary, got \[1\]$"),
    "an object": (with_field(reason={"a": 1, "b": Odd()}), r"reason\['b'\] holds texts.*, got Odd\(\)$"),
    "an array": (
        with_field(memory={"p": np.zeros(2)}),
        r"memory\['p'\] holds .*got array\(\[0., 0.\]\); \.tolist\(\) makes a list of it$",
    ),
    "a tuple as name": (with_field(reason={(1, 2): 3}), r"reason has texts as names, got \(1, 2\)$"),
    "a level in words": (
        with_field(reason={"level": "top"}),
        r"reason\['level'\] is a whole number, the level of the search, got 'top'$",
    ),
    "no level": (with_field(reason={"level": None}), r"reason\['level'\] is a whole number, .*got None$"),
    "a prediction in words": (
        with_field(reason={"predicted": "high"}),
        r"reason\['predicted'\] is a number, the score that was expected, got 'high'$",
    ),
    "an unborn parent": (with_field(parent=99), "parent is .*or None, got 99: there are trials 0 to 2$"),
    "a parent before all": (with_field(parent=-1), "got -1: there are trials 0 to 2$"),
    "a trial as parent": (
        with_field(parent="trial 0"),
        "number of an earlier trial, or None, got 'trial 0'$",
    ),
    "True as parent": (with_field(parent=True), "number of an earlier trial, or None, got True$"),
    "epochs as fidelity": (with_field(fidelity=3), r"fidelity is a Fidelity, such as .*, got 3$"),
    "half a replicate": (with_field(replicate=0.5), "replicate is a whole number, got 0.5$"),
    "a row as weights": (with_field(weights=1), r"weights is Fresh\(\), Continue\(row\), .*, got 1$"),
    "weights of a text": (with_field(weights=Continue("0")), r"weights is .*got Continue\(row='0'\)$"),  # type: ignore[arg-type]
    "a list as estimator": (with_field(estimator=[]), r"estimator is the name of one of .*, got \[\]$"),
    "one preferred": (with_field(prefers=1), "prefers is a tuple of the numbers of earlier trials, got 1"),
    "an unborn preferred": (with_field(prefers=(1, 9)), r"got \(1, 9\): there are trials 0 to 2$"),
    "a dictionary": (lambda a: Evaluate(dict(a)), r"architecture is an Architecture, got \{'q0'"),  # type: ignore[arg-type]
    "of another space": (
        lambda a: Evaluate(Architecture({"depth": 3})),
        "proposes what the space does not hold: question 'q0' has no answer",
    ),
    "a supernet of a name": (
        lambda a: TrainSupernet(a, "darts"),  # type: ignore[arg-type]
        "method is a dictionary, got 'darts'$",
    ),
    "to stop at a number": (lambda a: Stop(3), "reason is a phrase .*, got 3$"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_proposal_is_refused_before_it_is_written(name: str, tmp_path: Any) -> None:
    """Where it is proposed, by the strategy's name; the ledger has the trials before it, and is sound."""
    answer, says = WRONG[name]
    with pytest.raises(StrategyError, match=f"^strategy 'Slips':? (?:.* )?{says}"):
        play(Slips(answer), tmp_path)
    rows = Ledger.read(tmp_path / "ledger.sqlite").rows()
    assert [row.trial.number for row in rows] == list(range(FEW))
    # The last outcome shares its commit with the next proposal, where it took no time.
    assert all(row.trial.value is not None for row in rows[:-1])


@pytest.mark.parametrize(
    "field",
    [
        {"parent": np.int64(2), "replicate": np.int64(1)},
        {"prefers": [2, 0]},
        {"fidelity": Fidelity(2)},
        {"reason": {"level": np.int64(2), "predicted": np.float32(0.5), "shared": None}},
        {"reason": {"rank": np.float32(0.5), "of": [1, (2, None)], "why": {"é": True}}, "memory": {}},
    ],
)
def test_what_json_gives_back_is_taken(field: dict[str, Any]) -> None:
    """Numbers of NumPy, and lists where tuples are kept."""
    assert len(play(Slips(with_field(**field))).trials) == 8


def test_a_list_of_preferred_trials_is_the_tuple_that_is_read_back() -> None:
    """A row is the same whether it was just made or read from its run."""
    assert play(Slips(with_field(prefers=[2, 0]))).trials[FEW].prefers == (2, 0)


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (Slips(first=None), "start returned None, expected the first state"),
        (Slips(then=None), "learn returned None, expected the next state: does it end without a return"),
    ],
)
def test_a_state_is_not_none(strategy: Any, says: str) -> None:
    """Which a forgotten `return` leaves, and which the user's own code stumbles over later."""
    with pytest.raises(StrategyError, match=f"^strategy 'Slips': {says}"):
        play(strategy)


def test_a_recommendation_is_a_list() -> None:
    """Of architectures."""

    @dataclass(frozen=True)
    class Modest(Slips):
        def recommend(self, state: Any) -> Any:
            return None

    with pytest.raises(StrategyError, match="recommend returns a list of architectures, got None"):
        play(Modest(lambda architecture: Stop("enough")))


def test_the_suite_says_the_same() -> None:
    """A strategy that a search would refuse fails its suite with the sentence of the search."""

    @dataclass(frozen=True)
    class Worded(Slips):
        def propose(self, state: Any, pending: Any, rng: np.random.Generator) -> Any:
            return Evaluate(sample(SPACES.make("tiny-chain"), rng), reason="by chance")  # type: ignore[arg-type]

    lines = STRATEGY.violations(StrategyCase(Worded(), SPACES.make("tiny-chain"), trials=6, repeats=True))
    said = "StrategyError: strategy 'Worded': reason is a dictionary, got 'by chance'"
    assert {line.partition(": ")[2] for line in lines} == {said}
    assert len(lines) > 8
