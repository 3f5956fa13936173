"""What the summary of a search says of texts, and of a race that there was too little time for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from cambrian.architecture import Architecture
from cambrian.cli.display.summary import (
    _finals,
    _front,
    _leaderboard,
    _list_failures,
    _list_others,
    _list_unraced,
    summarise,
)
from cambrian.cli.doctor import doctor
from cambrian.goal import Goal
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.problem import Objective
from cambrian.reports.constant_answer import tell_constant
from cambrian.search.display.tally import number_text
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.tasks import Task, load
from cambrian.tasks.ngrams import score_ngrams


def test_ngrams_stand_beside_the_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their order and their score on the test part."""
    monkeypatch.setattr("cambrian.cli.display.summary._latency", lambda result: [])  # which takes seconds
    (tmp_path / "x.txt").write_text("abcdefghij" * 150)
    task = load(tmp_path / "x.txt", length=4)
    fidelity = Fidelity(1, skeleton={"filters": 1})
    final = Final(fidelity, baselines=())
    search = Search(
        "darts-rnn", "random", "train", task, budget=1, fidelity=fidelity, final=final, engine="serial"
    )
    summarise(search.run(tmp_path / "run", quiet=True))
    order, score = score_ngrams(task)
    table = capsys.readouterr().out.partition("final stage")[2]
    assert f"n-grams of order {order}" in table
    assert f"{score:.4g}" in table
    assert "winner" in table


def test_entrants_that_never_ran_are_named() -> None:
    """Those of a race alone, and not those that ran and failed."""
    entrants = [{"name": name} for name in ("pyramid", "resnet", "cnn")]
    facts = {"settings": {"strategy": {"name": "race", "arguments": {"entrants": entrants}}}}
    trials = [
        SimpleNamespace(reason={"runner": "pyramid"}, outcome="done"),
        SimpleNamespace(reason={"runner": "resnet"}, outcome=None),
    ]
    told = _list_unraced(SimpleNamespace(facts=facts, trials=trials))  # type: ignore[arg-type]
    assert told == ["there was no time to race resnet, cnn"]
    facts["settings"]["strategy"]["name"] = "random"
    assert _list_unraced(SimpleNamespace(facts=facts, trials=trials)) == []  # type: ignore[arg-type]


def test_a_winner_that_another_one_replaced_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was continued has two, of which one is handed over."""
    rows = [
        Trial(n, Architecture({"a": n}), Fidelity(), "final", role="winner", outcome=Done(n / 10))
        for n in (1, 2)
    ]
    run = SimpleNamespace(trials=[], finals=rows, winner=rows[1], task=None, objectives=[1], facts={})
    Console().print(_finals(run))  # type: ignore[arg-type]
    lines = [line.split("  ")[0].strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-2:] == ["an earlier winner", "winner"]


def test_a_network_that_is_no_better_than_a_constant_answer_is_told() -> None:
    """By its accuracy beside that of the commonest class, and by r2, of which a constant has 0 at most."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    named = load((rows, ["no"] * 45 + ["yes"] * 15), features=True)
    measured = load((rows, rows[:, 0]), features=True, goal="numbers")
    share = float(np.mean([named.labels[y] == "no" for y in named.targets[named.test]]))

    def tell(value: float, task: Task, **metrics: float) -> list[str]:
        outcome = Done(value, metrics or {"test_loss": 1.0})
        return tell_constant(Trial(0, Architecture({"a": 1}), Fidelity(), outcome=outcome), task)

    assert tell(share, named) == [
        f"Always to answer 'no' has an accuracy of {share:.2%} on the test part: the network is no better."
    ]
    assert "at most: with -0.33 the" in tell(-0.33, measured)[0]
    assert tell(share + 0.01, named) == tell(0.1, measured) == tell(0.0, named, loss=1.0) == []


