"""The suite for estimators: typed, finite, seeded outcomes that never saw the test split."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.codec import decode, encode
from cambrian.errors import Unbuildable
from cambrian.estimators.estimator import Job
from cambrian.estimators.function import Function
from cambrian.estimators.train import WEIGHTS
from cambrian.outcome import REASONS, Crashed, Done, Fidelity, Infeasible, Outcome, Point
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.request import TrainSupernet
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space
from cambrian.tasks.task import Task
from cambrian.testing.disturbance import disturb_generators
from cambrian.testing.snapshot import snapshot
from cambrian.testing.suite import Conformance, Suite, Violation, applies, expect
from cambrian.testing.toys import Misfit, toy_task


@dataclass(frozen=True)
class EstimatorCase:
    """An estimator under test, or a function that is one. `builds`: it builds networks, so that limits and
    unbuildable shapes concern it. `noisy`: its outcomes depend on the replicate. `supernet`: it is
    asked to train the supernet of the architecture's outer answers by the method of that name. Keep
    `fidelity` small."""

    estimator: Any
    space: Space
    task: Task | None = field(default_factory=toy_task)
    fidelity: Fidelity = field(default_factory=lambda: Fidelity(epochs=2))
    builds: bool = True
    noisy: bool = True
    supernet: str | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.estimator, "run"):
            object.__setattr__(self, "estimator", Function(self.estimator, builds=self.builds))

    @cached_property
    def architecture(self) -> Architecture:
        return sample(self.space, stream(1, "conformance", 0))

    @cached_property
    def run(self) -> Run:
        """One plain evaluation."""
        return evaluate(self)


@dataclass(frozen=True)
class Run:
    points: list[Point]
    outcome: Any


def evaluate(case: EstimatorCase, task: Task | None = None, space: Space | None = None, **known: Any) -> Run:
    """Run the estimator to its end on `Job.of(..., seed=3, **known)`."""
    estimate = case.estimator.run(make_job(case, task, space, **{"seed": 3, **known}))
    points: list[Point] = []
    while True:
        try:
            points.append(next(estimate))
        except StopIteration as end:
            return Run(points, end.value)


def make_job(case: EstimatorCase, task: Task | None = None, space: Space | None = None, **known: Any) -> Job:
    """The case's request, as a job that knows so much."""
    job = Job.of(space or case.space, case.architecture, case.fidelity, task or case.task, **known)
    if case.supernet is None:
        return job
    method = {"name": case.supernet}
    request = TrainSupernet(case.architecture, method, case.fidelity, replicate=job.replicate)
    return dataclasses.replace(job, request=request)


def check_declarations_are_typed(case: EstimatorCase) -> None:
    """`needs` is a tuple of protocols that the space fulfils, `delivers` a bool, and so is `builds`, as the
    case says."""
    needs, delivers = case.estimator.needs, case.estimator.delivers
    expect(isinstance(needs, tuple) and all(isinstance(n, type) for n in needs), f"needs is {needs!r}")
    expect(
        all(know(case.space, n) is not None for n in needs), "the case's space lacks what the estimator needs"
    )
    expect(isinstance(delivers, bool), f"delivers is {delivers!r}")
    builds = getattr(case.estimator, "builds", None)
    expect(builds is case.builds, f"builds is {builds!r}, and the case says {case.builds}")


def check_settings_are_a_spec(case: EstimatorCase) -> None:
    """Written as JSON and made again, the estimator is equal to itself."""
    spec = Registry("estimator", {}).spec(case.estimator)
    applies(spec is not None, "an estimator without a name lives in this process only")
    again = Registry("estimator", {}).make(json.loads(json.dumps(spec)))
    expect(again == case.estimator, f"made again from {spec} it is another estimator")


def check_outcomes_are_typed_and_finite(case: EstimatorCase) -> None:
    """It ends in an Outcome whose numbers are finite, whose reason is known, whose cost is not negative."""
    outcome = case.run.outcome
    expect(isinstance(outcome, Done | Infeasible | Crashed), f"it ends in {outcome!r:.80}")
    expect(math.isfinite(outcome.seconds) and outcome.seconds >= 0, f"it took {outcome.seconds} seconds")
    if isinstance(outcome, Done):
        wrong = {k: v for k, v in {**outcome.metrics, "value": outcome.value}.items() if not math.isfinite(v)}
        expect(not wrong, f"not finite: {wrong}")
    if isinstance(outcome, Infeasible):
        expect(outcome.reason in REASONS, f"{outcome.reason!r} is no reason ({', '.join(REASONS)})")


