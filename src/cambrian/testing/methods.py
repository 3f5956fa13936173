"""The suite for ways to train a supernet: seeded steps that can be interrupted, and gates that learn from the
data."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture, replay, sample
from cambrian.choices import Scalar
from cambrian.codec import encode
from cambrian.estimators.estimator import Job
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.request import TrainSupernet
from cambrian.spaces.knowledge import Mixes, Site
from cambrian.spaces.space import Space
from cambrian.testing.disturbance import disturb_generators
from cambrian.testing.suite import Conformance, Suite, applies, expect, know_or_skip
from cambrian.testing.toys import toy_task

if TYPE_CHECKING:
    from torch import Tensor

    from cambrian.tasks.task import Task

FEW = 2
"""Steps of the checks that need no gates to have learned."""


@dataclass(frozen=True)
class MethodCase:
    """A way to train a supernet under test, as an object, a name or a spec, on a space whose networks it can
    train. `steps` of an epoch each are enough for all gates to learn something: keep the networks small by
    `skeleton`, and give the method settings with which it passes through its phases in so many epochs."""

    method: Any
    space: Space
    skeleton: dict[str, Scalar] = field(default_factory=dict)
    steps: int = 6

    @property
    def spec(self) -> dict[str, Any]:
        """The method as a run's ledger names it."""
        if isinstance(self.method, str | Mapping):
            return {"name": self.method} if isinstance(self.method, str) else dict(self.method)
        spec = Registry("supernet method", {}).spec(self.method)
        expect(
            spec is not None,
            "a method is known by its name in every process: make it a dataclass of a module",
        )
        assert spec is not None
        return spec

    @cached_property
    def answers(self) -> Architecture:
        """An architecture whose outer answers the supernet is made for, as strategies ask for one."""
        return sample(self.space, stream(1, "conformance", 0))

    @property
    def mixes(self) -> Mixes:
        return know_or_skip(self.space, Mixes, "the space's supernet is not mixed")

    @cached_property
    def sites(self) -> Mapping[str, Site]:
        return self.mixes.list_sites(self.answers)

    @cached_property
    def trained(self) -> Play:
        """All steps, taken once."""
        return Play(self).go_on(self.steps)


class Play:
    """A supernet with its first weights, and the step that trains it, `done` times so far."""

    def __init__(self, case: MethodCase, task: Task | None = None) -> None:
        from cambrian.estimators.one_shot import OneShot
        from cambrian.estimators.supernets import make_supernet
        from cambrian.estimators.training_data import training_images
        from cambrian.networks.training.augment import Augment
        from cambrian.networks.training.batch_stream import BatchStream

        task = task or toy_task()
        recipe = OneShot(batch_size=16, paths=1, statistics_batches=1)
        fidelity = Fidelity(case.steps, skeleton=case.skeleton)
        job = Job.of(case.space, case.answers, fidelity, task, seed=3)
        job = dataclasses.replace(job, request=TrainSupernet(case.answers, case.spec, fidelity))
        self.case, self.done = case, 0
        self.supernet = make_supernet(job, task, case.answers)
        self.step: Any = recipe.make_method(job, task, self.supernet)
        images = training_images(task, fidelity, "search", job.seed, "cpu")
        self.batches = BatchStream(images, Augment(), recipe.batches(len(images)), (job.seed, "training"))

    def take(self) -> Tensor:
        """One step more, on the next batch, seeded as the trainer does; its loss."""
        import torch

        from cambrian.networks.training.step import Moment

        inputs, targets = self.batches.batch(*divmod(self.done, self.batches.steps))
        held = inputs.clone(), targets.clone()
        torch.default_generator.manual_seed(self.done)
        loss: Tensor = self.step.take(inputs, targets, Moment(self.done, 0, 1, self.case.steps))
        expect(torch.equal(held[0], inputs) and torch.equal(held[1], targets), "a step changes its batch")
        self.done += 1
        return loss

    def go_on(self, until: int) -> Play:
        while self.done < until:
            self.take()
        return self

    def state(self) -> dict[str, Tensor]:
        """Copies of the tensors that later steps depend on, but for the supernet's."""
        return {name: tensor.detach().clone() for name, tensor in self.step.state().items()}

    def gates(self) -> dict[str, list[float]]:
        from cambrian.networks.sharing.methods.method import HasGates

        applies(isinstance(self.step, HasGates), "the method has no gates")
        gates: dict[str, list[float]] = self.step.gates()
        return gates

    def describe(self) -> bytes:
        """Gates and data, as an outcome has them."""
        facts = [getattr(self.step, name)() for name in ("gates", "data") if hasattr(self.step, name)]
        return encode(facts)


def check_settings_are_a_spec(case: MethodCase) -> None:
    """Written as JSON and made again, the method is equal to itself."""
    from cambrian.networks.sharing.methods import SUPERNET_METHODS

    one, other = (SUPERNET_METHODS.make(json.loads(json.dumps(case.spec))) for _ in range(2))
    expect(one == other, f"made twice from {case.spec} it is not equal to itself")
    applies(not isinstance(case.method, str | Mapping), "the case names the method")
    expect(one == case.method, f"made again from {case.spec} it is another method")