@pytest.mark.parametrize("metric", ["roc-auc", "log-loss", "balanced-accuracy", "mcc", "rmse", "mae"])
def test_a_constant_answer_is_told_by_every_metric(metric: str) -> None:
    """As scikit-learn's dummies reach it: by the shares of the classes, the mean or the median."""
    rng = np.random.default_rng(0)
    rows, minimize = rng.normal(size=(90, 3)), metric in ("log-loss", "rmse", "mae")
    if metric in ("rmse", "mae"):
        task = load((rows, np.exp(2 * rows[:, 0])), features=True, goal="numbers", metric=metric)
        dummies = [DummyRegressor(strategy=each) for each in ("mean", "median")]
    else:
        task = load((rows, ["no"] * 70 + ["yes"] * 20), features=True, metric=metric)
        task = replace(task, train=np.arange(80), test=np.arange(60, 90))  # of other shares
        dummies = [DummyClassifier(strategy="prior")]
    oracle = {
        "roc-auc": lambda true, model: roc_auc_score(true, model.predict_proba(rows[: len(true)])[:, 1]),
        "log-loss": lambda true, model: log_loss(true, model.predict_proba(rows[: len(true)])),
        "balanced-accuracy": lambda true, model: balanced_accuracy_score(true, model.predict(true)),
        "mcc": lambda true, model: matthews_corrcoef(true, model.predict(true)),
        "rmse": lambda true, model: root_mean_squared_error(true, model.predict(true)),
        "mae": lambda true, model: mean_absolute_error(true, model.predict(true)),
    }[metric]
    known, true = task.targets[task.train], task.targets[task.test]
    each = [oracle(true, dummy.fit(known[:, None], known)) for dummy in dummies]
    best = min(each)
    assert each.index(best) == (metric == "mae")  # of which the median is the better answer

    def tell(value: float) -> list[str]:
        outcome = Done(value, {"test_loss": 1.0})
        return tell_constant(Trial(0, Architecture({"a": 1}), Fidelity(), outcome=outcome), task)

    worse, better = (best + 0.01, best - 0.01) if minimize else (best - 0.01, best + 0.01)
    constant = number_text(best, metric == "balanced-accuracy")
    assert tell(worse)[0].startswith(f"A constant answer reaches {constant} ({metric}) on the test part")
    assert tell(better) == []


def test_classes_that_are_judged_by_something_else_have_their_accuracy_too() -> None:
    """Of two metrics that are counted together neither is said beside the other."""
    metrics = {"test_loss": 1.0, "test_accuracy": 0.8, "test_balanced_accuracy": 0.7, "test_roc_auc": 0.9}
    winner = Trial(0, Architecture({"a": 1}), Fidelity(), outcome=Done(0.9, metrics))
    for metric, said in (
        ("roc-auc", ["test: accuracy 80.00 %, balanced-accuracy 70.00 %"]),
        ("accuracy", []),
    ):
        task: Any = SimpleNamespace(goal=Goal(), metric=metric)
        result: Any = SimpleNamespace(winner=winner, task=task)
        assert _list_others(result) == said


def test_tables_name_a_metric_that_is_not_an_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    """An r2 of -.33 would be a number of nothing."""
    trial = Trial(0, Architecture({"a": 1}), Fidelity(), outcome=Done(-0.33))
    for metric, title in (("r2", "best under search, by r2"), ("accuracy", "best under search")):
        run = SimpleNamespace(recommended=[trial], objective=Objective(metric), task=None, facts={})
        Console(width=100).print(_leaderboard(run))  # type: ignore[arg-type]
        assert " ".join(capsys.readouterr().out.split()).startswith(f"{title} trial")  # a narrow one wraps


