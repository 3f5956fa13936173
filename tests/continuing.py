"""A strategy that continues trainings, and an estimator that sleeps instead of training. Subprocesses import
this module by name, and nothing in it imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cambrian.architecture import sample
from cambrian.outcome import Done, Fidelity, Point, Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate, Proposal, Stop, Wait
from cambrian.weights import Continue, Fresh, Inherit


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
