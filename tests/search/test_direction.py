"""Lower may be better: the user's sign everywhere, the same proposals as for the opposite."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import cambrian
from cambrian.architecture import completions
from cambrian.benchmarks import table
from cambrian.cli.display import summary
from cambrian.errors import RunChanged, UsageError
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.extrapolated import Extrapolated
from cambrian.estimators.function import Function
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import lower_is_better
from cambrian.recommendation import find_incumbents
from cambrian.referee.comparison import compare
from cambrian.referee.figures import facts
from cambrian.search.loop.final import Final
from cambrian.search.parts.compatibility import trains_supernets
from cambrian.search.parts.direction import turn_trial
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies import STRATEGIES
from cambrian.strategies.filtered import Filtered
from cambrian.tasks import load
from cambrian.weights import Inherit
from commands import run_command

SPACE = TinyChain(3)
SMALL = {
    "progressive": {"keep": 6, "first": 4, "surrogate": "ridge"},
    **{name: {"keep": 6, "surrogate": "ridge"} for name in ("popnas", "dpp-net")},
    "hierarchical-tournament": {"initial": 6, "mutations": 5, "share": 0.2},
    "reinforce": {"hidden": 8},
    "ppo": {"hidden": 8, "rerank": 3, "trials": 14},
    "bananas": {"initial": 6, "candidates": 4, "layers": 2, "epochs": 5},
    "freeze-thaw": {"candidates": 3, "fit": 1, "old": 2, "new": 1},
    "dyhpo": {"candidates": 3, "first": 4, "refine": 1},
    **{name: {"initial": 6, "refit": 8, "candidates": 4} for name in ("bayes", "nas-bowl", "smac", "nasbot")},
}


def gain(architecture, fidelity):
    """A made-up accuracy, a function of the architecture."""
    return sum(len(path) * (n + 1) % 7 + len(str(a)) for n, (path, a) in enumerate(architecture.items())) / 50


def loss(architecture, fidelity):
    return -gain(architecture, fidelity)


def searched(function, strategy, minimize, trials=20):
    spec = {"name": strategy, "arguments": SMALL.get(strategy, {})}
    fidelity = Fidelity(9)  # below which some strategies measure first
    return Search(
        SPACE,
        spec,
        Function(function, builds=False),
        budget=trials,
        seed=5,
        minimize=minimize,
        fidelity=fidelity,
    ).run()


OWN_ESTIMATORS = [
    name
    for name in STRATEGIES.names()
    if trains_supernets(STRATEGIES.make(name))
    or hasattr(STRATEGIES.make(name), "estimators")
    or Inherit in getattr(STRATEGIES.make(name), "requests", ())
]
"""Strategies that bring estimators of networks, or inherit weights: a function of architectures cannot stand
in for those."""


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES.names() if name not in OWN_ESTIMATORS])
def test_minimising_a_loss_is_maximising_its_opposite(strategy):
    """The same proposals, the same best architecture; values in the user's own sign."""
    high, low = searched(gain, strategy, None), searched(loss, strategy, True)
    assert [t.architecture for t in low.trials] == [t.architecture for t in high.trials]
    assert [t.value for t in low.trials] == [None if t.value is None else -t.value for t in high.trials]
    assert low.best.architecture == high.best.architecture
    longest = [t for t in low.trials if t.fidelity == low.best.fidelity]
    assert low.best.value == min(t.value for t in longest if t.value is not None)


def test_ask_and_tell_minimise():
    """What is told is kept in its sign; the best is the lowest."""
    search = Search(SPACE, "random", Function(loss, builds=False), budget=10, minimize=True)
    while (trial := search.ask()) is not None:
        search.tell(trial.number, loss(trial.architecture, None))
    trials = search._talk.coordinator.trials
    assert all(t.outcome.minimize for t in trials)
    *_, best = find_incumbents(trials)
    assert best.value == min(t.value for t in trials)


def test_the_direction_is_a_setting_of_the_run(tmp_path):
    """Resumed it stays; another is refused."""
    spec = {"name": "function", "arguments": {"function": "test_direction:loss", "builds": False}}
    first = Search(SPACE, "random", spec, budget=5, minimize=True).run(tmp_path / "run")
    more = Search.resume(tmp_path / "run", 9).run(tmp_path / "run")
    assert more.best.value == min(t.value for t in more.trials if t.value is not None) <= first.best.value
    with pytest.raises(RunChanged, match="minimize was True, now absent"):
        Search(SPACE, "random", spec, budget=9, minimize=False).run(tmp_path / "run")


def written(place: Path, column: str, sign: float, space: TinyChain = SPACE) -> Path:
    """Every chain of `space` with its gain, times `sign`, in a CSV."""
    chains = list(completions(space, {}))
    paths = list(max(chains, key=len))  # as they are asked
    rows = [",".join([*(str(c.get(p, "")) for p in paths), str(sign * gain(c, None))]) for c in chains]
    file = place / f"{column}.csv"
    file.write_text("\n".join([",".join([*paths, column]), *rows]))
    return file


def weigh(architecture):
    """A number that no two architectures share."""
    return sum(map(ord, architecture.key)) + len(architecture) / 10


