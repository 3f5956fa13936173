"""A search that begins with given networks, or with the best of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
import mocks
from cambrian.architecture import Architecture
from cambrian.cli.app import app
from cambrian.errors import CambrianError, IllegalArchitecture, RunError, Unread, UsageError
from cambrian.estimators.function import Function
from cambrian.problem import Problem
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.coordinator import Coordinator, Means
from cambrian.search.loop.order import Order
from cambrian.search.planning.plan import plan
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.spaces.published import find_published
from cambrian.strategies import STRATEGIES
from cambrian.strategies.begun import list_begun
from remembered import plan_at_once

EARLIER = {"q0": "a", "q1": "b", "q2": "c"}


def search(strategy: Any = "random", trials: int = 12, seed: int = 1, **settings: Any) -> Search:
    return Search(mocks.Toy(), strategy, mocks.Mock(), budget=trials, seed=seed, **settings)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("earlier") / "run"
    search("evolution", trials=20, seed=0).run(place, quiet=True)
    return place


def constant(architecture: Architecture, fidelity: Any = None) -> float:
    return 1.0


def list_tried(run: Result | Path) -> list[tuple[Architecture, Any]]:
    trials = Result.open(run).trials if isinstance(run, Path) else run.trials
    return [(trial.architecture, trial.value) for trial in trials]


@pytest.mark.parametrize("strategy", ["random", "evolution", "bayes", "hill-climbing", "tpe", "reinforce"])
def test_the_best_of_a_run_are_tried_first(strategy: str, earlier: Path) -> None:
    """In their order, each once and by the name of its row; they are measured anew, by the search's own seed;
    and the strategy knows of them."""
    best = Result.open(earlier).recommended
    wanted = list(dict.fromkeys(trial.architecture for trial in best))[:5]
    trials = search(strategy, begin_with=earlier).run(quiet=True).trials
    assert [trial.architecture for trial in trials[:5]] == wanted
    numbers = [next(t.number for t in best if t.architecture == each) for each in wanted]
    assert [trial.reason["begins"] for trial in trials[:5]] == [f"run/{number}" for number in numbers]
    assert [trial.value for trial in trials[:5]] == [mocks.truth(each, 1) for each in wanted]
    assert len(trials) == 12


def test_a_strategy_is_told_of_them_unless_it_knows_its_own_alone(earlier: Path) -> None:
    best = Result.open(earlier).recommended[0].architecture
    for name, told in (("evolution", 1), ("successive-halving", 0)):
        problem = Problem(mocks.Toy(), trials=20, begins={"best": best})
        order = Order(problem, STRATEGIES.parse(name))
        assert [order.first, len(order.hidden)] == [(("best", best),), 0]
        assert order.propose().architecture == best  # type: ignore[union-attr]
        assert order.alone is not bool(told)


@pytest.mark.parametrize("given", ["run", "result", "list", "names"])
def test_ways_to_say_it(given: str, earlier: Path) -> None:
    result = Result.open(earlier)
    best = list(dict.fromkeys(trial.architecture for trial in result.recommended))[:5]
    ways = {
        "run": str(earlier),
        "result": result,
        "list": best,
        "names": {f"n{i}": a for i, a in enumerate(best)},
    }
    begun = search(begin_with=ways[given])
    assert list(begun.begins.values()) == best
    first = {"list": "given 1", "names": "n0"}.get(given, f"run/{result.recommended[0].number}")
    assert next(iter(begun.begins)) == first


def test_the_run_in_this_folder(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(earlier)
    assert search(begin_with=".").begins == search(begin_with=earlier).begins


def test_one_given_twice_is_tried_once() -> None:
    begun = search(begin_with=[EARLIER, EARLIER, {**EARLIER, "q0": "d"}]).begins
    assert list(begun) == ["given 1", "given 3"]


def test_one_function_is_tried_once(tmp_path: Path) -> None:
    """Of NAS-Bench-201's cells many are the same function."""
    space = SPACES.make("nasbench201")
    asked = Search(space, "random", Function(constant, builds=False), budget=1).run(quiet=True)
    edges = list(asked.trials[0].architecture)
    none = dict.fromkeys(edges, "none")
    # Cells without a way from the input to the output compute nothing, whatever else they have.
    same = [Architecture(none), Architecture({**none, edges[0]: "nor_conv_3x3"})]
    run = Search(space, "random", Function(constant, builds=False), budget=2, begin_with=same)
    again = Search(space, "random", Function(constant, builds=False), begin_with=run.run(quiet=True))
    assert list(again.begins.values()) == same[:1]


