"""Estimators that break one promise each. `Quick`, which they vary, breaks none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cambrian.errors import Unbuildable
from cambrian.estimators.build import build_network
from cambrian.estimators.job import Job
from cambrian.outcome import Done, Infeasible, Point
from cambrian.randomness import stream


@dataclass(frozen=True)
class Quick:
    """Builds the network, and measures the validation images' brightness instead of training it."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = True

    def run(self, job: Job) -> Any:
        network = build_network(job)
        if isinstance(network, Infeasible):
            return network
        curve = []
        for step in range(1, job.fidelity.epochs + 1):
            curve.append(Point(step, {"value": step / 10}, step / 1000))
            yield curve[-1]
        self.leave(network, job)
        return Done(self.value(job.task, job), {"steps": 2.0}, tuple(curve), 0.1)

    def value(self, task: Any, job: Job) -> float:
        noise = stream(job.seed, "trial", job.identity).random()
        return float(task.inputs[task.validation].mean() / 255 + noise)

    def leave(self, network: Any, job: Job) -> None:
        if job.keep is None:
            return
        from safetensors.torch import save_file

        weights = {k: v.contiguous() for k, v in network.state_dict().items()}
        save_file(weights, job.keep / "weights.safetensors")


def ended(estimate: Any) -> Any:
    """The outcome of an estimate, run through."""
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class LooksAtTheTest(Quick):
    """Measures on the test images too."""

    def value(self, task: Any, job: Job) -> float:
        return super().value(task, job) + float(task.inputs.mean())


@dataclass(frozen=True)
class CountsTestLabels(Quick):
    """Does without the images, but not without the test labels."""

    def value(self, task: Any, job: Job) -> float:
        return super().value(task, job) + float((task.targets * np.arange(len(task.targets))).mean())


@dataclass(frozen=True)
class Unseeded(Quick):
    """Noise that nobody can repeat."""

    def value(self, task: Any, job: Job) -> float:
        return float(np.random.default_rng().random())


@dataclass(frozen=True)
class GlobalNoise(Quick):
    """Noise from a generator that others draw from."""

    def value(self, task: Any, job: Job) -> float:
        return float(np.random.random())


@dataclass(frozen=True)
class NumberedNoise(Quick):
    """Noise by the number of its row: the same request gives something else where it stands elsewhere."""

    def value(self, task: Any, job: Job) -> float:
        return float(stream(job.seed, "trial", job.number).random())


@dataclass(frozen=True)
class SameNoise(Quick):
    """The same noise in every trial."""

    def value(self, task: Any, job: Job) -> float:
        return 0.5


@dataclass(frozen=True)
class SeedBlind(Quick):
    """Noise that does not depend on the run's seed."""

    def value(self, task: Any, job: Job) -> float:
        return float(stream(0, "trial", job.identity).random())


@dataclass(frozen=True)
class NotFinite(Quick):
    """A metric that is not a number."""

    def run(self, job: Job) -> Any:
        return Done(0.5, {"loss": float("nan")})
        yield


@dataclass(frozen=True)
class BareNumber(Quick):
    """A number where an outcome is expected."""

    def run(self, job: Job) -> Any:
        return 0.5
        yield


@dataclass(frozen=True)
class OddReason(Quick):
    """Infeasible for a reason that nobody knows."""

    def run(self, job: Job) -> Any:
        return Infeasible("bored")
        yield


@dataclass(frozen=True)
class NothingWorks(Quick):
    """Infeasible, always."""

    def run(self, job: Job) -> Any:
        return Infeasible("oom")
        yield


@dataclass(frozen=True)
class Backwards(Quick):
    """A curve that goes back."""

    def run(self, job: Job) -> Any:
        for step in (2, 1):
            yield Point(step, {"value": 0.5})
        return Done(0.5)


@dataclass(frozen=True)
class EndlessCurve(Quick):
    """More epochs than were asked for."""

    def run(self, job: Job) -> Any:
        for step in (1, 2, 3):
            yield Point(step, {"value": 0.5})
        return Done(0.5)


