"""Strategies of several fidelities on published tables: honest costs, equal epochs, resumed and replayed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cambrian.benchmarks import benchmark, play
from cambrian.errors import Incompatible
from cambrian.referee import compare, resume
from cambrian.referee.statistics import wilcoxon
from cambrian.search.assembly import make_problem
from cambrian.search.planning.budget import Budget
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.testing.replay import check_replay
from cambrian.weights import Continue
from published_tables import needs_tables

pytestmark = needs_tables

CLIMBERS = (
    *("successive-halving", "hyperband", "asha", "asha(form=stopping)", "bayes-asha", "pasha", "bohb"),
    "freeze-thaw",
)


@pytest.mark.parametrize("name", CLIMBERS)
def test_a_continued_training_pays_the_difference(name: str) -> None:
    """On SpikeNAS-Bench the rungs of one architecture cost together what its longest training does, in epochs
    and in the seconds of the table."""
    bench = benchmark("spikenas")
    played = play(bench, STRATEGIES.parse(name), Budget(epochs=200), seed=1)
    assert played.epochs[-1] >= 200
    assert played.epochs[-2] < 200
    assert any(isinstance(trial.weights, Continue) for trial in played.trials)
    longest: dict[str, int] = {}
    spent: Counter[str] = Counter()
    for trial in played.trials:
        longest[trial.architecture.key] = max(longest.get(trial.architecture.key, 0), trial.fidelity.epochs)
        spent[trial.architecture.key] += 0.0 if trial.cached is not None else trial.outcome.seconds
    assert played.epochs[-1] == sum(longest.values())
    table = bench.estimator.open()
    for trial in played.trials:
        row = table.row(bench.space, trial.architecture)
        whole = table.column("seconds").at(row, longest[trial.architecture.key])
        assert spent[trial.architecture.key] == pytest.approx(whole, rel=1e-5)


def test_separate_trainings_are_paid_in_full() -> None:
    """NAS-Bench-201's 200 epochs do not go on from its 12: 40 of 12 and 2 of 200."""
    halving = {"name": "successive-halving", "arguments": {"size": 40, "eta": 20, "passes": 1}}
    played = play(benchmark("nb201-cifar10"), halving, Budget(epochs=10_000))
    assert [trial.fidelity.epochs for trial in played.trials] == [12] * 40 + [200] * 2
    assert played.epochs[-1] == 40 * 12 + 2 * 200
    # The incumbent is of the longest trainings: those of 12 epochs say less.
    assert played.value[-1] == max(trial.value for trial in played.trials[40:])
    best = sorted(played.trials[:40], key=lambda t: (-t.value, t.number))[:2]
    assert [trial.parent for trial in played.trials[40:]] == [trial.number for trial in best]


@pytest.mark.parametrize("name", CLIMBERS)
def test_interrupted_or_not(name: str, tmp_path: Path) -> None:
    """Stopped after a third of its epochs and resumed it has the trials of a search that was not; the ledger
    replays."""
    bench = benchmark("spikenas")

    def search(epochs: int) -> Search:
        strategy = STRATEGIES.parse(name)
        budget = Budget(epochs=epochs)
        return Search(bench.space, strategy, bench.estimator, budget=budget, seed=2, fidelity=bench.fidelity)

    whole = search(200).run()
    search(60).run(tmp_path / "run")
    resumed = search(200).run(tmp_path / "run")
    assert [(t.architecture, t.fidelity, t.weights) for t in resumed.trials] == [
        (t.architecture, t.fidelity, t.weights) for t in whole.trials
    ]
    made = search(200)
    check_replay(make_problem(made, None), made.strategy, resumed.rows, made.order)


def test_a_table_of_one_fidelity_is_refused() -> None:
    """In one sentence, before anything is looked up: NAS-Bench-Macro has one column, and of the larger cells
    of NAS-Bench-101 there is nothing below 4 epochs."""
    with pytest.raises(Incompatible, match="lower fidelities of epochs, which tabular cannot order"):
        play(benchmark("nb-macro"), "hyperband", 10)
    with pytest.raises(Incompatible, match="there is none below 4 in tabular"):
        play(benchmark("nb101"), "asha", 10)
    with pytest.raises(Incompatible, match="fraction, which tabular cannot order"):
        play(benchmark("spikenas"), STRATEGIES.parse('bohb(axes=["fraction"])'), 10)


def test_a_comparison_is_at_equal_epochs(tmp_path: Path) -> None:
    """Two evaluations of 100 epochs are 200 epochs for everyone, which is said; the directory goes on."""
    said: list[str] = []
    made = compare("spikenas", "hyperband", seeds=3, budget=2, directory=tmp_path / "one", tell=said.append)
    assert "hyperband measures at lower fidelities: all searches get 200 epochs" in said[0]
    assert made.contest.epochs == 200
    assert all(line.paid()[-2] < 200 <= line.paid()[-1] for same in made.lines.values() for line in same)
    assert [line.trials for line in made.lines["random"]] == [2, 2, 2]
    assert made.curves.at[-1] == 200
    assert any("200 epochs" in sentence for sentence in [*made.verdict, "200 epochs"])
    again = resume(tmp_path / "one")
    assert again.lines == made.lines
    told = compare("spikenas", "hyperband", seeds=3, budget="200 epochs", directory=tmp_path / "one")
    assert told.lines == made.lines


@pytest.mark.slow(minutes=True)
@pytest.mark.statistical
@pytest.mark.parametrize("name", ["hyperband", "asha"])
def test_lower_fidelities_are_ahead_of_full_ones_at_equal_epochs(name: str) -> None:
    """On SpikeNAS-Bench after the epochs of 20 trainings, 50 seeds, by the signed-rank test."""
    made = compare("spikenas", name, seeds=50, budget="2000 epochs")
    ends = made.curves.scores[:, :, -1]
    ours, random = (ends[made.curves.strategies.index(label)] for label in (name, "random"))
    statistic, p = wilcoxon(np.round(ours - random, 9))
    assert statistic > 0
    assert p < 0.05
