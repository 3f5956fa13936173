"""Strategies that live on each kind of weights, and a space of forks that they share. Subprocesses import
this module by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cambrian import space
from cambrian.architecture import Architecture, sample
from cambrian.outcome import Fidelity, Trial
from cambrian.request import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.evolution.population import mutate_or_draw
from cambrian.weights import Continue, Fresh, Inherit, Shared
from continuing import Base as Base
from continuing import Halving as Halving
from continuing import Sleeps as Sleeps
from continuing import Trials as Trials


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
