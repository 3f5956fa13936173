"""What trials say, against brute force and SciPy."""

import re

import numpy as np
import pytest
from scipy.stats import spearmanr

from cambrian.outcome import Done, Fidelity, Infeasible, Trial, describe_failure
from cambrian.pictures.charts import lines, scatter, steps, ticks
from cambrian.reports.evidence import anytime, best_trials, failures, leaderboard, levels
from report_cases import cells, finals, random_trials


@pytest.mark.parametrize("seed", range(8))
def test_the_anytime_curve_is_the_running_maximum(seed):
    """At every ended trial: the maximum of the values up to it and the seconds spent up to it, repeats
    free; in whatever order the trials are given, and without the final stage."""
    rng = np.random.default_rng(seed)
    trials = random_trials(rng, 40)
    ended = [t for t in trials if t.outcome is not None]
    expected = []
    for n in range(1, len(ended) + 1):
        values = [t.value for t in ended[:n] if t.value is not None]
        if values:
            cost = sum(t.outcome.seconds for t in ended[:n] if t.cached is None)
            expected.append((n, cost, max(values)))
    shuffled = [trials[i] for i in rng.permutation(len(trials))] + finals(trials, (2.0, 3.0, 4.0))
    assert [(b.trials, b.seconds, b.value) for b in anytime(shuffled)] == expected


@pytest.mark.parametrize("seed", range(8))
def test_rho_is_scipys_level_by_level(seed):
    """Only trials that were guessed and measured count; ties share their rank."""
    trials = random_trials(np.random.default_rng(seed), 60)
    found = levels(trials)
    assert found
    for level in found:
        rows = [
            (t.reason["predicted"], t.value)
            for t in trials
            if t.reason["level"] == level.level and "predicted" in t.reason and t.value is not None
        ]
        assert list(zip(level.predicted, level.measured)) == rows
        if level.rho is not None:
            assert level.rho == pytest.approx(spearmanr(*zip(*rows)).statistic)


def test_rho_needs_something_to_rank():
    """Two points, or equal values, have no rank correlation; perfect orders have 1 and -1."""

    def rho(predicted, measured):
        rows = zip(cells(len(predicted)), predicted, measured)
        trials = [
            Trial(n, c, Fidelity(), reason={"level": 2, "predicted": p}, outcome=Done(float(m)))
            for n, (c, p, m) in enumerate(rows)
        ]
        return levels(trials)[0].rho

    assert rho([1, 2], [1, 2]) is None
    assert rho([1, 1, 1], [1, 2, 3]) is None
    assert rho([1, 2, 3], [5, 5, 5]) is None
    assert rho([1, 2, 3], [2, 3, 9]) == pytest.approx(1)
    assert rho([1, 2, 3], [9, 3, 2]) == pytest.approx(-1)


def test_leaders_are_different_architectures_best_first():
    """A repeat of the best takes no second place; of equals the earlier leads; finals do not compete."""
    a, b, c = cells(3)
    values = [(a, 0.5), (b, 0.9), (b, 0.9), (c, 0.9), (a, 0.7)]
    trials = [Trial(n, x, Fidelity(), outcome=Done(v)) for n, (x, v) in enumerate(values)]
    trials.append(Trial(9, c, Fidelity(), kind="final", role="winner", outcome=Done(1.0)))
    assert [t.number for t in best_trials(trials, 5)] == [1, 3, 4]
    rows = leaderboard(trials, 2)
    assert [(r["rank"], r["trial"], r["value"], r["key"]) for r in rows] == [
        (1, 1, 0.9, b.key),
        (2, 3, 0.9, c.key),
    ]
    assert rows[0]["architecture"] == b.to_json()


def test_failures_are_counted_by_reason_without_repeats():
    """The commonest first; a cached failure is not a second one."""
    (a,) = cells(1)
    outcomes = [Infeasible("oom", "too large"), Infeasible("nan"), Infeasible("nan"), Done(1.0)]
    trials = [Trial(n, a, Fidelity(), outcome=o) for n, o in enumerate(outcomes)]
    trials.append(Trial(4, a, Fidelity(), outcome=outcomes[0], cached=0))
    found = failures(trials)
    assert [(f.reason, [t.number for t in f.trials]) for f in found] == [("nan", [1, 2]), ("oom", [0])]
    assert [describe_failure(t) for t in trials[:2]] == ["too large", "nan"]


@pytest.mark.parametrize("seed", range(20))
def test_ticks_are_round_and_inside(seed):
    """Between 2 and 12 equally spaced numbers of the range, 1, 2 or 5 times a power of ten apart."""
    rng = np.random.default_rng(seed)
    low = float(rng.normal() * 10.0 ** rng.integers(-3, 6))
    high = low + float(rng.random() + 0.01) * 10.0 ** int(rng.integers(-3, 6))
    found = ticks(low, high)
    assert 2 <= len(found) <= 12
    step = found[1] - found[0]
    assert np.allclose(np.diff(found), step)
    assert low - 1e-6 * step <= found[0] <= found[-1] <= high + 1e-6 * step
    mantissa = step / 10.0 ** np.floor(np.log10(step) + 1e-9)
    assert np.isclose(mantissa, [1, 2, 5], rtol=1e-3).any()


@pytest.mark.parametrize(
    "values",
    [(1e308, -1e308), (5e-324, 1e-323), (0.0, 1e-310), (1e16, 1e16 + 2), (-3.0, -3.0), (0.0, 0.0), (1.0,)],
)
def test_charts_of_any_numbers_are_drawn(values):
    """Numbers at the ends of what a float holds, nearly equal ones and single ones have charts with finite
    coordinates and short texts: a report was lost for one of them."""
    points = [(float(n), value) for n, value in enumerate(values, 1)]
    charts = [steps("a", points, "x", "y"), lines("a", [("b", points)], "x", "y")]
    for drawn in [*charts, scatter("a", values, values, "x", "y")]:
        assert not re.search(r"[^a-z](nan|inf)[^a-z]", drawn)
        assert max(map(len, re.findall(">([^<]*)</text>", drawn))) < 30
