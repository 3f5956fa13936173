"""Second measurements of the best, against the rule written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.errors import UsageError
from cambrian.estimators.estimator import Estimate, Job
from cambrian.outcome import Done, Trial, outcome_of
from cambrian.randomness import stream
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.strategies.remeasured import Remeasured, is_again


class Noisy:
    """An estimator whose value is the number of convolutions of a cell and an error of the measurement."""

    needs: tuple[type, ...] = ()
    builds = leaves = delivers = False
    sigma = 1.0

    def run(self, job: Job) -> Estimate:
        true = float(sum("conv" in str(answer) for answer in job.architecture.values()))
        error = stream(job.seed, "noise", job.identity).normal(0, self.sigma)
        return outcome_of(true + error, metrics={"true": true})
        yield

    def prepare(self) -> None: ...


def run(strategy: Any, budget: Any, seed: int = 0, directory: Path | None = None) -> Result:
    return Search("nasbench201", strategy, Noisy(), budget=budget, seed=seed).run(directory, quiet=True)


@pytest.mark.parametrize("best", [2, 3])
def test_the_last_trials_measure_the_best_again(best: int) -> None:
    """The first measurements are those of the strategy alone; the last ones repeat the best of them, whose
    order is that of the means of two."""
    alone = run("random", 40 - best)
    result = run(Remeasured(best=best), 40)
    first, second = result.trials[:-best], result.trials[-best:]
    assert [t.architecture for t in first] == [t.architecture for t in alone.trials]
    ranked = sorted(first, key=lambda t: -(t.score or 0))
    assert [t.architecture for t in second] == [t.architecture for t in ranked[:best]]
    assert all(t.replicate == 1 and is_again(t) for t in second)
    means = {t.architecture: ((t.score or 0) + (f.score or 0)) / 2 for t, f in zip(second, ranked)}
    order = [t.architecture for t in result.recommended[:best]]
    assert order == sorted(means, key=lambda a: -means[a])


@pytest.mark.slow
@pytest.mark.statistical
def test_the_second_measurement_finds_better_networks() -> None:
    """Over 30 seeds of 100 trials with noise, the recommended network is truly better than the best of the
    first measurements."""

    def gain(seed: int) -> float:
        result = run(Remeasured(best=4), 100, seed)
        first = max((t for t in result.trials if not is_again(t)), key=lambda t: t.score or 0.0)
        return find_truth(result.recommended[0]) - find_truth(first)

    gains = [gain(seed) for seed in range(30)]
    assert np.mean(gains) > 2 * np.std(gains, ddof=1) / np.sqrt(len(gains))


def find_truth(trial: Trial) -> float:
    assert isinstance(trial.outcome, Done)
    return trial.outcome.metrics["true"]


def test_a_larger_budget_goes_on_searching(tmp_path: Path) -> None:
    """A finished run that gets more trials proposes new architectures after its second measurements."""
    run(Remeasured(), 20, directory=tmp_path / "run")
    result = run(Remeasured(), 80, directory=tmp_path / "run")
    assert [t.number for t in result.trials if is_again(t)] == [18, 19]
    assert len(result.trials) == 80


def test_repeated_rows_are_measured_again(tmp_path: Path) -> None:
    """On a table of the user's own whose repeated rows are drawn by the seed, the command line measures the
    best two again from 100 trials on, and says so."""
    lines = [f"x{a},y{b},{((a * b) % 11 + r) / 20}" for a in range(15) for b in range(15) for r in (0, 1)]
    (tmp_path / "table.csv").write_text("a,b,accuracy\n" + "\n".join(lines))
    for budget, expected in ((99, []), (100, [98, 99])):
        place = tmp_path / str(budget)
        options = ["--benchmark", str(tmp_path / "table.csv"), "--replicates", "seed", "--strategy", "random"]
        told = CliRunner().invoke(app, ["search", *options, "--budget", str(budget), "--run", str(place)])
        assert told.exit_code == 0, told.output
        assert ("measured once more" in told.output) == bool(expected), told.output
        assert [t.number for t in Result.open(place).trials if is_again(t)] == expected


def test_a_budget_without_a_last_trial_is_refused() -> None:
    with pytest.raises(UsageError, match="number of trials"):
        run(Remeasured(), "10s")