def test_interrupted_or_not(earlier: Path, tmp_path: Path) -> None:
    """Stopped among the first ones or later, and resumed by its directory alone; without them it is another
    search."""
    whole = list_tried(search(begin_with=earlier).run(quiet=True))
    for trials in (3, 8):
        place = tmp_path / str(trials)
        search(trials=trials, begin_with=earlier).run(place, quiet=True)
        resumed = Search.resume(place, 12)
        assert resumed.begins == search(begin_with=earlier).begins
        assert list_tried(resumed.run(place, quiet=True)) == whole
        with pytest.raises(CambrianError, match="begins"):
            search().run(place, quiet=True)


def test_a_problem_is_its_facts() -> None:
    problem = Problem(mocks.Toy(), begins={"mine": Architecture(EARLIER)})
    assert Problem.of(mocks.Toy(), problem.facts()) == problem


def test_after_those_of_the_space() -> None:
    """Each architecture once, by the space's own name."""

    class Begun(mocks.Toy):
        begins = {"own": Architecture(EARLIER)}

    other = Architecture({**EARLIER, "q0": "d"})
    problem = Problem(Begun(), begins={"same": Architecture(EARLIER), "other": other})
    assert list_begun(problem) == {"own": Architecture(EARLIER), "other": other}
    with pytest.raises(UsageError, match="begins with a network 'own' itself"):
        Search(Begun(), "random", mocks.Mock(), begin_with={"own": other})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nowhere", "nowhere is not a run directory"),
        (7, "begin_with is a run, a sequence of architectures, or a mapping"),
        ([1], "begin_with is a run, a sequence of architectures, or a mapping"),
        ([{"q0": "a"}], "given 1 is not of the space Toy: .*q1"),
        ({"mine": EARLIER | {"q0": "e"}}, "mine is not of the space Toy: .*'e'"),
    ],
)
def test_mistakes(given: Any, sentence: str) -> None:
    with pytest.raises((RunError, UsageError, IllegalArchitecture), match=sentence):
        search(begin_with=given)


def test_a_run_of_another_space_and_one_without_a_value(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no network of .*run, a search of the space mocks:Toy, is of the space"
    ):
        Search("nasbench201", "random", "naswot", "digits", budget=3, begin_with=earlier)

    class Local(mocks.Toy):
        pass

    nameless = tmp_path / "nameless"
    Search(Local(), "random", mocks.Mock(), budget=2).run(nameless, quiet=True)
    with pytest.raises(UsageError, match="whose space has no name by which it could be loaded"):
        Search("nasbench201", "random", "naswot", "digits", budget=3, begin_with=nameless)
    asked = search()
    asked.ask(tmp_path / "asked")
    asked.close()
    with pytest.raises(UsageError, match="has a value to begin with"):
        search(begin_with=tmp_path / "asked")


def test_a_supernet_trains_no_network_alone() -> None:
    """Also none that its space begins with, as that of tables: they had failed, one by one."""
    begun = Problem(SPACES.make("tabular"))
    assert list_begun(begun)
    spos = STRATEGIES.parse("spos")
    # Also as a search holds its strategy, under supervision.
    coordinator = Coordinator(begun, spos, Ledger.create(None), lag=1, means={"": Means("r")})
    assert Order(begun, spos).first == coordinator.order.first == ()
    cell = find_published("pnasnet-5").architecture
    with pytest.raises(Unread, match="spos trains a supernet"):
        plan("digits", 20, space="pnas", strategy="spos", begin_with=[cell])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_at_once(monkeypatch)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cells") / "cells"
    Search("nasbench201", "random", Function(constant, builds=False), budget=3).run(place, quiet=True)
    return place


