"""Strategies that live on each kind of weights, and a space of forks that they share. Subprocesses import
this module by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cambrian import space
from cambrian.architecture import Architecture, sample
from cambrian.outcome import Done, Fidelity, Point, Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.evolution.population import mutate_or_draw
from cambrian.weights import Continue, Fresh, Inherit, Shared


@space(task=Shape(2, 8, 8, 3))
def forked(pick, task, *, filters=4):
    """Two forks of modules that keep the shape, and a width that is outer."""
    from torch import nn

    width = filters * pick("widen", [1, 2])

    def conv(kernel):
        def make():
            return nn.Sequential(
                nn.Conv2d(width, width, kernel, padding=kernel // 2), nn.BatchNorm2d(width), nn.ReLU()
            )

        return make

    ways = {"one": conv(1), "three": conv(3), "nothing": nn.Identity}
    stem = nn.Conv2d(task.channels, width, 3, padding=1)
    first, second = pick.module("first", ways), pick.module("second", ways)
    head = nn.Linear(width, task.classes)
    return nn.Sequential(stem, first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), head)


@dataclass(frozen=True)
class Trials:
    """A state: all trials that were learned."""

    space: Any
    known: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Base:
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> Trials:
        return Trials(problem.space)

    def learn(self, state: Trials, trial: Trial) -> Trials:
        return replace(state, known=(*state.known, trial))


@dataclass(frozen=True)
class Halving(Base):
    """`width` architectures for one epoch; the best third of each rung goes on for three times as long."""

    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue)
    width: int = 9
    epochs: tuple[int, ...] = (1, 3, 9)

    def propose(self, state: Trials, pending: Sequence[Trial], rng: Any) -> Proposal:
        for rung, epochs in enumerate(self.epochs):
            here = [t for t in (*state.known, *pending) if t.reason["rung"] == rung]
            wanted = self._chosen(state, rung)
            if wanted is None:
                return Wait()
            if len(here) < len(wanted):
                parent = wanted[len(here)]
                architecture = sample(state.space, rng) if parent is None else parent.architecture
                weights = Fresh() if parent is None else Continue(parent.number)
                return Evaluate(architecture, Fidelity(epochs), weights=weights, reason={"rung": rung})
        return Stop("the last rung is full")

    def _chosen(self, state: Trials, rung: int) -> list[Trial | None] | None:
        """Whom a rung is for; None while the one below is not complete."""
        if rung == 0:
            return [None] * self.width
        below = [t for t in state.known if t.reason["rung"] == rung - 1]
        size = self.width // 3 ** (rung - 1)
        if len(below) < size:
            return None
        scored = [t for t in below if t.value is not None]
        return sorted(scored, key=lambda t: (-t.value, t.number))[: max(1, size // 3)]


@dataclass(frozen=True)
class Promoting(Base):
    """ASHA in small: whoever is among the best third of a rung goes on, as soon as that is known."""

    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue)
    order: ClassVar[str] = "arrival"
    epochs: tuple[int, ...] = (1, 3, 9)
    trials: int = 60

    def propose(self, state: Trials, pending: Sequence[Trial], rng: Any) -> Proposal:
        if len(state.known) + len(pending) >= self.trials:
            return Wait() if pending else Stop("enough")
        gone = {t.parent for t in (*state.known, *pending)}
        for rung in reversed(range(len(self.epochs) - 1)):
            here = [t for t in state.known if t.reason["rung"] == rung and t.value is not None]
            best = sorted(here, key=lambda t: (-t.value, t.number))[: len(here) // 3]
            for trial in best:
                if trial.number not in gone:
                    return Evaluate(
                        trial.architecture,
                        Fidelity(self.epochs[rung + 1]),
                        parent=trial.number,
                        weights=Continue(trial.number),
                        reason={"rung": rung + 1},
                    )
        return Evaluate(sample(state.space, rng), Fidelity(self.epochs[0]), reason={"rung": 0})

    def keeps(self, state: Trials) -> list[int]:
        """Trials that may still be promoted."""
        gone = {t.parent for t in state.known}
        return [t.number for t in state.known if t.number not in gone and t.reason["rung"] < 2]


@dataclass(frozen=True)
class Inheriting(Base):
    """A child of the best so far, which begins with its weights."""

    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)

    def propose(self, state: Trials, pending: Sequence[Trial], rng: Any) -> Proposal:
        scored = [t for t in state.known if t.value is not None]
        if len(scored) < 2:
            return Evaluate(sample(state.space, rng))
        best = max(scored, key=lambda t: (t.value, -t.number))
        child = mutate_or_draw(state.space, best.architecture, rng)
        return Evaluate(child, parent=best.number, weights=Inherit(best.number))


@dataclass(frozen=True)
class Sharing(Base):
    """A supernet, then random architectures with its weights."""

    requests: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Shared)
    method: str = "uniform"

    def propose(self, state: Trials, pending: Sequence[Trial], rng: Any) -> Proposal:
        if not state.known and not pending:
            return TrainSupernet(sample(state.space, rng), {"name": self.method})
        if not state.known:
            return Wait()
        outer = state.known[0].architecture["widen"]
        drawn = Architecture({**sample(state.space, rng), "widen": outer})
        return Evaluate(drawn, weights=Shared(0))


@dataclass(frozen=True)
class Sleeps:
    """A value by the architecture after `unit` seconds for each epoch; the weights are a text."""

    unit: float = 0.001
    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue, Inherit)
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Any) -> Any:
        import time

        from mocks import truth

        begun = 0
        if isinstance(job.request.weights, Continue) and "epochs.json" in job.artifacts:
            begun = int(job.artifacts["epochs.json"].read_text())
        time.sleep(self.unit * (job.fidelity.epochs - begun))
        if job.keep is not None:
            (job.keep / "epochs.json").write_text(str(job.fidelity.epochs))
        value = truth(job.architecture, job.seed) * (1 - 0.5**job.fidelity.epochs)
        yield Point(job.fidelity.epochs, {"value": value})
        return Done(value)