def check_steps_learn(case: MethodCase) -> None:
    """A step returns a finite loss without dimensions and gradient, says whether it goes by the training's
    length, and weights change."""
    import torch

    play = Play(case)
    before = {name: p.detach().clone() for name, p in play.supernet.named_parameters()}
    for _ in range(FEW):
        loss = play.take()
        expect(
            isinstance(loss, torch.Tensor) and loss.shape == (),
            f"a step returns {loss!r:.80}, and no loss []",
        )
        expect(
            not loss.requires_grad, "the loss of a step is not detached: each would keep its graph in memory"
        )
        expect(bool(torch.isfinite(loss)), f"the loss is {float(loss)}")
    expect(isinstance(play.step.prefix, bool), f"prefix is {play.step.prefix!r}, and no bool")
    changed = any(not torch.equal(before[name], p) for name, p in play.supernet.named_parameters())
    expect(changed, f"{FEW} steps change no weight of the supernet")


def check_steps_depend_on_seed_and_batches_alone(case: MethodCase) -> None:
    """Trained twice, whatever the global generators, it ends with the same weights, state and gates."""
    one = Play(case).go_on(FEW)
    with disturb_generators():
        other = Play(case).go_on(FEW)
    _check_sameness(one, other, "trained twice with the same seed")


def check_interrupted_trainings_resume(case: MethodCase) -> None:
    """A new step that is given the state and the weights of one that was interrupted goes on as that would
    have."""
    import torch

    whole = Play(case).go_on(FEW)
    weights = {name: tensor.clone() for name, tensor in whole.supernet.state_dict().items()}
    state = whole.state()
    wrong = [name for name, tensor in state.items() if not isinstance(tensor, torch.Tensor)]
    expect(not wrong, f"of the state {wrong} are no tensors")
    resumed = Play(case)
    resumed.supernet.load_state_dict(weights)
    resumed.step.restore(state)
    resumed.done = whole.done
    _check_sameness(whole.go_on(2 * FEW), resumed.go_on(2 * FEW), "interrupted and restored from its state")


def check_what_it_says_is_plain(case: MethodCase) -> None:
    """Gates and data are small JSON with finite numbers, or None."""
    text = case.trained.describe()
    json.dumps(json.loads(text), allow_nan=False)
    expect(len(text) < 1_000_000, f"gates and data are {len(text)} bytes of JSON")


def check_gates_are_of_the_sites(case: MethodCase) -> None:
    """At the beginning and the end, each site of the space has gates, one number for each option, finite and
    not negative; sites of edges may be left out. The architecture that the space derives of them is legal."""
    for play in (Play(case), case.trained):
        gates = play.gates()
        unknown = [name for name in gates if name not in case.sites]
        missing = [name for name, site in case.sites.items() if name not in gates and not site.edges]
        expect(not unknown, f"there is no site {unknown[:3]} in this space")
        expect(not missing, f"the sites {missing[:3]} have no gates")
        for name, numbers in gates.items():
            options = len(case.sites[name].options)
            expect(len(numbers) == options, f"site {name!r} has {options} options and {len(numbers)} gates")
            sound = all(math.isfinite(number) and number >= 0 for number in numbers)
            expect(sound, f"gates are probabilities of options: those of {name!r} are {numbers}")
        derived = case.mixes.derive(gates, case.answers)
        expect(replay(case.space, derived) == derived, f"the gates lead to {derived!r}, which is not legal")


def check_gates_learn_from_the_data(case: MethodCase) -> None:
    """With other labels the gates of every site become others: the loss reaches them all."""
    task = toy_task()
    # Drawn anew: labels that are only renamed can be learned by the same operations.
    labels = stream(0, "other labels").integers(0, task.classes, len(task.targets)).astype(np.int64)
    other = Play(case, dataclasses.replace(task, targets=labels)).go_on(case.steps).gates()
    gates = case.trained.gates()
    # Of a site that was decided on the way the one option that is left may be the same.
    open_sites = {name: numbers for name, numbers in gates.items() if sum(map(bool, numbers)) > 1}
    still = [name for name, numbers in open_sites.items() if other[name] == numbers]
    expect(
        not still,
        f"{case.steps} steps teach the gates of {len(still)} of {len(gates)} sites nothing, such as"
        f" {still[:1]}: their gradient is not connected",
    )


def _check_sameness(one: Play, other: Play, where: str) -> None:
    import torch

    expect(one.describe() == other.describe(), f"{where}, it has other gates or data")
    pairs = (
        ("weights", one.supernet.state_dict(), other.supernet.state_dict()),
        ("state", one.state(), other.state()),
    )
    for what, ours, theirs in pairs:
        expect(ours.keys() == theirs.keys(), f"{where}, its {what} have other names")
        # NaN stands for what was not measured, such as a curvature.
        same = {n: torch.allclose(t, theirs[n], rtol=0, atol=0, equal_nan=True) for n, t in ours.items()}
        apart = [name for name in same if not same[name]]
        expect(not apart, f"{where}, its {what} are others, such as {apart[:1]}")


METHOD = Suite[MethodCase](
    "supernet method",
    (
        check_settings_are_a_spec,
        check_steps_learn,
        check_steps_depend_on_seed_and_batches_alone,
        check_interrupted_trainings_resume,
        check_what_it_says_is_plain,
        check_gates_are_of_the_sites,
        check_gates_learn_from_the_data,
    ),
)


class MethodSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> MethodCase`."""

    suite = METHOD
