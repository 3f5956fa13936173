"""From a run to its report: what is gathered, and the table that is fitted once."""

import dataclasses
import json
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

import cambrian
from cambrian.errors import RunError, Unread, UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.predictors import pnas_table1 as module
from cambrian.reports.contents import Story, outline_story, story_of
from cambrian.reports.notebook import show_result
from cambrian.reports.surrogate_ranks import rank_surrogates, trials_by_level
from cambrian.reports.verdict import tell_shortfall, tell_uncompared, verdict
from cambrian.search.ledger.rows import Row
from cambrian.search.result import Result
from cambrian.spaces.cells.pnas import PNAS
from cambrian.tasks.task import Task
from cambrian.weights import FINAL, FRESH, Inherit
from report_cases import STAGES, cells, finals

STOP = (1.0, "stop", {"reason": "enough", "after": 3})


def small_task():
    """Twelve images of noise."""
    rng = np.random.default_rng(0)
    parts = np.split(np.arange(12), 3)
    images, targets = rng.integers(0, 256, (12, 8, 8, 1), dtype=np.uint8), np.arange(12) % 2
    return Task("noise", images, targets, ("a", "b"), *parts, mean=(0.5,), std=(0.3,))


def run_of(trials, directory, events=(STOP,)):
    rows = [Row(t, str(t.number), "done", 1, 0, thinking=0.5) for t in trials]
    facts = {
        "settings": {"seed": 3},
        "budget": {"trials": 9},
        "versions": {"torch": "1"},
        "plan": [["data", "noise"]],
    }
    return Result(PNAS(), small_task(), rows, facts, list(events), directory)


def levelled(*counts):
    """So many trials of 1, 2, ... blocks, valued by their number; the first of all failed."""
    trials = []
    for blocks, count in enumerate(counts, start=1):
        for cell in cells(count, blocks, seed=blocks):
            value = Done(float(len(trials)), seconds=2.0) if trials else Infeasible("nan", seconds=2.0)
            trials.append(Trial(len(trials), cell, Fidelity(), outcome=value))
    return trials


def test_a_story_holds_what_the_run_knows(tmp_path):
    """Trials and finals, the winner's stages as built, seconds by kind, task, versions, settings."""
    trials = levelled(3, 3)
    events = [STOP, (2.0, "final", {"winner": 10**9 + 1})]
    story = story_of(run_of([*trials, *finals(trials)], tmp_path, events))
    assert (story.title, story.metric, story.is_share()) == ("noise", "accuracy", True)
    assert [t.number for t in story.trials] == [*range(6), *(10**9 + i for i in range(3))]
    assert story.winner.number == 10**9 + 1
    assert story.seconds == {"search": 12.0, "final": 0.0, "strategy": 4.5}
    assert story.settings["budget"] == {"trials": 9}
    assert story.plan == [("data", "noise")]
    assert (story.task["test"], story.task["height"], story.task["stored"]) == (4, 8, "uint8")
    assert story.stages[0] == ("image", "1x8x8")
    assert story.stages[-1] == ("linear", "2")
    assert len(story.stages) >= len(STAGES)


def test_a_report_says_that_nothing_was_learned(tmp_path):
    """As the summary of the search does; of a better network it says nothing."""
    events = [STOP, (2.0, "final", {"winner": 10**9 + 1})]
    trials = levelled(3, 3)
    _, winner, _ = finals(trials)
    for value, said in ((0.5, True), (0.75, False)):
        tested = msgspec.structs.replace(winner, outcome=Done(value, {"test_loss": 1.0}))
        story = outline_story(run_of([*trials, tested], tmp_path, events))
        assert ("Always to answer 'a' has an accuracy of 50.00% on the test part" in verdict(story)) is said


def test_the_winner_is_the_one_the_run_delivers(tmp_path):
    """A continued run's last choice counts, whatever the roles say of the rows."""
    trials = levelled(3, 3)
    events = [STOP, (2.0, "final", {"winner": 10**9 + 1}), (3.0, "final", {"winner": 10**9 + 2})]
    story = story_of(run_of([*trials, *finals(trials)], tmp_path, events))
    assert (story.winner.number, story.winner.role) == (10**9 + 2, "baseline random")