def check_the_case_can_be_measured(case: EstimatorCase) -> None:
    """The suite's own architecture ends as Done: otherwise most checks would hold trivially."""
    expect(isinstance(case.run.outcome, Done), f"nothing was measured: {case.run.outcome!r:.200}")


def check_points_ascend(case: EstimatorCase) -> None:
    """Points are `Point`s of finite metrics; steps ascend from 1 to at most the epochs asked for, and
    seconds never go back. The outcome's curve, where it has one, is these points."""
    points = case.run.points
    expect(all(isinstance(p, Point) for p in points), "it yields what is no Point")
    steps = [p.step for p in points]
    expect(all(a < b for a, b in zip([0, *steps], steps)), f"steps {steps} do not ascend from 1")
    expect(not case.builds or max(steps, default=0) <= case.fidelity.epochs, f"steps {steps} beyond the last")
    expect(all(math.isfinite(v) for p in points for v in p.metrics.values()), "a point is not finite")
    seconds = [p.seconds for p in points]
    expect(seconds == sorted(seconds), "seconds go back from a point to the next")
    # An estimator may leave the curve out of its outcome: the coordinator has the points.
    curve = getattr(case.run.outcome, "curve", ())
    expect(not curve or [p.step for p in curve] == steps, "the outcome's curve is not what was yielded")


def check_outcomes_survive_json(case: EstimatorCase) -> None:
    """Encoded and decoded, an outcome is itself."""
    outcome = case.run.outcome
    expect(decode(encode(outcome), Outcome) == outcome, f"JSON changes {outcome!r:.200}")


def check_outcomes_depend_on_seed_and_request_alone(case: EstimatorCase) -> None:
    """Repeated with the same seed, as another row, whatever the global generators and files around it, the
    same request gives the same numbers."""
    # Another row number too: outcomes go by the request, not by when it was made.
    with disturb_generators():
        again = evaluate(case, number=17)
    expect(_plain(again.outcome) == _plain(case.run.outcome), "the same seed and request give other numbers")
    expect(list(map(_plain, again.points)) == list(map(_plain, case.run.points)), "other points")


def check_replicates_have_noise_of_their_own(case: EstimatorCase) -> None:
    """Other replicates and other seeds give other numbers: a replicate is another measurement."""
    applies(case.noisy, "what this estimator says is the same each time")
    first = _plain(case.run.outcome)
    others: tuple[dict[str, Any], ...] = ({"replicate": 1}, {"seed": 4})
    for known in others:
        expect(_plain(evaluate(case, **known).outcome) != first, f"with {known} the numbers are the same")


def check_the_test_split_is_not_looked_at(case: EstimatorCase) -> None:
    """In stage "search" other images and labels in the test split change nothing."""
    # The oracle for "never looked at": noise in its place changes no digit.
    task = _task(case)
    poisoned = evaluate(case, task=_poison(task, task.test))
    expect(_plain(poisoned.outcome) == _plain(case.run.outcome), "the outcome depends on the test split")
    expect(list(map(_plain, poisoned.points)) == list(map(_plain, case.run.points)), "the curve does")


def check_inputs_are_left_alone(case: EstimatorCase) -> None:
    """An evaluation changes neither the task's arrays, nor the architecture, nor its own settings."""
    held = (case.task, case.architecture, case.estimator)
    before = snapshot(held)
    evaluate(case)
    expect(snapshot(held) == before, "evaluating changed the task, the architecture or the estimator")


def check_limits_come_before_training(case: EstimatorCase) -> None:
    """Beyond a hard limit it ends as Infeasible("limit") without a point, with the number that was measured;
    within, as if there were none."""
    applies(case.builds, "this estimator builds nothing")
    # A limit of 0 is beyond reach for any network, so that no number of the case is needed.
    for name in ("params", "macs", "latency"):
        run = evaluate(case, limits={name: 0.0})
        refused = isinstance(run.outcome, Infeasible) and run.outcome.reason == "limit"
        expect(refused and not run.points, f"with at most 0 {name} it gives {run.outcome!r:.100}")
        expect(run.outcome.metrics.get(name, 0.0) > 0, f"it does not say by how much {name} missed its limit")
    bounds = {"params": 1e12, "macs": 1e18}
    roomy = evaluate(case, limits=bounds).outcome
    # What is bounded is counted, and may stand among the metrics of an outcome that has it for that alone.
    known = getattr(case.run.outcome, "metrics", {})
    metrics = {n: v for n, v in getattr(roomy, "metrics", {}).items() if n in known or n not in bounds}
    roomy = msgspec.structs.replace(roomy, metrics=metrics) if isinstance(roomy, Done | Infeasible) else roomy
    expect(_plain(roomy) == _plain(case.run.outcome), "a limit that is kept changes the outcome")