def test_no_table_of_trials_where_none_has_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A race may have no time for its heats; its last training has a table of its own."""
    begun = Trial(0, Architecture({"a": 1}), Fidelity())
    run = SimpleNamespace(
        winner=None,
        best=None,
        trials=[begun],
        recommended=[],
        objectives=[1],
        reference=None,
        hypervolume=None,
        finals=[],
        directory="RUN",
        task=None,
    )
    summarise(run)  # type: ignore[arg-type]
    assert "best under search" not in capsys.readouterr().out


def test_failures_are_told_with_their_sentences() -> None:
    """Those of trials by reason, each of the final stage, and none where all succeeded."""
    sentence = "layer '2' cannot take [2, 8, 6, 6]"
    failed = Trial(1, Architecture({"a": 1}), Fidelity(), outcome=Infeasible("unbuildable", sentence))
    final = Trial(0, Architecture({"a": 1}), Fidelity(), "final", "baseline random", outcome=failed.outcome)
    run = SimpleNamespace(trials=[failed], finals=[final])
    assert _list_failures(run) == [  # type: ignore[arg-type]
        f"1 failed: 1 unbuildable (trial 1: {sentence})",
        f"baseline random failed (unbuildable: {sentence})",
    ]
    done = Trial(0, Architecture({"a": 1}), Fidelity(), outcome=Done(0.5))
    assert _list_failures(SimpleNamespace(trials=[done], finals=[])) == []  # type: ignore[arg-type]


def read_cells(table: Any) -> list[list[str]]:
    """The header and the rows of a rich table, as text."""
    columns = [[str(c.header), *map(str, c.cells)] for c in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


OBJECTIVES = [
    Objective("accuracy"),
    Objective("latency", True),
    Objective("memory", True),
    Objective("params", True),
]
MEASURED = {"latency": 0.0015709, "memory": 2.5e6, "params": 1500.0, "macs": 10.0}


def measured_run(task: object, metrics: dict[str, float], seconds: float = 2.0) -> Any:
    """A run for several objectives with one trial, which is its winner too."""
    outcome = Done(0.5, metrics, seconds=seconds)
    trial = Trial(0, Architecture({"a": 1}), Fidelity(), role="finalist", outcome=outcome)
    return SimpleNamespace(
        trials=[trial],
        finals=[trial],
        front=[trial],
        recommended=[trial],
        chosen=[],
        winner=None,
        task=task,
        objective=Objective(),
        objectives=OBJECTIVES,
        facts={"settings": {"limits": {"layers": 4.0}, "estimator": {"name": "train"}}},
    )


def test_measures_have_units_on_the_front_and_columns_in_the_final_table() -> None:
    """As limits have them; a limit has a column too, and sizes have theirs once. In a table's columns the
    numbers stand as they are: nobody knows their units."""
    task = SimpleNamespace(causal=False, metric="accuracy")
    run = measured_run(task, MEASURED | {"layers": 3.0})
    assert read_cells(_front(run)) == [
        ["trial", "accuracy", "latency", "memory", "params"],
        ["0", "50.00 %", "1.571 ms", "2.5 MB", "1,500"],
    ]
    assert read_cells(_finals(run)) == [
        ["network", "validation", "latency", "memory", "layers", "params", "macs", "seconds"],
        ["finalist", "50.00 %", "1.571 ms", "2.5 MB", "3", "1,500", "10", "2.0"],
    ]
    assert read_cells(_front(measured_run(None, MEASURED)))[1][2] == "0.0015709"


def test_columns_that_say_nothing_are_left_out() -> None:
    """A search in a table has no levels and no sizes, and takes no time."""
    assert read_cells(_leaderboard(measured_run(None, {}, seconds=0.0))) == [
        ["trial", "validation"],
        ["0", "0.5"],
    ]


def test_doctor_speaks_of_a_run_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of its trials and its ledger, repaired or not."""
    task = load("digits", limit=60)
    Search("tiny-chain", "random", lambda network: 1.0, task, budget=2).run(tmp_path / "run", quiet=True)
    doctor(tmp_path / "run", repair=tmp_path / "run")
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert lines[0].strip().startswith("repaired  2 rows kept, 0 lost; the damaged ledger is ")
    assert lines[1].strip() == "run  2 trials; its ledger is whole"
