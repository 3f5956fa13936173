"""Comparisons from the first search to the verdict: the same however they are carried out."""

import math
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from referee_cases import Deadly, toy

import mocks
from cambrian.benchmarks import Benchmark, play
from cambrian.effort import Axis
from cambrian.errors import Incompatible, RunChanged, RunError, UnknownName, UsageError
from cambrian.outcome import Fidelity
from cambrian.referee import OnBenchmark, OnTraining, compare, resume
from cambrian.referee.contest import play_search
from cambrian.referee.figures import standings
from cambrian.referee.page import write_all
from cambrian.referee.records import LINES
from cambrian.referee.shared_data import name_folder
from cambrian.request import Stop
from cambrian.search.ledger.keys import trial_key
from cambrian.search.result import Result
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies.evolution.regularized import Evolution
from cambrian.strategies.multifidelity.successive_halving import SuccessiveHalving
from cambrian.strategies.random import Random
from cambrian.testing import toy_task
from cambrian.testing.descendants import find_marked

TOY = "referee_cases:toy"
SMALL = "evolution(population=4, sample=2)"
KILLED = """
import sys
from cambrian.referee import compare
compare("referee_cases:toy", "evolution(population=4, sample=2)", seeds=8, budget=40, directory=sys.argv[1],
        workers=2, watch=lambda line, done, total: print(done, flush=True))
"""


def found(comparison):
    """The lines, but for the seconds that strategies really took."""
    return {
        name: [msgspec.structs.replace(line, thinking=()) for line in lines]
        for name, lines in comparison.lines.items()
    }


@pytest.fixture(scope="module")
def undisturbed():
    return found(compare(TOY, SMALL, seeds=8, budget=40))


def test_a_line_is_what_play_plays(undisturbed):
    """Scores and incumbents of the search that anybody can run alone."""
    played = play(toy(), Evolution(population=4, sample=2), 40, seed=3)
    line = undisturbed[SMALL][3]
    numbers = [i for i in range(40) if i == 0 or played.value[i] > played.value[i - 1]]
    assert [i.number for i in line.incumbents] == numbers
    assert [i.score for i in line.incumbents] == played.test[numbers].tolist()
    assert line.trials == 40
    assert set(line.cost) == {0.0}  # the table knows of no seconds
    timed = compare(OnBenchmark(toy(), 40, each=2.0), SMALL, seeds=1).lines["random"][0]
    new = [t.cached is None for t in play(toy(), "random", 40).trials]
    assert timed.cost == tuple(2.0 * n for n in new)


def test_processes_change_nothing(undisturbed, tmp_path):
    """Three at a time, the same lines; random search has joined."""
    comparison = compare(TOY, SMALL, seeds=8, budget=40, workers=3, directory=tmp_path)
    assert found(comparison) == undisturbed
    assert list(comparison.lines) == [SMALL, "random"]


@pytest.mark.damage
def test_killed_and_continued(undisturbed, tmp_path):
    """kill -9 three times, at different stages: nobody is left, what was done is kept, the end is the
    same."""
    before, mark = "", f"cambrian-{tmp_path}"
    for lines in (1, 3, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "MARK": mark},
        )
        for _ in range(lines):
            process.stdout.readline()
        assert len(find_marked(mark)) == 3  # itself and two workers
        process.kill()
        process.wait()
        process.stdout.close()
        assert nobody(mark)
        text = (tmp_path / LINES).read_text()
        assert text.startswith(before)
        before = text[: text.rindex("\n") + 1]
    assert before.count("\n") >= 6
    continued = resume(tmp_path, workers=2)
    assert found(continued) == undisturbed
    assert (tmp_path / LINES).read_text().startswith(before)


def nobody(mark, patience=10.0):
    end = time.monotonic() + patience
    while find_marked(mark) and time.monotonic() < end:
        time.sleep(0.02)
    return not find_marked(mark)


def test_more_seeds_and_strategies_add_to_it(tmp_path):
    """What is known is not played again; another budget is another comparison."""
    told = []

    def watch(line, done, total):
        told.append((line.strategy, line.seed, done, total))

    compare(TOY, "tournament", seeds=1, budget=5, directory=tmp_path, watch=watch)
    compare(TOY, ["tournament", SMALL], seeds=2, budget=5, directory=tmp_path, watch=watch)
    new = [(SMALL, 0, 3, 6), ("tournament", 1, 4, 6), (SMALL, 1, 5, 6), ("random", 1, 6, 6)]
    assert told == [("tournament", 0, 1, 2), ("random", 0, 2, 2), *new]
    with pytest.raises(RunChanged, match="budget was 5, now 6"):
        compare(TOY, SMALL, seeds=2, budget=6, directory=tmp_path)