@dataclass(frozen=True)
class Compared:
    """Trains nothing: its values are the weights of the architectures, or their opposites."""

    minimize: bool = False
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = True

    def run(self, job):
        yield from ()
        return Done(weigh(job.architecture) * (-1 if self.minimize else 1))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("final_lower", [False, True])
def test_the_final_networks_are_compared_by_their_own_direction(tmp_path, lower, final_lower):
    """Whichever the search has: the winner is the one of the highest weight, and the ledger of a version that
    knew the search's direction alone is read with the final stage's."""
    function = Function(lambda architecture, fidelity: len(architecture), builds=False, minimize=lower)
    stage = Final(Fidelity(2), top=3, baselines=(), estimator="compared")
    others = {"compared": Compared(final_lower)}

    def run():
        search = Search(SPACE, "random", function, budget=12, final=stage, estimators=others)
        return search.run(tmp_path / "run", quiet=True)

    result = run()
    finalists = [t for t in result.finals if t.role == "finalist"]
    best = max(finalists, key=lambda t: weigh(t.architecture))
    assert len({t.value for t in finalists}) == 3
    assert result.winner.architecture == best.architecture
    assert {t.outcome.minimize for t in result.trials} == {lower}
    assert {t.outcome.minimize for t in result.finals} == {final_lower}
    assert turn_trial(best, {"": lower, "compared": not final_lower}).outcome.minimize is not final_lower
    with pytest.MonkeyPatch.context() as patch:  # as an older version wrote it
        patch.setattr(Search, "directions", {"": lower, "compared": lower})
        (tmp_path / "run" / "ledger.sqlite").unlink()
        run()
    assert run().winner.architecture == best.architecture


def test_every_estimator_has_its_own_direction():
    """That of the task's metric, its own word, or high, whatever the search says of its first one; what is
    told of a proxy's trial too. Filtering takes the highest proxies of old ledgers as of new ones."""
    task = cambrian.load(
        (np.random.default_rng(0).random((40, 4)), np.linspace(0, 1, 40)), features=True, metric="rmse"
    )
    others = {
        "train": "train",
        "curve": Extrapolated(),
        "size": "params",
        "loss": Function(loss, minimize=True),
    }
    search = Search(SPACE, "random", Function(gain, builds=False, minimize=True), task, 3, estimators=others)
    known = {"": True, "train": True, "curve": True, "size": False, "loss": True}
    assert search.directions == known
    proxies = {"layers": Function(gain, builds=False)}
    filtered = Filtered(strategy="", measures=("layers",), draws=4, keep=1)
    search = Search(
        SPACE, filtered, Function(loss, builds=False), budget=9, minimize=True, estimators=proxies
    )
    while (trial := search.ask()) is not None:
        search.tell(trial.number, trial.number / 10)
        *_, last = search._talk.coordinator.trials
        assert last.outcome.minimize is not bool(last.estimator)
    trials = search._talk.coordinator.trials
    assert trials[-1].architecture == trials[3].architecture


def test_no_accuracy_is_minimised():
    """Nor that of an estimator around a training."""
    with pytest.raises(UsageError, match="accuracy is a share of right answers: it cannot be minimised"):
        Search("nasbench201", "random", Extrapolated(), load("digits", limit=200), 3, minimize=True)


def test_a_table_of_losses(tmp_path):
    """The direction is that of the objective's name, unless it is said; the optimum is the lowest."""
    low = table(written(tmp_path, "val_loss", -1.0), "val_loss")
    lowest = -max(gain(c, None) for c in completions(SPACE, {}))
    assert low.minimize
    assert low.optimum == pytest.approx(lowest)
    assert not table(tmp_path / "val_loss.csv", "val_loss", minimize=False).minimize
    assert not table(written(tmp_path, "val_acc", 1.0)).minimize