@dataclass(frozen=True)
class ListedCurve(Quick):
    """A curve that comes back from JSON as another type."""

    def run(self, job: Job) -> Any:
        outcome = ended(super().run(job))
        return Done(outcome.value, outcome.metrics, list(outcome.curve))
        yield


@dataclass(frozen=True)
class IgnoresLimits(Quick):
    """Does not look at the limits."""

    def run(self, job: Job) -> Any:
        import dataclasses

        free = dataclasses.replace(job, problem=dataclasses.replace(job.problem, limits=()))
        return (yield from super().run(free))


@dataclass(frozen=True)
class LateLimits(Quick):
    """Looks at the limits when it has trained."""

    def run(self, job: Job) -> Any:
        outcome = ended(super().run(job))
        yield Point(1, {"value": 0.1})
        return outcome


@dataclass(frozen=True)
class SilentLimits(Quick):
    """Refuses what is over a limit, and does not say by how much."""

    def run(self, job: Any) -> Any:
        outcome = yield from super().run(job)
        return Infeasible("limit", outcome.detail) if isinstance(outcome, Infeasible) else outcome


@dataclass(frozen=True)
class Swallows(Quick):
    """A number for what cannot be built."""

    def run(self, job: Job) -> Any:
        try:
            return (yield from super().run(job))
        except Unbuildable:
            return Done(0.0)


@dataclass(frozen=True)
class KeepsWeights(Quick):
    """Says that it delivers, and does not."""

    def leave(self, network: Any, job: Job) -> None:
        return None


@dataclass(frozen=True)
class OtherWeights(Quick):
    """Leaves weights of another network."""

    def leave(self, network: Any, job: Job) -> None:
        from torch import nn

        super().leave(nn.Linear(2, 2), job)


@dataclass(frozen=True)
class SecretWeights(Quick):
    """Leaves weights and says that it does not deliver."""

    delivers: ClassVar[bool] = False


@dataclass(frozen=True)
class HidesNetworks(Quick):
    """Says that it builds nothing, so that limits on it would be refused."""

    builds: ClassVar[bool] = False


@dataclass(frozen=True)
class ResumesElsewhere(Quick):
    """Goes on from a checkpoint to other numbers."""

    def run(self, job: Job) -> Any:
        before = job.checkpoints is not None and (job.checkpoints / "seen").exists()
        if job.checkpoints is not None:
            (job.checkpoints / "seen").write_text("")
        outcome = yield from super().run(job)
        return Done(outcome.value + 1, outcome.metrics, outcome.curve) if before else outcome


@dataclass(frozen=True)
class Scribbles(Quick):
    """Changes the task's labels."""

    def value(self, task: Any, job: Job) -> float:
        task.targets[0] += 1
        return super().value(task, job)


BROKEN = [
    (LooksAtTheTest, "the_test_split_is_not_looked_at"),
    (CountsTestLabels, "the_test_split_is_not_looked_at"),
    (Unseeded, "outcomes_depend_on_seed_and_request_alone"),
    (GlobalNoise, "outcomes_depend_on_seed_and_request_alone"),
    (NumberedNoise, "outcomes_depend_on_seed_and_request_alone"),
    (SameNoise, "replicates_have_noise_of_their_own"),
    (SeedBlind, "replicates_have_noise_of_their_own"),
    (NotFinite, "outcomes_are_typed_and_finite"),
    (BareNumber, "outcomes_are_typed_and_finite"),
    (OddReason, "outcomes_are_typed_and_finite"),
    (NothingWorks, "the_case_can_be_measured"),
    (Backwards, "points_ascend"),
    (EndlessCurve, "points_ascend"),
    (ListedCurve, "outcomes_survive_json"),
    (IgnoresLimits, "limits_come_before_training"),
    (LateLimits, "limits_come_before_training"),
    (SilentLimits, "limits_come_before_training"),
    (Swallows, "unbuildable_shapes_are_said"),
    (KeepsWeights, "weights_are_left_when_asked"),
    (OtherWeights, "weights_are_left_when_asked"),
    (SecretWeights, "weights_are_left_when_asked"),
    (HidesNetworks, "declarations_are_typed"),
    (ResumesElsewhere, "interrupted_evaluations_resume"),
    (Scribbles, "inputs_are_left_alone"),
]