def test_a_result_in_memory_says_where_it_could_go(tmp_path):
    """Without a directory there is no place for a report or an export to come from, nor an assertion."""
    run = run_of(levelled(2), None)
    for ask in (lambda: cambrian.report(run), lambda: cambrian.export(run, tmp_path / "out")):
        with pytest.raises(UsageError, match=r"run\('runs/first'\)"):
            ask()
    assert cambrian.report(run, tmp_path / "report.html").exists()


def test_reports_are_written_whole(tmp_path, monkeypatch):
    """In the run directory unless told otherwise; a place that cannot be written is one sentence, before
    surrogates are fitted."""
    run = run_of(levelled(2), tmp_path)
    assert cambrian.report(run) == tmp_path / "report.html"
    assert "noise" in (tmp_path / "report.html").read_text()
    assert cambrian.report(run, tmp_path / "other.html").exists()
    monkeypatch.setattr(
        "cambrian.reports.surrogate_ranks.rank_surrogates", lambda *a, **b: pytest.fail("fit")
    )
    with pytest.raises(UsageError, match="cannot be written"):
        cambrian.report(run, tmp_path / "missing" / "report.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.html", "report.html"]


def test_levels_are_the_spaces_own(tmp_path):
    """Also for strategies that note none; failures, repeats and small levels are left out."""
    trials = levelled(11, 12, 9)
    again = Trial(99, trials[1].architecture, Fidelity(), outcome=Done(7.0), cached=1)
    known = trials_by_level(run_of([*trials, again], tmp_path))
    distinct = {b: len({t.architecture for t in trials[1:] if t.architecture["blocks"] == b}) for b in (1, 2)}
    assert {level: len(values) for level, (_, values) in known.items()} == distinct
    assert known[2][1] == [float(t.number) for t in trials[11:23]]


def test_a_table_of_other_values_is_fitted_again(tmp_path, monkeypatch):
    """As many trials with other values are not the same trials; where nothing can be kept it is shown
    all the same."""
    calls = []
    monkeypatch.setattr(module, "table1", lambda space, levels: calls.append(1) or [])
    first = levelled(11, 12)
    other = [*first[:-1], msgspec.structs.replace(first[-1], outcome=Done(0.125))]
    for trials in (first, first, other):
        rank_surrogates(run_of(trials, tmp_path))
    assert len(calls) == 2
    (tmp_path / "table1.json").unlink()
    (tmp_path / "table1.json").mkdir()
    assert rank_surrogates(run_of(first, tmp_path)) == []


def test_the_table_is_fitted_once(tmp_path, monkeypatch):
    """Of a run that has ended, and again only when it has measured more; a damaged file is no obstacle."""
    calls = []

    def fitted(space, levels):
        calls.append({level: len(values) for level, (_, values) in levels.items()})
        return [module.Row("mlp", 1, 10, 0.5, 0.25)]

    monkeypatch.setattr(module, "table1", fitted)
    first, larger = levelled(11, 12), levelled(11, 13)
    assert rank_surrogates(run_of(first, tmp_path, events=())) == []
    assert rank_surrogates(run_of(levelled(11), tmp_path)) == []
    with pytest.raises(Unread, match=r"surrogates is for searches that have ended, .* 10 measured"):
        cambrian.report(run_of(levelled(11), tmp_path), surrogates=True)
    assert calls == []
    rows = rank_surrogates(run_of(first, tmp_path))
    assert rows[0]["surrogate"] == "mlp"
    assert rows[0]["rho there"] == 0.5
    assert rank_surrogates(run_of(first, tmp_path)) == rows
    assert len(calls) == 1
    # Without being asked a report shows the rows that were kept, and fits none.
    assert rank_surrogates(run_of(first, tmp_path), fit=False) == rows
    assert rank_surrogates(run_of(larger, tmp_path), fit=False) == []
    cambrian.report(run_of(larger, tmp_path))
    assert len(calls) == 1
    rank_surrogates(run_of(larger, tmp_path))
    assert [c[2] for c in calls] == [12, 13]
    (tmp_path / "table1.json").write_text('{"of": ')
    assert rank_surrogates(run_of(larger, tmp_path)) == rows
    assert len(calls) == 3
    assert json.loads((tmp_path / "table1.json").read_text())["rows"] == rows


