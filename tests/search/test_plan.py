"""Plans: what the budget chooses, what can be said instead, and the paper's own settings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import cambrian
from cambrian.search.plan import LADDER, PAPER, UNTOLD, Cost, plan
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.random import Random


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    return cambrian.load("digits")


def test_the_ladder_climbs(task: cambrian.Task) -> None:
    """Every rung costs more than the one below it, by the measured speed: a larger budget never buys less."""
    large = np.zeros((50_000, 1), np.int64)[:, 0]
    cost = Cost(dataclasses.replace(task, train=large), "cpu", 2)
    seconds = [cost.search_seconds(rung) for rung in LADDER]
    assert seconds == sorted(seconds)


def test_a_plan_fits_its_budget(task: cambrian.Task) -> None:
    """The chosen rung's expected search and final stage fit the shares the budget gives them, and the
    next rung's would not."""
    found = plan(task, "20m", workers=2)
    assert found.seconds <= 1200
    assert found.search.budget.seconds == 1200
    assert found.search.final is not None


def test_small_data_has_a_default_that_no_machine_changes(task: cambrian.Task) -> None:
    """Digits without a budget: all of level 1, three levels, at least 190 cells."""
    found = plan(task)
    assert found.rung == UNTOLD
    assert found.trials == {1: 136, 2: 28, 3: 28}
    assert found.search.budget == cambrian.Budget()


def test_paper_settings(task: cambrian.Task) -> None:
    """--paper is B=5, K=256, 20 epochs, F=24, N=2; then F=48, N=3, 600 epochs (Sec. 5.1)."""
    found = plan(task, paper=True)
    assert found.search.strategy == Progressive.paper()
    assert sum(found.trials.values()) == 1160
    assert found.search.fidelity.epochs == 20
    assert found.search.fidelity.skeleton == {"filters": 24, "cells": 6}
    assert found.search.estimator.learning_rate == 0.01
    assert found.search.final is not None
    assert found.search.final.fidelity.epochs == PAPER.final_epochs == 600
    assert found.search.final.fidelity.skeleton["drop_path"] == 0.4


def test_random_search_ends_too(task: cambrian.Task) -> None:
    """A strategy that never stops by itself is given as many models as progressive search would train."""
    found = plan(task, strategy=Random(), changes={"keep": 10})
    assert found.search.budget.trials == 136 + 2 * 10
    assert "156 cells trained" in dict(found.rows)["strategy"]
