"""ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (ICML 2018). A controller
is trained beside the supernet, by the accuracy of its children with shared weights; children drawn from the
trained controller are scored at the end (Sec. 2.2). Cells and whole networks are searched alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cambrian.architecture import Architecture, questions, replay, sample
from cambrian.errors import UnknownName, UsageError
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import POSITIVE, SHARE, Span
from cambrian.strategies.one_shot.children import name_function
from cambrian.strategies.one_shot.shared_search import SharedSearch, State, find_known

if TYPE_CHECKING:
    import numpy as np

ASKED = 32
"""Architectures whose questions are looked at for favoured options."""
LOGITS = ("temperature", "tanh", "tanh_reduce", "skip_target", "skip_weight")
"""The settings of the controller's logits."""
ADAM = ("momentum", "epsilon")
"""Those of its steps."""


@dataclass(frozen=True)
class ENAS(SharedSearch):
    """After each epoch the controller takes `updates` steps of `samples` children each, at the rate `lr`;
    `entropy` weighs the entropy of a child's decisions in its reward. `children` that it draws are scored.
    `favoured` options begin with `favour` times the probability of the others: the released code does so for
    the two separable convolutions, by about e^.94, and part of its published result is this prior.

    The controller's logits are divided by `temperature` and bounded by `tanh` times the hyperbolic tangent
    (0: not bounded), those of operations by `tanh` / `tanh_reduce`: so it settles later. `skip_weight` weighs
    how far the probabilities of skip connections are from `skip_target`, in a space that has them as subsets,
    such as enas-macro; in others it changes nothing. The controller learns by Adam, with `momentum` as the
    first beta and `epsilon` beside the root of the second moment."""

    updates: Annotated[int, Span(1, 10_000)] = 10
    samples: Annotated[int, Span(1, 1000)] = 10
    lr: Annotated[float, POSITIVE] = 5e-3
    entropy: Annotated[float, Span(0)] = 1e-4
    favoured: tuple[str, ...] = ()
    favour: Annotated[float, POSITIVE] = 2.56
    temperature: Annotated[float, POSITIVE] = 1.0
    tanh: Annotated[float, Span(0)] = 0.0
    tanh_reduce: Annotated[float, POSITIVE] = 1.0
    skip_target: Annotated[float, Span(0, 1, above=True, below=True)] = 0.4
    skip_weight: Annotated[float, Span(0)] = 0.0
    momentum: Annotated[float, SHARE] = 0.9
    epsilon: Annotated[float, POSITIVE] = 1e-8

    @staticmethod
    def paper() -> ENAS:
        """50 steps of 20 children an epoch, Adam at .001 without momentum and with an epsilon of .001 (the
        released code). Logits at the temperature 5, bounded by 2.5; skips at .4, weighed by .8 (Sec. 3.2).
        The released code has no temperature, and bounds of 1.5 in its macro space and, with the reduction 2.5
        and 30 steps of 10 children at .0035, of 1.1 in its micro space."""
        return ENAS(
            updates=50,
            samples=20,
            lr=1e-3,
            temperature=5.0,
            tanh=2.5,
            skip_weight=0.8,
            momentum=0.0,
            epsilon=1e-3,
        )

    @property
    def method(self) -> dict[str, Any]:
        names = ("updates", "samples", "lr", "entropy", "favour", *LOGITS)
        settings = {name: getattr(self, name) for name in names}
        settings |= {"drawn": self.children, "favoured": list(self.favoured)}
        # Left out at their defaults, so that supernets of older requests are still the same.
        settings |= {name: getattr(self, name) for name in ADAM if getattr(self, name) != getattr(ENAS, name)}
        return {"name": "enas", "arguments": settings}

    def start(self, problem: Problem) -> State:
        """Raises UnknownName for a favoured option that the space never offers."""
        if self.favoured:
            _check_favoured(problem, self.favoured)
        return super().start(problem)

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        known = find_known(state, pending)
        for answers in state.training.data.get("drawn", []):
            child = _read_child(state, answers)
            if child is not None and name_function(state.problem.space, child) not in known:
                return child
        return None


def _check_favoured(problem: Problem, favoured: Sequence[str]) -> None:
    """Among the options of random architectures, of which some few ask every question."""
    offered = set[str]()
    for number in range(ASKED):
        drawn = sample(problem.space, stream(problem.seed, "favoured", number))
        for choice in questions(problem.space, drawn):
            offered |= {o for o in getattr(choice, "options", ()) if isinstance(o, str)}
    for name in favoured:
        if name not in offered:
            raise UnknownName("option among favoured", name, offered)


def _read_child(state: State, answers: Mapping[str, Any]) -> Architecture | None:
    """A child that the controller drew; None for one that is not in the space."""
    try:
        return replay(state.problem.space, Architecture.from_json(answers))
    except UsageError:
        return None
