"""The report of a search for two objectives: its front, held against brute force, and the chart of it."""

import re
from dataclasses import dataclass
from typing import ClassVar

import pytest

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Objective
from cambrian.reports.contents import Story, story_of
from cambrian.reports.report import report_html
from cambrian.search.search import Search
from cambrian.strategies.evolution.nsga2 import NSGA2
from cambrian.strategies.strategy import Evaluate, Stop
from mocks import Toy, truth


@dataclass(frozen=True)
class Sized:
    """A value from a hash, and parameters from the answers: the two are independent."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job):
        yield from ()
        # Rounded, so that some trials are equal in one objective or in both.
        return Done(round(truth(job.architecture, job.seed), 1), {"params": count_params(job.architecture)})


@dataclass(frozen=True)
class TwoObjectives:
    """Proposes the 64 architectures of the toy space in order, and requires two objectives."""

    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem):
        assert [o.name for o in problem.objectives[1:]] == ["params"]
        return 0

    def propose(self, state, pending, rng):
        number = state + len(pending)
        if number == 64:
            return Stop("all is done")
        return Evaluate(Architecture({f"q{i}": "abcd"[number // 4**i % 4] for i in range(3)}))

    def learn(self, state, trial):
        return state + 1


def count_params(architecture):
    return float(sum("abcd".index(architecture[f"q{i}"]) for i in range(3)))


def brute_force_front(trials):
    """The pairs that no other pair is as good as in both and better than in one."""
    pairs = {(t.value, t.outcome.metrics["params"]) for t in trials}
    return {(v, p) for v, p in pairs if not any(w >= v and q <= p and (w, q) != (v, p) for w, q in pairs)}


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "directory"])
def test_a_search_for_two_objectives_reports_its_front(kept, tmp_path):
    """`Result.front` equals the brute-force front, and the report marks as many points as it has."""
    directory = tmp_path / "run" if kept else None
    search = Search(Toy(), TwoObjectives(), Sized(), budget=100, objectives=("-params",))
    result = search.run(directory)
    expected = brute_force_front(result.trials)
    assert {(t.value, t.outcome.metrics["params"]) for t in result.front} == expected
    assert len(result.front) == len(expected) > 2
    html = report_html(story_of(result))
    chart = re.search(r"<svg[^>]*><title>trials and their front</title>.*?</svg>", html).group()
    # One more dot of either hue is the legend's.
    front = {t.number for t in result.front}
    assert chart.count('fill="var(--b)"') - 1 == len(front)
    assert chart.count('fill="var(--a)"') - 1 == 64 - len(front)
    assert "params, lower is better" in chart


def test_the_report_says_the_hypervolume_and_marks_the_chosen():
    """Above the reference point that the user gave; the delivered networks are drawn beside the baselines."""
    outcomes = [Done(0.5, {"params": 2.0}), Done(0.4, {"params": 1.0}), Done(0.3, {"params": 3.0})]
    trials = [Trial(n, Architecture({"q0": n}), Fidelity(), outcome=o) for n, o in enumerate(outcomes)]
    roles = ("winner", "front 2", "baseline random")
    finals = [
        Trial(n, t.architecture, Fidelity(), kind="final", role=role, outcome=t.outcome)
        for n, (t, role) in enumerate(zip(trials, roles, strict=True))
    ]
    objectives = {
        "objective": Objective("v", reference=0.0),
        "more_objectives": (Objective("params", True, 4.0),),
    }
    story = Story("some", Toy(), [*trials, *finals], winner=finals[0], chosen=trials[:2], **objectives)
    html = report_html(story)
    # Two rectangles from (0, 4): 0.5 x 2 and 0.4 x 3, which share 0.4 x 2.
    assert "hypervolume of the front: 1.4, from v 0, params 4" in html
    chart = re.search(r"<svg[^>]*><title>trials and their front</title>.*?</svg>", html).group()
    assert chart.count('r="8" fill="none"') == 2 + 1  # the legend's
    assert html.count("<td>chosen</td>") == 2
    assert "beside them: random" in html
    assert "final networks and baselines" in html


def test_measures_have_units_but_for_those_of_a_table():
    """A latency in ms and a memory in MB, aligned as numbers."""
    metrics = {"latency": 0.0015709, "memory": 2.5e6}
    trial = Trial(0, Architecture({"q0": 0}), Fidelity(), outcome=Done(0.5, metrics))
    objectives = {
        "objective": Objective("v"),
        "more_objectives": (Objective("latency", True), Objective("memory", True)),
    }
    html = report_html(Story("some", Toy(), [trial], task={"metric": "accuracy"}, **objectives))
    assert '<td class="n">1.571 ms</td><td class="n">2.5 MB</td>' in html
    table = report_html(Story("some", Toy(), [trial], **objectives))
    assert '<td class="n">0.001571</td><td class="n">2,500,000</td>' in table


def test_random_search_is_in_the_chart():
    """The front of the trials that were drawn at random, before there were parents: by brute force, and left
    out where all were."""
    search = Search(Toy(), NSGA2(population=8), Sized(), budget=24, objectives=("-params",))
    result = search.run()
    story = story_of(result)
    assert [t.number for t in story.drawn] == list(range(8))
    chart = re.search(r"<svg[^>]*><title>trials and their front</title>.*?</svg>", report_html(story)).group()
    assert "the front of the 8 random networks among them" in chart
    line = re.search(r'<polyline points="([^"]*)"', chart).group(1)
    assert len(line.split()) == len(brute_force_front(result.trials[:8]))
    everything = Search(Toy(), "random", Sized(), budget=9, objectives=("-params",)).run()
    assert "random networks among them" not in report_html(story_of(everything))


def test_the_network_that_a_search_began_with_is_there():
    """By its name in the chart and in the table, though another one dominates it."""
    outcomes = [Done(0.3, {"params": 3.0}), Done(0.5, {"params": 2.0}), Done(0.4, {"params": 1.0})]
    reasons = [{"begins": "your network"}, {}, {}]
    trials = [
        Trial(n, Architecture({"q0": n}), Fidelity(), outcome=o, reason=reason)
        for n, (o, reason) in enumerate(zip(outcomes, reasons, strict=True))
    ]
    story = Story("some", Toy(), trials, more_objectives=(Objective("params", True),))
    assert [t.number for t in story.front] == [1, 2]
    html = report_html(story)
    chart = re.search(r"<svg[^>]*><title>trials and their front</title>.*?</svg>", html).group()
    assert ">your network</text>" in chart
    assert html.count("<td>your network</td>") == 1
    assert "3 trials, 2 on the front" in html


def test_trials_without_the_metric_are_counted_not_drawn():
    """An estimator may measure a metric for some trials only."""
    objectives = (Objective("params", True),)
    outcomes = [Done(0.5, {"params": 2.0}), Done(0.4, {"params": 1.0}), Done(0.3)]
    trials = [
        Trial(n, Architecture({"q0": n}), Fidelity(), outcome=outcome) for n, outcome in enumerate(outcomes)
    ]
    html = report_html(Story("some", Toy(), trials, more_objectives=objectives))
    assert "1 measured without params left out of the chart" in html
    assert "2 trials, 2 on the front" in html


def test_a_search_for_one_objective_has_no_front():
    """The section is for several objectives only."""
    trials = [Trial(0, Architecture({"q0": "a"}), Fidelity(), outcome=Done(0.5, {"params": 2.0}))]
    assert "<h2>Front</h2>" not in report_html(Story("one", Toy(), trials))