def test_a_worker_that_dies_is_replaced(tmp_path):
    """Its search is played again, and what the others do is not lost."""
    rivals = {"deadly": Deadly(place=str(tmp_path / "mark"))}
    comparison = compare(TOY, rivals, seeds=3, budget=6, workers=2)
    lines = found(comparison)
    assert [line.incumbents for line in lines["deadly"]] == [line.incumbents for line in lines["random"]]
    with pytest.raises(RunError, match=r"by deadly under seed [012] was lost 3 times: exit code 7"):
        compare(TOY, {"deadly": Deadly(str(tmp_path), always=True)}, seeds=2, budget=6, workers=2)


def test_a_failing_search_is_named():
    """Here and in a process of its own."""
    for workers in (1, 2):
        with pytest.raises(RunError, match="none succeeded"):
            compare("test_comparison:failing", "evolution", seeds=2, budget=30, workers=workers)


def failing():
    from dataclasses import replace

    from cambrian.estimators.function import Function

    return replace(toy(), estimator=Function("test_comparison:fails", builds=False))


def fails(architecture, fidelity):
    raise ValueError("made up")


def test_what_cannot_be_is_refused_before_the_run(tmp_path):
    """A benchmark nobody has, a strategy that needs more than the space is, numbers below one."""
    with pytest.raises(UnknownName, match="did you mean 'nb201-cifar10'"):
        compare("nb201-cifar-10", SMALL, seeds=2)
    with pytest.raises(Incompatible, match="progressive needs a space whose architectures grow"):
        compare(flat(), "progressive", seeds=2, directory=tmp_path / "none")
    with pytest.raises(UsageError, match="levels is 9, but the space has 3"):
        compare(TOY, "progressive(levels=9)", seeds=2, directory=tmp_path / "none")
    with pytest.raises(UsageError, match="seeds is at least 1, got 0"):
        compare(TOY, SMALL, seeds=0)
    with pytest.raises(UsageError, match="budget is at least 1, got 0"):
        compare(TOY, SMALL, budget=0)
    with pytest.raises(UsageError, match="toy has no name another process could load it by"):
        compare(toy(), SMALL, seeds=2, workers=2)
    with pytest.raises(RunError, match="holds no comparison"):
        resume(tmp_path / "none")