def check_unbuildable_shapes_are_said(case: EstimatorCase) -> None:
    """Where the space cannot build, it raises Unbuildable or ends in Infeasible("unbuildable")."""
    applies(case.builds, "this estimator builds nothing")
    try:
        outcome = evaluate(case, space=Misfit(case.space)).outcome
    except Unbuildable:
        return
    said = isinstance(outcome, Infeasible) and outcome.reason == "unbuildable"
    expect(said, f"an architecture that cannot be built ends in {outcome!r:.100}")


def check_weights_are_left_when_asked(case: EstimatorCase) -> None:
    """An estimator that delivers leaves weights.safetensors where it is asked to, which fit the network that
    the space builds; one that does not deliver leaves none."""
    with tempfile.TemporaryDirectory() as folder:
        evaluate(case, keep=Path(folder))
        path = Path(folder, WEIGHTS)
        delivers, left = case.estimator.delivers, path.exists()
        expect(left == delivers, f"delivers is {delivers}, and {WEIGHTS} are {'' if left else 'not '}left")
        if delivers:
            _check_weights(case, path)


def check_interrupted_evaluations_resume(case: EstimatorCase) -> None:
    """Stopped after its first point and attempted again with the same checkpoints, it ends with the
    same numbers as if it had not been."""
    with tempfile.TemporaryDirectory() as folder:
        estimate = case.estimator.run(make_job(case, seed=3, checkpoints=Path(folder)))
        # One point, then closed: as a kill between epochs leaves it.
        for _point in zip(range(1), estimate):
            pass
        estimate.close()
        resumed = evaluate(case, checkpoints=Path(folder))
    expect(_plain(resumed.outcome) == _plain(case.run.outcome), "resumed, it ends with other numbers")


def _task(case: EstimatorCase) -> Task:
    applies(case.task is not None, "this estimator needs no data")
    assert case.task is not None
    return case.task


def _poison(task: Task, part: Any) -> Task:
    """The task with noise for the images of `part`, and with other labels."""
    inputs, targets = np.array(task.inputs), np.array(task.targets)
    noise = stream(0, "poison").integers(0, 255, size=inputs[part].shape)
    inputs[part] = noise.astype(inputs.dtype)
    targets[part] = (targets[part] + 1) % task.classes  # every label wrong, all classes still there
    return dataclasses.replace(task, inputs=inputs, targets=targets)


def _plain(value: Any) -> Any:
    """An outcome or a point without seconds, which differ from run to run."""
    if isinstance(value, Point | Infeasible | Done | Crashed):
        fields = {n: _plain(getattr(value, n)) for n in value.__struct_fields__}
        fields.pop("seconds", None)
        return (type(value).__name__, fields)
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if "seconds" not in k}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _check_weights(case: EstimatorCase, path: Path) -> None:
    from safetensors.torch import load_file

    task = _task(case)
    # Built outside of the estimator: weights are for people who have the space and nothing else.
    network = case.space.build(case.architecture, task, **case.fidelity.skeleton)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except RuntimeError as error:
        raise Violation(f"the weights left do not fit the network: {error}") from error


ESTIMATOR = Suite[EstimatorCase](
    "estimator",
    (
        check_declarations_are_typed,
        check_settings_are_a_spec,
        check_outcomes_are_typed_and_finite,
        check_the_case_can_be_measured,
        check_points_ascend,
        check_outcomes_survive_json,
        check_outcomes_depend_on_seed_and_request_alone,
        check_replicates_have_noise_of_their_own,
        check_the_test_split_is_not_looked_at,
        check_inputs_are_left_alone,
        check_limits_come_before_training,
        check_unbuildable_shapes_are_said,
        check_weights_are_left_when_asked,
        check_interrupted_evaluations_resume,
    ),
)


class EstimatorSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> EstimatorCase`."""

    suite = ESTIMATOR