@pytest.mark.usefixtures("at_once")
def test_the_space_is_that_of_the_run(cells: Path) -> None:
    """Searched by Bayesian optimisation, which learns from them; and the plan says what comes first."""
    planned = plan("digits", "30m", begin_with=cells)
    assert [type(planned.search.space).__name__, type(planned.search.strategy).__name__] == [
        "NASBench201",
        "Bayes",
    ]
    best = [f"cells/{trial.number}" for trial in Result.open(cells).recommended]
    assert list(planned.search.begins) == best
    said = dict(planned.rows)["first"]
    assert said == f"{best[0]}, {best[1]} and {best[2]}, trained anew"
    assert planned.search.remarks["plan"] == planned.rows


@pytest.mark.usefixtures("at_once")
def test_what_is_named_is_kept(cells: Path) -> None:
    planned = plan("digits", 9, strategy="evolution", begin_with=cells)
    assert type(planned.search.strategy).__name__ == "Evolution"
    with pytest.raises(UsageError, match="is of the space pnas: name its space, or leave the space out"):
        plan("digits", 9, space="pnas", begin_with=cells)


@pytest.mark.usefixtures("at_once")
def test_a_race(tmp_path: Path) -> None:
    """The first given network is the favourite; one of the portfolio keeps its name; the others come
    last."""
    stages = SPACES.make("stages")
    portfolio = stages.portfolio
    name = list(portfolio)[2]
    changed = next(
        a
        for a in (Architecture({**portfolio[name], **more}) for more in _list_changes(portfolio[name]))
        if a not in portfolio.values()
    )
    begun = {"mine": changed, "theirs": portfolio[name]}
    usual = [e["name"] for e in plan("digits", "1h").search.strategy.entrants]
    raced = plan("digits", "1h", begin_with=begun)
    assert [e["name"] for e in raced.search.strategy.entrants] == ["mine", *usual]
    raced = plan("digits", "1h", begin_with=dict(reversed(begun.items())))
    assert [e["name"] for e in raced.search.strategy.entrants] == [
        name,
        *(n for n in usual if n != name),
        "mine",
    ]
    alone = plan("digits", "1h", begin_with=begun, changes={"entrants": 1}).search.strategy
    assert [e["name"] for e in alone.entrants] == ["mine"]
    assert alone.entrants[0]["skeleton"]["filters"] > 0
    with pytest.raises(Unread, match="entrants is resnet alone"):
        plan("digits", "1h", begin_with=begun, changes={"entrants": "resnet"})
    with pytest.raises(UsageError, match=f"the race has a network '{name}' itself: give another name"):
        plan("digits", "1h", begin_with={name: changed})
    assert (
        plan("digits", "1h", begin_with={name: portfolio[name]}).search.strategy.entrants[0]["name"] == name
    )


def _list_changes(answers: Architecture) -> list[dict[str, Any]]:
    """Each of the depths, made another one."""
    return [
        {path: 3 - answer} for path, answer in answers.items() if path.endswith("depth") and answer in (1, 2)
    ]


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table of one's own."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{a},{b},{a * 3 + b}" for a in range(6) for b in range(6)]
    Path("table.csv").write_text("\n".join(["width,depth,accuracy", *rows]) + "\n")
    runner = CliRunner()
    table = ["search", "--benchmark", "table.csv", "--strategy", "random", "--seed"]
    done = runner.invoke(app, [*table, "0", "--budget", "12", "--run", "one"])
    assert done.exit_code == 0, done.output
    done = runner.invoke(app, [*table, "1", "--budget", "7", "--run", "two", "--begin-with", "one"])
    assert done.exit_code == 0, done.output
    first = Result.open("two").trials[:5]
    best = dict.fromkeys(trial.architecture for trial in Result.open("one").recommended)
    assert [trial.architecture for trial in first] == list(best)[:5]
    assert [t.reason["begins"].split("/")[0] for t in first] == ["one"] * 5