@pytest.mark.parametrize("strategies", ["", " , ", "random", "random,random", [], {"mine": Random()}])
def test_random_search_alone_is_no_comparison(tmp_path, strategies):
    """It is in every comparison; without another strategy nothing is played."""
    with pytest.raises(UsageError, match="nothing to compare: name a strategy besides random"):
        compare(TOY, strategies, seeds=2, directory=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
def test_margins_and_costs_are_numbers(tmp_path, number):
    """A margin may be 0, a cost may not: there would be no time to compare at."""
    with pytest.raises(UsageError, match=f"margin is at least 0.*, got {number}"):
        compare(TOY, SMALL, seeds=2, margin=number, directory=tmp_path / "none")
    with pytest.raises(UsageError, match=f"cost of an evaluation, in seconds, is above 0.*, got {number}"):
        OnBenchmark(toy(), 5, each=number)
    with pytest.raises(UsageError, match="above 0, got 0"):
        OnBenchmark(toy(), 5, each=0)
    assert not (tmp_path / "none").exists()


def flat():
    from dataclasses import replace

    from cambrian.testing.toys import Endings

    return replace(toy(), space=Endings())


def test_a_strategy_that_stops_early_is_said_to():
    """The chain has 3 levels and few cells at each: the reason is in the line, its curve stays level."""
    comparison = compare(TOY, "progressive(keep=2, surrogate=ridge)", seeds=2, budget=50)
    line = comparison.lines["progressive(keep=2, surrogate=ridge)"][0]
    assert line.trials < 50
    assert "trained" in line.ended
    assert comparison.curves.scores[0, 0, -1] == line.incumbents[-1].score


@dataclass(frozen=True)
class Idle(Random):
    """Has nothing to propose."""

    def propose(self, state, pending, rng):
        return Stop("nothing to try")


def test_a_strategy_that_tries_nothing_has_a_line(tmp_path):
    """Of no trials, and its report can be written."""
    compared = compare(toy(), {"idle": Idle()}, seeds=2, budget=3)
    assert [(line.trials, line.ended) for line in compared.lines["idle"]] == [(0, "nothing to try")] * 2
    row = next(row for row in standings(compared) if row["strategy"] == "idle")
    assert (row["evaluations"], row["thinking"]) == (0, 0)
    write_all(compared, tmp_path)


def test_a_search_that_spent_its_epochs_did_not_end_early():
    """Six thirds of an epoch are two, though they add up to a little less, and less still as rounded in the
    line."""
    contest = replace(
        OnBenchmark.of(toy(), "2 epochs"), benchmark=replace(toy(), fidelity=Fidelity(1, 1 / 3))
    )
    line = play_search(contest, "random", Random(), 0)
    assert line.paid()[-1] == pytest.approx(2, abs=1e-5)
    assert line.paid()[-1] < 2
    assert not line.ended


def test_a_training_that_goes_on_costs_the_difference_by_the_clock_too():
    """Nine networks for 1 epoch, three of them to 3, one of those to 9: 9 + 6 + 6 epochs, each of which is a
    second where a whole training is said to take nine. Counted from the start they were 27."""

    class Ordered(mocks.Mock):
        axes = (Axis("epochs"),)

    bench = Benchmark("toy", mocks.Toy(), Ordered(), lambda a: mocks.truth(a, 0), 1.0, Fidelity(9))
    contest = OnBenchmark.of(bench, "100 epochs", each=9.0)
    line = play_search(contest, "halving", SuccessiveHalving(passes=1), 0)
    assert line.paid()[-1] == 21
    assert sum(line.cost) == pytest.approx(21)


@pytest.mark.parametrize("labels", [{"chance": "random", "x": SMALL}, {"random": SMALL, "x": "tournament"}])
def test_random_search_is_known_by_what_it_is(labels):
    """Under a label of its own, and where another strategy has its name: the share of searches better
    than random ones is that against it."""
    compared = compare(TOY, labels, seeds=3, budget=10)
    chance = "chance" if "chance" in labels else "random search"
    ends = {label: compared.curves.scores[n, :, -1] for n, label in enumerate(compared.lines)}
    for row in standings(compared):
        own, others = ends[row["strategy"]][:, None], ends[chance][None]
        expected = ((np.sign(own - others) + 1) / 2).mean()
        assert row["better than random"] == (None if row["strategy"] == chance else pytest.approx(expected))


def test_labels_that_look_alike_have_folders_of_their_own():
    """Whatever alphabet they are in."""
    labels = ["\u7b97\u6cd5\u7532", "\u7b97\u6cd5\u4e59", "a", "a+", "a-", "\u00e4"]
    folders = [name_folder(label) for label in (*labels, "evolution(sample=2)")]
    assert len(set(folders)) == len(folders) - 1  # "a-" is the punctuation of a call
    assert all(re.fullmatch(r"[A-Za-z0-9._=-]+", folder) for folder in folders)


# -- live ---------------------------------------------------------------------------------------------


def live(home, counts, monkeypatch):
    counts.mkdir(exist_ok=True)
    monkeypatch.setenv("COUNTS", str(counts))
    counted = {"name": "referee_cases:Counted", "arguments": {"seconds": 0.02}}
    return OnTraining(toy_task(), 5, home, Fidelity(2), "tiny-chain", counted)


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("estimator", ["train", "extrapolated(model=mean-gain)"])
@pytest.mark.parametrize("metric", ["accuracy", "log-loss"])
def test_an_error_is_minimised_by_live_searches_too(metric, estimator, tmp_path):
    """The estimator that shares outcomes among them does not know the metric: the highest error won."""
    task = replace(toy_task(), metric=metric)
    contest = OnTraining(task, 5, tmp_path, Fidelity(2), "tiny-chain", estimator)
    search = contest.search(Random(), seed=0)
    assert search.minimize == search.objective.minimize == contest.minimize == (metric == "log-loss")
    assert ("minimize" in contest.identity()) == contest.minimize


def test_live_searches_share_their_trials_and_go_on(tmp_path, monkeypatch):
    """One function is measured once in all searches; stopped after every line and begun again, with other
    numbers of workers, the comparison is that of somebody undisturbed."""
    whole = compare(live(tmp_path / "whole", tmp_path / "a", monkeypatch), SMALL, seeds=2)
    runs = [Result.open(place) for place in (tmp_path / "whole" / "runs").iterdir()]
    assert len(runs) == 4
    keys = {trial_key(TinyChain(), t.architecture, t.fidelity, "", 0) for run in runs for t in run.trials}
    assert len(list((tmp_path / "a").iterdir())) == len(keys) < 20
    assert len({run.directory.joinpath("task").resolve() for run in runs}) == 1

    def stop(line, done, total):
        raise Interrupt

    contest = live(tmp_path / "stopped", tmp_path / "b", monkeypatch)
    for _ in range(2):
        with pytest.raises(Interrupt):
            compare(contest, SMALL, seeds=2, watch=stop)
    continued = resume(tmp_path / "stopped", workers=2)
    for label in (SMALL, "random"):
        for one, other in zip(whole.lines[label], continued.lines[label]):
            assert one.incumbents == other.incumbents
            assert all(cost >= 0.02 for cost in other.cost if cost)
    assert len(list((tmp_path / "b").iterdir())) == len(keys)
    assert 0 <= whole.lines["random"][0].incumbents[0].score <= 100  # percent
    assert whole.timed_judgement is not None
