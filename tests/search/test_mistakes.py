"""Mistakes that would fail every trial, or that no trial could show, are said in a sentence: before the
search where that can be known, and at its end otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cambrian
from cambrian import Budget, Final, Search
from cambrian.errors import Incompatible, NothingSucceeded, Unbuildable, UnknownName, UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import Done, Fidelity
from cambrian.search.display.opening import announce
from cambrian.strategies.one_shot.deriving import Deriving


@cambrian.space
def net(pick: Any, task: Any) -> Any:
    width = pick("width", [4, 8])
    inputs = task.channels * task.height * task.width
    return lambda: nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Linear(width, task.classes))


def head(inputs: int, outputs: int) -> Any:
    @cambrian.space
    def body(pick: Any, task: Any) -> Any:
        width = pick("width", [4, 8])
        return lambda: nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Linear(width, outputs))

    return body


def undecorated(pick: Any, task: Any) -> nn.Module:
    return nn.Linear(64, task.classes)


def half(network: nn.Module) -> float:
    return 0.5


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    return cambrian.load("digits", limit=120)


@pytest.mark.parametrize("estimator", ["train", half])
def test_a_forgotten_task(estimator: Any) -> None:
    """Networks have no shape without data: said where the search runs. Who asks and tells needs none."""
    search = Search(net, "random", estimator, budget=2)
    with pytest.raises(UsageError, match=r"has no task.*task='digits'"):
        search.run()
    asked = search.ask()
    assert asked is not None
    search.tell(asked.number, 0.5)


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (None, "expected a number, got None"),
        ("0.5", "expected a number, got '0.5'"),
        ({"a": 0.5, "b": 1.0}, "returned the metrics a, b, and it is open which one is the value"),
        ({"value": "0.5"}, "returned '0.5' as its metric 'value', expected a number"),
        ((0.5, 2.0), "returned the tuple (0.5, 2.0), whose numbers have no names: return a dictionary"),
        (float("nan"), "the value is nan"),
    ],
)
def test_a_search_in_which_nothing_succeeds(task: cambrian.Task, returned: Any, says: str) -> None:
    """It ends with an error that has the first reason and the trials, none of which has a value."""
    with pytest.raises(NothingSucceeded, match=re.escape(says)) as caught:
        Search(net, "random", lambda network: returned, task, budget=2).run()
    assert [t.value for t in caught.value.result.trials] == [None, None]


def test_a_run_in_which_nothing_succeeded_is_kept(task: cambrian.Task, tmp_path: Path) -> None:
    """Its directory is whole: mended, the same search goes on there."""
    results: list[Any] = [None, None, 0.25, 0.5]

    @cambrian.space
    def wide(pick: Any, task: Any) -> Any:
        pick("a", list(range(1000)))

    def search(budget: int) -> Search:
        function = Function(lambda architecture: results.pop(0), builds=False)
        return Search(wide, "random", function, task, budget)

    with pytest.raises(NothingSucceeded):
        search(2).run(tmp_path / "run")
    assert [t.value for t in search(4).run(tmp_path / "run").trials] == [None, None, 0.25, 0.5]


@pytest.mark.parametrize("estimator", ["train", half])
@pytest.mark.parametrize(
    ("space", "says"), [(head(17, 10), "Linear(in_features=17"), (head(64, 3), "expected [2, 10]")]
)
def test_shapes_that_do_not_fit(task: cambrian.Task, estimator: Any, space: Any, says: str) -> None:
    """Layers that do not fit one another, and a head with a wrong number of outputs: before any trial."""
    with pytest.raises(Unbuildable, match=re.escape(says)):
        Search(space, "random", estimator, task, budget=2).run()


@pytest.mark.parametrize(
    ("written", "meant"), [("-parms", "params"), ("+int8-acuracy", "int8-accuracy"), ("-laetncy", "latency")]
)
def test_an_objective_almost_as_a_measure_is_written(task: cambrian.Task, written: str, meant: str) -> None:
    """Before any trial, where it would be missing in all of them; a metric of one's own estimator may have
    any other name."""
    with pytest.raises(UnknownName, match=f"unknown objective '{written[1:]}'; did you mean '{meant}'"):
        Search(net, "random", "train", task, budget=2, objectives=[written])
    assert Search(net, "random", "train", task, budget=2, objectives=["-train_loss"]).more_objectives
    own = Search(
        net, "random", lambda network: {"value": 1.0, "latency_ms": 2.0}, task, 2, objectives=["-latency_ms"]
    )
    assert own.run(quiet=True).front


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("balanced-accuracy", "did you mean 'balanced_accuracy'"),
        ("log_loss", "or load the data with metric='log-loss'"),
        ("r2", "name one of these$"),
    ],
)
def test_an_objective_that_trainings_do_not_measure(task: cambrian.Task, written: str, says: str) -> None:
    """A metric by its name as an option, one that costs too much to be computed unasked, one of other data:
    each was missing in all trials, so that the front was of the accuracy alone, without a word."""
    with pytest.raises(UsageError, match=says):
        Search(net, "random", "train", task, budget=2, objectives=[written])
    Search(net, "random", "train", task, budget=2, objectives=["balanced_accuracy"])


def test_a_dictionary_holds_the_value_and_further_metrics(task: cambrian.Task) -> None:
    """Those that are objectives of the search decide with it: the front by hand is the wide and the narrow
    network, and not the slower one of two equals."""

    def measure(network: Any) -> dict[str, Any]:
        width = network[1].out_features
        return {"score": torch.tensor(float(width)), "seconds": width / 8}

    search = Search(net, "random", measure, task, budget=6, objectives=["-seconds"])
    result = search.run()
    assert {(t.value, t.outcome.metrics["seconds"]) for t in result.front} == {(4.0, 0.5), (8.0, 1.0)}


@pytest.mark.parametrize(
    ("metrics", "settings", "value"),
    [
        ({"value": 1.0, "accuracy": 2.0}, {}, 1.0),
        ({"latency": 1.0, "accuracy": 2.0}, {}, 2.0),
        ({"latency": 1.0, "accuracy": 2.0}, {"objective": "latency", "minimize": True}, 1.0),
        ({"f1": 3.0}, {}, 3.0),
    ],
)
def test_the_value_of_a_dictionary(
    task: cambrian.Task, metrics: dict[str, float], settings: dict[str, Any], value: float
) -> None:
    """The metric that was named, else "value", else the task's, else the only one; the others are metrics."""
    estimator = Function(lambda network: metrics, **settings)
    (trial,) = Search(net, "random", estimator, task, budget=1, minimize=estimator.minimize).run().trials
    assert isinstance(trial.outcome, Done)
    assert trial.outcome.value == value
    assert sorted([value, *trial.outcome.metrics.values()]) == sorted(metrics.values())


