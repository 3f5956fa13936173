"""DyHPO: its kernel against the closed form, and which step it takes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

import mocks
from cambrian.architecture import Architecture
from cambrian.outcome import Crashed, Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, trial_of
from cambrian.strategies.multifidelity.deep_kernel import (
    JITTER,
    DeepKernel,
    Points,
    fit_kernel,
    predict_points,
)
from cambrian.strategies.multifidelity.dyhpo import DyHPO, choose_run, describe, expect_gain, list_known
from cambrian.weights import Continue, Fresh

SPACE = mocks.Toy(questions=3)


def draw_points(count: int, seed: int = 0) -> Points:
    rng = stream(seed, "points")
    return Points(rng.random((count, 5)), rng.random(count), rng.random((count, 6)))


def test_the_process_is_the_closed_form() -> None:
    """On the kernel's own features: means, deviations and the marginal likelihood of a Gaussian process, in
    double precision, to that of single precision."""
    known, asked = draw_points(8), draw_points(4, 1)
    values = stream(2, "values").random(8)
    weights = fit_kernel(known, values, 20, 3, None)
    means, deviations = predict_points(weights, known, values, asked)
    kernel = DeepKernel(6)
    kernel.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    kernel.eval()
    with torch.no_grad():
        one, two = (kernel(*points.read()).double().numpy() for points in (known, asked))
        loss = float(kernel.measure_loss(kernel(*known.read()), torch.from_numpy(values).float()))
    scale, length, noise = (np.exp(weights[f"log_{name}"]) for name in ("scale", "length", "noise"))

    def relate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return scale * np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / length**2)

    covariance, across = relate(one, one) + (noise + JITTER) * np.eye(8), relate(two, one)
    rest = values - float(weights["mean"])
    assert np.allclose(means, float(weights["mean"]) + across @ np.linalg.solve(covariance, rest), atol=1e-3)
    variance = scale - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
    assert np.allclose(deviations, np.sqrt(variance), atol=1e-3)
    expected = 0.5 * (rest @ np.linalg.solve(covariance, rest) + np.linalg.slogdet(covariance)[1]) / 8
    assert loss == pytest.approx(expected, abs=1e-3)


def test_a_fit_explains_its_points() -> None:
    """Values that follow the first number of the description; the same seed gives the same weights, and more
    epochs go on from former ones."""
    known = draw_points(30)
    values = known.architectures[:, 0]
    weights = fit_kernel(known, values, 50, 0, None)
    means, _ = predict_points(weights, known, values, known)
    assert np.mean((means - values) ** 2) < 0.02 * values.var()
    further, again = (fit_kernel(known, values, 1, 0, weights) for _ in range(2))
    assert all(np.array_equal(further[name], again[name]) for name in weights)
    assert 0 < abs(further["last.weight"] - weights["last.weight"]).max() < 0.01


def test_expected_improvement() -> None:
    """Of N(.5, .1) over .5: .1 / sqrt(2 pi); over a best far below the mean: the difference; far above: 0."""
    gains = expect_gain(np.full(3, 0.5), np.full(3, 0.1), np.array([0.5, -0.5, 1.5]))
    assert gains == pytest.approx([0.1 / np.sqrt(2 * np.pi), 1.0, 0.0], abs=1e-9)


def play(value, count: int, **settings: int) -> tuple[list[Trial], object]:
    strategy = DyHPO(**{"candidates": 5, "first": 10, "refine": 2, **settings})
    state = strategy.start(Problem(SPACE, fidelity=Fidelity(20), seed=1))
    trials: list[Trial] = []
    for number in range(count):
        proposal = strategy.propose(state, [], stream(0, "propose", number))
        assert isinstance(proposal, Evaluate)
        trial = trial_of(number, proposal, Fidelity(20))
        trials.append(_finish(trial, value(trial)))
        state = strategy.learn(state, trials[-1])
    return trials, state


def _finish(trial: Trial, value: float | None) -> Trial:
    import msgspec

    return msgspec.structs.replace(trial, outcome=Crashed("x") if value is None else Done(value))


def measure(trial: Trial) -> float:
    return stream(3, trial.architecture.key).random() * (1 - 0.5 / trial.fidelity.epochs)


def test_every_decision_is_one_step_further() -> None:
    """New architectures begin at the first of ten steps, others go on from their own latest row; a failed
    one does not go on."""
    trials, _ = play(measure, 20)
    latest: dict[str, Trial] = {}
    for trial in trials:
        before = latest.get(trial.architecture.key)
        assert trial.fidelity.epochs == (2 if before is None else before.fidelity.epochs + 2)
        assert trial.weights == (Fresh() if before is None else Continue(before.number))
        latest[trial.architecture.key] = trial
    assert len(latest) > 2
    assert max(t.fidelity.epochs for t in trials) > 2
    failed, _ = play(lambda trial: None if trial.number == 3 else measure(trial), 12)
    assert failed[3].architecture not in [t.architecture for t in failed[4:]]


def test_a_run_is_known_by_its_steps() -> None:
    """A run is known by the points of its steps: each with the curve until then, and the budget of the
    step."""
    _, state = play(measure, 12)
    points, values = list_known(state)
    assert len(values) == 12
    run = max(state.runs.values(), key=lambda run: len(run.scores))
    steps = len(run.scores)
    place = sum(len(r.scores) for r in list(state.runs.values())[: list(state.runs.values()).index(run)])
    assert np.allclose(points.budgets[place : place + steps], np.arange(1, steps + 1) / 10)
    assert not points.curves[place].any()
    assert np.allclose(points.curves[place + steps - 1][: steps - 1], values[place : place + steps - 1])
    assert (values.min(), values.max()) == (0, 1)
    assert choose_run(state, [run]) is run


def test_a_loss_that_exploded_is_the_worst_of_the_others() -> None:
    """In units of the range of all the others would be equal."""
    _, plain = play(measure, 12)
    first = next(iter(plain.runs))
    exploded = msgspec.structs.replace(plain.runs[first], scores=(-1e9,))
    runs = {**{key: run for key, run in plain.runs.items() if key != first}, first: exploded}
    points, values = list_known(replace(plain, runs=runs))
    assert sorted(values)[:2] == [0.0, 0.0]
    assert values.max() == 1
    assert values.std() > 0.1
    assert 0 <= points.curves.min() <= points.curves.max() <= 1


def test_descriptions_have_one_length() -> None:
    """Whatever is asked; equal answers are equal, others differ."""
    described = [describe(SPACE, Architecture({"q0": a, "q1": "a", "q2": "a"})) for a in "aba"]
    assert np.array_equal(described[0], described[2])
    assert not np.array_equal(described[0], described[1])
    assert {len(d) for d in described} == {128}