@pytest.mark.parametrize(
    ("steps", "cut", "said"), [(30, True, True), (2000, True, False), (30, False, False)]
)
def test_a_training_that_hardly_began_is_said_to_be_one(steps, cut, said):
    """Where the time ended it after a few steps, and not where so many were asked for."""
    metrics = {"steps": float(steps), **({"planned_epochs": 1e6} if cut else {})}
    told = tell_shortfall(Trial(0, cells(1)[0], Fidelity(), outcome=Done(0.3, metrics)))
    assert ["There was time for" in sentence for sentence in told] == [True] * said


def uncompared_cases():
    """Outcomes of the trials of a search, and what is said of its winner."""
    why = "No network was compared with another: "
    untried = " The winner is the first of the proposed networks that was still to be measured."
    over = "the time was over before the first trial ended."
    failed = "1 trial failed, and the time was over before another one ended."
    crashed = Crashed("out of luck")
    return [
        ([], None),
        ([None, None], why + over + untried),
        ([crashed, None], why + failed + untried),
        ([Done(0.5), crashed, None], why + "a single one was measured."),
        ([Done(0.5), Done(0.4)], None),
    ]


@pytest.mark.parametrize(("outcomes", "said"), uncompared_cases())
def test_a_winner_that_was_compared_with_none_is_said_to_be_one(outcomes, said):
    """In the words of the terminal, in the report's verdict, and in a notebook; a supernet has compared
    networks without trials."""
    architectures = cells(len(outcomes))
    trials = [
        Trial(n, a, Fidelity(), outcome=o)
        for n, (a, o) in enumerate(zip(architectures, outcomes, strict=True))
    ]
    assert tell_uncompared(trials) == ([said] if said else [])
    winner = Trial(0, cells(1)[0], Fidelity(), "final", role="winner", outcome=Done(0.3))
    story = Story("some", PNAS(), [*trials, winner], winner=winner)
    assert ("No network was compared" in verdict(story)) == (said is not None)
    run = SimpleNamespace(trials=trials, best=None, winner=winner, space=PNAS())
    assert ("No network was compared" in show_result(run)) == (said is not None)
    supernet = Trial(9, cells(1)[0], Fidelity(), "supernet", outcome=Done(0.3))
    assert tell_uncompared([*trials, supernet]) == []


def test_a_training_that_goes_on_has_learned_what_came_before():
    """The last 30 steps of 330 are no beginning, in whichever stage the others were taken; those of another
    network do not count."""

    def trial(number, steps, kind="trial", weights=FRESH):
        outcome = Done(0.3, {"steps": float(steps), "planned_epochs": 1e6})
        return Trial(number, cells(1)[0], Fidelity(), kind=kind, outcome=outcome, weights=weights)

    rows = [trial(0, 300), trial(1, 20)]
    long, short = trial(0, 30, "final", Inherit(0)), trial(1, 30, "final", Inherit(1))
    assert tell_shortfall(long, [*rows, long]) == []
    assert "50 steps" in tell_shortfall(short, [*rows, short])[0]
    later = trial(2, 10, "final", Inherit(0, f"{FINAL}0"))
    assert tell_shortfall(later, [*rows, long, later]) == []


@pytest.mark.parametrize(
    "door", [cambrian.report, cambrian.robustness, lambda run: cambrian.export(run, "out")]
)
def test_a_run_may_be_given_by_its_directory(door, tmp_path):
    """As on the command line: the run there is opened, or its lack is said."""
    with pytest.raises(RunError, match="nowhere is not a run directory"):
        door(tmp_path / "nowhere")
    with pytest.raises(RunError, match="nowhere is not a run directory"):
        door(str(tmp_path / "nowhere"))


def test_the_report_of_a_directory_is_that_of_its_result(tmp_path):
    cambrian.Search("tiny-chain", "random", lambda network: 1.0, small_task(), budget=2).run(
        tmp_path / "run", quiet=True
    )
    assert cambrian.report(str(tmp_path / "run")) == tmp_path / "run" / "report.html"


@pytest.mark.parametrize(
    ("value", "name"), [(True, ""), (None, ""), ("", ""), ("a/b.safetensors", "b.safetensors")]
)
def test_the_file_of_weights_is_found(value, name):
    """Within an estimator that ends trainings too; to other estimators the word may mean something else."""
    own = {"name": "own", "arguments": {"pretrained": value}}
    for spec in (own, {"name": "extrapolated", "arguments": {"inner": own}}):
        story = outline_story(run_of([], None))
        assert dataclasses.replace(story, settings={"estimator": spec}).given == name