def settled(network: Any, epochs: int = 3) -> int:
    return epochs


CALLS: dict[str, tuple[Callable[..., Any], Any]] = {
    "network": (half, 0.5),
    "network, fidelity": (lambda network, f: f.epochs, 2),
    "network, fidelity=None": (lambda network, f=None: f.epochs, 2),
    "network, epochs=3": (settled, 3),
    "network, *, fidelity": (lambda network, *, fidelity: fidelity.epochs, 2),
    "network, epochs=3, fidelity=None": (lambda network, epochs=3, fidelity=None: fidelity.epochs, 2),
    "*arguments": (lambda *arguments: arguments[1].epochs, 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_a_function(task: cambrian.Task, name: str) -> None:
    """It gets the fidelity where it has a place for it, and a setting of its own keeps its default."""
    function, value = CALLS[name]
    search = Search(net, "random", function, task, budget=1, fidelity=cambrian.Fidelity(2))
    assert search.run().best.value == value


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "estimator without arguments": ({"estimator": lambda: 0.5}, "f(network) or f(network, fidelity), got"),
    "estimator of three": ({"estimator": lambda a, b, c: 0.5}, "got <lambda>(a, b, c)"),
    "estimator that is a space": ({"estimator": undecorated}, "write @cambrian.space above it"),
    "estimator that is a network": ({"estimator": nn.Linear(1, 1)}, "got the network Linear"),
    "estimator that is a class": (
        {"estimator": nn.Linear},
        "an estimator is an object, got the class Linear",
    ),
    "space without its decorator": ({"space": undecorated}, "write @cambrian.space above it"),
    "space that is a network": ({"space": nn.Linear(1, 1)}, "cambrian.from_model(...) makes a space of it"),
    "space that is a class": (
        {"space": nn.Linear},
        "a space is an object, got the class Linear: write a function (pick, task) that returns Linear(...)",
    ),
    "strategy that is a function": ({"strategy": half}, "half lacks start, propose, learn"),
    "strategy that is a class": ({"strategy": nn.Linear}, "a strategy is an object, got the class Linear"),
    "strategy that is a number": ({"strategy": 3}, "int lacks start, propose, learn"),
    "task that is a network": ({"task": nn.Linear(1, 1)}, "cannot use 'Linear' as a data set"),
    "task that is a function": ({"task": half}, "cannot use 'function' as a data set"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_object(task: cambrian.Task, name: str) -> None:
    """A sentence says what was expected, what it is, and mostly what to do."""
    wrong, says = WRONG[name]
    settings = {"space": net, "strategy": "random", "estimator": half, "task": task, "budget": 1} | wrong
    with pytest.raises(UsageError, match=re.escape(says)):
        Search(**settings)


def test_reprs_take_a_line(task: cambrian.Task) -> None:
    """Of what a notebook shows when its name is typed: a task, a space, a result."""
    result = Search(net, "random", half, task, budget=2).run()
    assert repr(task) == "<Task digits: 10 classes, images 1 x 8 x 8, 77 train, 19 validation, 24 test>"
    assert repr(net) == "<space net, tried with images 3 x 32 x 32, 10 classes>"
    assert repr(result) == "<Result in memory: 2 trials, best value 0.5>"


def test_modules_of_the_working_folder(
    task: cambrian.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`module:function` is found there, as a space and as an estimator, and a module that is missing is
    said."""
    (tmp_path / "working_folder_module.py").write_text(
        "import cambrian\n"
        "@cambrian.space\n"
        "def own(pick, task):\n"
        "    pick('a', [1, 2])\n"
        "def measure(architecture):\n"
        "    return float(architecture['a'])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])
    estimator = Function("working_folder_module:measure", builds=False)
    result = Search("working_folder_module:own", "random", estimator, budget=8).run()
    assert result.best is not None
    assert result.best.value == 2.0
    assert Search(net, "random", "working_folder_module:measure", task).estimator.function == (
        "working_folder_module:measure"
    )
    with pytest.raises(UsageError, match="work in its folder"):
        Search("absent_module:own")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"limits": ["params=5"]}, r"limits is a dictionary, such as \{'params': 1e6\}, got \['params=5'\]"),
        ({"limits": {3: 5}}, "limits: expected the name of a measure, such as 'params', got 3"),
        ({"objectives": "latency"}, r"objectives is a list, such as \['latency', '-params'\], got 'latency'"),
        ({"objectives": [3]}, "objectives: expected the name of a metric, such as 'latency', got 3"),
        ({"objectives": ["latncy"]}, r"'-latncy' or '\+latncy', or did you mean 'latency'\?"),
        ({"objectives": ["-latency(thread=2)"]}, "no setting 'thread'; did you mean 'threads'"),
        ({"minimize": "yes"}, "minimize is True or False, got 'yes'"),
        ({"choose": 3}, "choose is a text, such as 'latency<5ms', got 3"),
        ({"device": 3}, "device is a text, such as 'cpu', got 3"),
        ({"timeout": "5s"}, "timeout is a number of seconds, above 0, got '5s'"),
        ({"timeout": True}, "timeout is a number of seconds, above 0, got True"),
        ({"memory": "2GB"}, "memory is a whole number of bytes, at least 1, got '2GB'"),
        ({"seed": "a"}, "seed is a whole number, at least 0, got 'a'"),
        ({"workers": "2"}, "workers is a whole number, at least 1, got '2'"),
        ({"bugdet": 3}, "has no setting 'bugdet'; did you mean 'budget'"),
    ],
)
def test_settings_of_another_type_or_name(settings: Any, sentence: str, task: cambrian.Task) -> None:
    """One sentence for each, before anything is measured, whether a search is made or planned."""
    with pytest.raises(UsageError, match=sentence):
        Search(net, "random", "train", task, **settings)
    with pytest.raises(UsageError, match=sentence):
        cambrian.plan(task, "10s", strategy="random", **settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"fidelity": 3}, r"fidelity is a Fidelity, such as cambrian\.Fidelity\(epochs=3\), got 3"),
        ({"estimators": ["train"]}, r"estimators is a dictionary, such as \{'train': 'train'\}"),
    ],
)
def test_settings_of_a_search_alone(settings: Any, sentence: str, task: cambrian.Task) -> None:
    """A plan makes these itself, and says which settings it has."""
    with pytest.raises(UsageError, match=sentence):
        Search(net, "random", "train", task, **settings)
    with pytest.raises(UsageError, match=rf"plan has no setting '{next(iter(settings))}'.* \(valid: task, "):
        cambrian.plan(task, "10s", **settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"recipe": {"bath_size": 3}}, "a training has no setting 'bath_size'; did you mean 'batch_size'"),
        ({"recipe": 3}, "recipe is a dictionary"),
        ({"changes": {"epochs": "3"}}, "epochs is a whole number, at least 1, got '3'"),
        ({"changes": {"epoch": 3}}, "unknown skeleton setting 'epoch'; did you mean 'epochs'"),
        ({"paper": "yes"}, "paper is True or False, got 'yes'"),
        ({"strategy": "random", "baselines": ["randm"]}, "unknown baseline 'randm'; did you mean 'random'"),
        ({"baselines": "random"}, r"baselines is a list, such as \['random'\], got 'random'"),
    ],
)
def test_settings_of_a_plan(
    settings: Any, sentence: str, task: cambrian.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the training, of the amounts and of the networks beside the winner, before any is timed."""
    monkeypatch.setattr("cambrian.search.planning.preset.plan.Cost", None)
    with pytest.raises(UsageError, match=sentence):
        cambrian.plan(task, "10s", **settings)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Fidelity(epoch=3), "Fidelity has no field 'epoch'; did you mean 'epochs'"),  # type: ignore[call-arg]
        (lambda: Fidelity(skeleton=[8]), r"skeleton is a dictionary .*, got \[8\]"),  # type: ignore[arg-type]
        (lambda: Fidelity(1, epochs=2), "Fidelity has epochs twice"),  # type: ignore[misc]
        (lambda: Final(), r"Final lacks fidelity: give it, as Final\(fidelity=\.\.\.\)"),  # type: ignore[call-arg]
        (lambda: Final(3), "fidelity is a Fidelity, such as .*, got 3"),  # type: ignore[arg-type]
        (lambda: Final(Fidelity(), top=0), "final: top is at least 1, got 0"),
        (lambda: Final(Fidelity(), baselines="random"), "baselines is a list"),  # type: ignore[arg-type]
        (lambda: Budget(trial=3), "Budget has no field 'trial'; did you mean 'trials'"),  # type: ignore[call-arg]
        (lambda: Budget("3"), "a budget of trials is a whole number"),  # type: ignore[arg-type]
        (lambda: Budget(1, 2, 3, 4), "Budget has 3 fields, trials, seconds, epochs, and got 4"),  # type: ignore[call-arg]
    ],
)
def test_a_record_with_another_field(make: Any, sentence: str) -> None:
    """Or a value of another type: in a sentence, where msgspec says neither the record nor what was meant."""
    with pytest.raises(UsageError, match=sentence):
        make()


def test_a_baseline_of_no_network_is_said(task: cambrian.Task) -> None:
    """It was left out in silence; one of another space still is."""
    final = Final(Fidelity(), baselines=("pnasnet-5", "randm"))
    with pytest.warns(UserWarning, match="unknown baseline 'randm'; did you mean 'random'"):
        Search("nasbench201", "random", "train", task, 2, final=final)


@pytest.mark.parametrize("directory", ["", 3])
def test_a_directory_that_is_none(directory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty text was the present folder, which the run was written into."""
    monkeypatch.chdir(tmp_path)
    search = Search("tiny-chain", "random", Function(lambda answers: 0.5, builds=False), budget=2)
    for begin in (search.run, search.ask):
        with pytest.raises(UsageError, match=f"the run directory is a path, .* got {directory!r}: leave it"):
            begin(directory)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("written", ["limits", "objectives"])
def test_a_measure_with_other_arguments(
    written: str, task: cambrian.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail every trial: refused when the search is made, as an estimator is."""
    (tmp_path / "own_measures.py").write_text("def bare(): return 1.0\ndef full(n, b, d, e=1): return 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    named = {"limits": lambda name: {name: 2}, "objectives": lambda name: [f"-{name}"]}[written]
    Search(net, "random", "train", task, 2, **{written: named("own_measures:full")})
    with pytest.raises(
        UsageError, match=r"not a function of \(network, batch, device\) but bare\(\): give it"
    ):
        Search(net, "random", "train", task, 2, **{written: named("own_measures:bare")})


@dataclass(frozen=True)
class Misspelt(Deriving):
    """Names a way to train its supernet, with these settings."""

    name: str = "dart"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return self.name, self.settings


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (Misspelt(), "unknown supernet method 'dart'; did you mean 'darts'"),
        (
            Misspelt(name="darts", settings={"second_ordr": True}),
            "no setting 'second_ordr'; did you mean 'second_order'",
        ),
    ],
)
def test_a_way_to_train_a_supernet_that_is_misspelt(strategy: Any, says: str, task: cambrian.Task) -> None:
    """It was found when the first training had crashed."""
    with pytest.raises(UsageError, match=says):
        Search("nasbench201", strategy, "one-shot", task, 9, estimators={"final": "train"})


def test_settings_of_a_named_estimator(task: cambrian.Task) -> None:
    """Written after its name they are read, and a wrong one is named, and not the estimator's own name."""
    made = Search(net, "random", "train(batch_size=16)", task, 2).estimator
    assert (
        made
        == cambrian.Search(
            net, "random", {"name": "train", "arguments": {"batch_size": 16}}, task, 2
        ).estimator
    )
    with pytest.raises(UsageError, match="unknown optimiser 'sgdd'; did you mean 'sgd'"):
        Search(net, "random", "train(optimiser=sgdd)", task, 2)


@pytest.mark.parametrize("strategy", ["progressive", "nash", "fabrics", "path-level"])
def test_refusals_name_no_class_of_ours(strategy: str, task: cambrian.Task) -> None:
    """They name the user's function, and say in words what is needed and what to use instead."""

    @cambrian.space
    def plain(pick: Any, task: Any) -> Any:
        pick("colour", ["red", "blue"])
        return lambda: nn.Sequential(nn.Flatten(), nn.Linear(task.channels * 64, task.classes))

    estimator = "one-shot" if strategy == "fabrics" else "train"
    with pytest.raises(Incompatible) as refused:
        Search(plain, strategy, estimator, task, 4, estimators={"final": "train"})
    said = str(refused.value)
    assert " plain " in said
    assert not re.search(r"\b(Program|Grows|Morphs|ContainsAll|Trees|Shares)\b", said)
    assert re.search("choose|use a strategy", said)


def test_a_supernet_in_a_search_of_ones_own(task: cambrian.Task) -> None:
    """Who is told what to do instead has a program, and trains by one estimator, named once."""
    with pytest.raises(
        UsageError, match=r"train cannot train one: .* cambrian\.plan\(task, '10m', space=net"
    ):
        Search(net, "darts", "train", task, 4)


def test_the_opening_says_how_long_each_network_is_trained(
    task: cambrian.Task, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the words of a plan, which say what so few steps are worth; nothing of a function's own trials."""
    announce(Search(net, "random", "train", task, 4), None)
    assert "accuracy, higher is better; 1 epoch of 77 images: 1 step, too few" in capsys.readouterr().err
    long = Fidelity(epochs=200, fraction=0.5)
    announce(Search(net, "random", "train", task, 4, fidelity=long), None)
    assert "higher is better; 200 epochs of 38 images: 200 steps\n" in capsys.readouterr().err
    announce(Search(net, "random", half, task, 4), None)
    assert "epoch" not in capsys.readouterr().err