def test_the_command_finds_the_lowest(tmp_path):
    """By its name, and it is said before the search; JSON has the user's sign."""
    small = TinyChain(2)
    path = written(tmp_path, "val_loss", -1.0, small)
    arguments = ["search", "--benchmark", f"{path}:val_loss", "--strategy", "random", "--budget", "100"]
    done = run_command(*arguments, "--run", tmp_path / "run", "--json", place=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "val_loss, lower is better (--maximize says otherwise)" in done.stderr
    lowest = -max(gain(c, None) for c in completions(small, {}))
    assert json.loads(done.stdout)["best"]["value"] == pytest.approx(lowest)


def test_published_tables_have_their_direction():
    """A direction that is not theirs is refused in a sentence."""
    from cambrian.benchmarks import benchmark

    with pytest.raises(UsageError, match="is maximised"):
        benchmark("planted", minimize=True)


@pytest.mark.parametrize(
    ("name", "low"),
    [
        ("val_loss", True),
        ("testError", True),
        ("valid_acc", False),
        ("F1", False),
        ("value", None),
        ("neg_log_loss", None),
    ],
)
def test_names_say_which_way_is_better(name, low):
    """Words of a name, however they are written together."""
    assert lower_is_better(name) is low


def accuracy(architecture):
    return {"accuracy": len(architecture.key) / 100, "params": 3.0}


@pytest.mark.parametrize("objectives", [[], ["accuracy", "params"]])
def test_a_function_named_as_the_metric_goes_on(objectives, tmp_path):
    """A resumed run names its value first, which is no change of what was asked for."""
    estimator = Function("test_direction:accuracy", builds=False)
    task = load("digits", limit=60)
    search = Search(SPACE, "random", estimator, task, 2, objectives=objectives, final=None, workers=1)
    search.run(tmp_path / "run", quiet=True)
    assert search.objective.name == "accuracy"
    result = Search.resume(tmp_path / "run", 4).run(tmp_path / "run", quiet=True)
    assert [t.value is not None for t in result.trials] == [True] * 4


def test_scores_turn_the_sign_once():
    """Strategies are told what is to be high."""
    trial = Trial(0, None, None, outcome=Done(0.3, minimize=True))
    assert (trial.value, trial.score, trial.turn_upwards().value) == (0.3, -0.3, -0.3)
    assert trial.turn_upwards().turn_upwards() == trial.turn_upwards()


@pytest.mark.parametrize(
    "estimator",
    [Tabular("results.csv", "val_acc"), Function("test_direction:gain")],
    ids=["table", "function"],
)
def test_runs_older_than_the_direction_are_the_same_runs(estimator):
    """What is maximised is described as it was before there was a direction, so that they resume."""
    spec = ESTIMATORS.spec(estimator)
    assert "minimize" not in spec["arguments"]
    assert ESTIMATORS.make(spec) == estimator
    low = replace(estimator, minimize=True)
    assert ESTIMATORS.make(ESTIMATORS.spec(low)) == low


def test_strategies_compare_as_on_the_opposite_table(tmp_path):
    """The same ranks, p-values and winners; means, differences and bounds in the user's own sign."""
    found = {}
    for name, sign in (("val_loss", -1.0), ("val_acc", 1.0)):
        benchmark = table(written(tmp_path, name, sign), name)
        found[name] = facts(compare(benchmark, "evolution", seeds=6, budget=25))
    low, high = found["val_loss"], found["val_acc"]
    assert (low["minimize"], high["minimize"]) == (True, False)
    assert "lower is better" in low["unit"]
    for a, b in zip(low["standings"], high["standings"], strict=True):
        assert (a["strategy"], a["rank"], a["better than random"]) == (
            b["strategy"],
            b["rank"],
            b["better than random"],
        )
        assert a["mean"] == pytest.approx(-b["mean"])
    (one,), (other,) = low["evaluations"]["pairs"], high["evaluations"]["pairs"]
    for same in ("winner", "p", "better", "not inferior"):
        assert one[same] == other[same]
    assert one["difference"] == pytest.approx(-other["difference"])
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
    means = {row["strategy"]: row["mean"] for row in low["standings"]}
    assert one["difference"] == pytest.approx(means[one["a"]] - means[one["b"]])


def test_a_result_says_what_was_sought(tmp_path):
    """By the column's name, in the result, its JSON and its report."""
    benchmark = table(written(tmp_path, "val_loss", -1.0), "val_loss")
    search = Search(benchmark.space, "random", benchmark.estimator, budget=12, fidelity=benchmark.fidelity)
    assert str(search.objective) == "val_loss, lower is better"
    search.run(tmp_path / "run")
    result = Result.open(tmp_path / "run")
    assert result.objective == search.objective
    assert summary.facts(result)["objective"] == {"name": "val_loss", "minimize": True}
    assert "best val_loss, lower is better" in cambrian.report(result).read_text(encoding="utf-8")


def test_directions_that_make_no_sense():
    """The lowest accuracy is nobody's aim; a loss that is maximised is warned of, unless that is said."""
    with pytest.raises(UsageError, match="accuracy is a share of right answers"):
        Search("pnas", "random", "train", load("digits", limit=200), 3, minimize=True)
    function = Function(loss, builds=False)
    with pytest.warns(UserWarning, match="'loss' is maximised: say minimize=True"):
        Search(SPACE, "random", function, budget=3)
    assert not Search(SPACE, "random", function, budget=3, minimize=False).minimize


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"timeout": float("nan")}, "timeout is above 0 and finite, got nan"),
        ({"timeout": 0}, "timeout is above 0, got 0"),
        ({"workers": 0}, "workers is at least 1, got 0"),
        ({"lag": -1}, "lag is at least 1, got -1"),
        ({"seed": -1}, "seed is at least 0, got -1"),
        ({"seed": 1.5}, "seed is a whole number, got 1.5"),
        ({"memory": 0}, "memory is at least 1, got 0"),
        ({"attempts": 0}, "attempts is at least 1, got 0"),
        ({"limits": {"params": float("nan")}}, "the limit on params is a number above 0 .*, got nan"),
        ({"limits": {"macs": -5}}, "the limit on macs is a number above 0 .*, got -5"),
    ],
)
def test_numbers_of_a_search_are_checked_before_it_runs(settings, sentence):
    """One sentence when the search is made."""
    with pytest.raises(UsageError, match=sentence):
        Search(SPACE, "random", Function(gain), budget=3, **settings)
