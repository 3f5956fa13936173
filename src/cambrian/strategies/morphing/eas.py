"""EAS: Cai, Chen, Zhang, Yu & Wang, "Efficient Architecture Search by Network Transformation" (AAAI 2018,
arXiv 1707.04873).

A controller reads a trained network as a sequence and transforms it: a Net2Wider actor decides for all layers
at once which become wider, a Net2Deeper actor where a layer is put in and which one. Children begin with the
function of the network and are trained for a few epochs; the controller learns by REINFORCE from tan(pi / 2
accuracy). After some episodes the best network becomes the one that is transformed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Trial
from cambrian.policies.decisions import worse
from cambrian.problem import Problem
from cambrian.settings import COUNT, POSITIVE, Span
from cambrian.spaces.knowledge import Morphs
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.children import lengthen, morphs_of, row_of
from cambrian.strategies.morphing.sites import Site, apply_edits, list_sites, read_tokens
from cambrian.strategies.settings import check_settings, check_weights
from cambrian.strategies.strategy import Evaluate, Proposal, Wait
from cambrian.weights import MORPHISM, Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.strategies.morphing.eas_actors import Step
    from cambrian.strategies.morphing.named_weights import NamedWeights

DEEPEN, WIDEN = "deepen", "widen"
TRIES = 10
"""Draws of a child that this episode does not have before one of them is trained again."""
DECAY = 0.95
"""Of the baseline: ema += DECAY * (mean reward - ema), as in the released code."""

Known = dict[tuple[str, Architecture], list[Site]]
"""The sites that are listed already, by actor and architecture."""
Walk = tuple[tuple[Any, ...], ...]
"""The steps that made a child, as its trial remembers them (see `eas_actors.Step`)."""


@dataclass(frozen=True, eq=False)
class State:
    """`leader` is the network that is transformed, None before the first one is trained, and `best` the best
    one so far. Of the present `episode`, `walks` are those of the children that are learned, with their
    rewards."""

    problem: Problem
    controller: NamedWeights | None = None
    leader: Member | None = None
    best: Member | None = None
    episode: int = 0
    walks: tuple[tuple[Walk, float | None], ...] = ()
    baseline: float = 0.0
    worst: float | None = None
    architectures: frozenset[Architecture] = frozenset()  # of this episode


@dataclass(frozen=True)
class EAS:
    """Each of an episode's `networks` is the leader after `wider` steps of the Net2Wider actor and `deeper`
    ones of the Net2Deeper actor. After every `stage` episodes the best network leads. `epochs` are those of a
    child and `first_epochs` those of the first network; None: as many as the search trains a network for.
    `hidden` are the units of the encoder in each direction; `lr` is Adam's, `entropy` the weight of the
    entropy.

    In a space without widths, the Net2Wider actor decides on its other morphisms that change a layer where it
    is: larger kernels, branches, skips. The first network is the smallest of the space."""

    networks: Annotated[int, COUNT] = 5
    wider: Annotated[int, Span(0, 100)] = 1
    deeper: Annotated[int, Span(0, 100)] = 1
    stage: Annotated[int, COUNT] = 2
    epochs: Annotated[int | None, Span(1)] = None
    first_epochs: Annotated[int | None, Span(1)] = None
    embedding: Annotated[int, Span(1, 1000)] = 16
    hidden: Annotated[int, Span(1, 1000)] = 50
    lr: Annotated[float, POSITIVE] = 2e-3
    entropy: Annotated[float, Span(0)] = 1e-5
    needs: ClassVar[tuple[type, ...]] = (Morphs,)
    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        weights = 8 * self.hidden * (self.embedding + self.hidden) + 32 * self.hidden**2
        check_weights(self, weights, f"{self.hidden} units in each direction")

    @staticmethod
    def paper() -> EAS:
        """10 networks in an episode, 4 wider and 5 deeper steps, 20 epochs each, and a new start after 300
        networks (Sec. "Experiments" and the released code)."""
        return EAS(networks=10, wider=4, deeper=5, stage=30, epochs=20, first_epochs=20)

    def start(self, problem: Problem) -> State:
        return State(problem)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.leader is None:
            return Wait() if pending else self._begin(state, rng)
        current = [t for t in pending if t.memory.get("episode") == state.episode]
        place = len(state.walks) + len(current)
        if place >= self.networks:
            return Wait()
        taken = state.architectures | {t.architecture for t in current}
        return self._transform(state, state.leader, place, taken, rng)

    def learn(self, state: State, trial: Trial) -> State:
        if trial.memory.get("episode") != state.episode:
            return state
        member = replace(Member.of(trial), number=row_of(trial))
        failed = member.value == -math.inf
        known = state.architectures | {member.architecture}
        if state.leader is None:  # a first network that failed is followed by a random one
            first = None if failed else member
            return replace(state, leader=first, best=first, architectures=known, episode=0 if failed else 1)
        best = state.best if state.best and state.best.value >= member.value else member
        walks = (*state.walks, (trial.memory["steps"], None if failed else member.value))
        worst = worse(trial, state.worst)
        state = replace(state, walks=walks, best=best, architectures=known, worst=worst)
        return state if len(walks) < self.networks else self._end_episode(state)

    def keeps(self, state: State) -> list[int]:
        """The rows of the network that is transformed and of the best one."""
        return sorted({member.number for member in (state.leader, state.best) if member is not None})

    def _begin(self, state: State, rng: np.random.Generator) -> Evaluate:
        problem, tried = state.problem, state.architectures
        first = sample(problem.space, rng) if tried else trivial(problem.space, problem.seed)
        fidelity = lengthen(problem, self.first_epochs)
        return Evaluate(first, fidelity, reason={"episode": 0}, memory={"episode": 0})

    def _transform(
        self,
        state: State,
        leader: Member,
        place: int,
        taken: frozenset[Architecture],
        rng: np.random.Generator,
    ) -> Evaluate:
        """A child that the actors make; the leader itself where nothing else comes of it."""
        known: Known = {}
        for _ in range(TRIES):
            child, steps = self._walk(state, leader.architecture, known, rng)
            if child not in taken and child != leader.architecture:
                break
        repeats = child in taken or child == leader.architecture
        return Evaluate(
            child,
            lengthen(state.problem, self.epochs),
            parent=leader.number,
            replicate=state.episode * self.networks + place if repeats else 0,
            weights=Inherit(leader.number, MORPHISM),
            reason={"episode": state.episode, "transformations": [step.actor for step in steps]},
            memory={"episode": state.episode, "steps": steps},
        )

    def _walk(
        self, state: State, architecture: Architecture, known: Known, rng: np.random.Generator
    ) -> tuple[Architecture, list[Step]]:
        from cambrian.strategies.morphing.eas_actors import DEEPER, WIDER

        steps: list[Step] = []
        for actor in (WIDER,) * self.wider + (DEEPER,) * self.deeper:
            architecture, step = self._step(state, actor, architecture, known, rng)
            steps += [] if step is None else [step]
        return architecture, steps

    def _step(
        self, state: State, actor: str, architecture: Architecture, known: Known, rng: np.random.Generator
    ) -> tuple[Architecture, Step | None]:
        """The architecture after one decision of an actor; None where there is nothing to decide."""
        import torch

        from cambrian.one_thread import one_thread
        from cambrian.strategies.morphing.decided import Decided, draw_by
        from cambrian.strategies.morphing.eas_actors import Offer, Step, act
        from cambrian.strategies.morphing.named_weights import Reader

        if (actor, architecture) not in known:
            morphing = morphs_of(state.problem.space)
            kinds = list_kinds(morphing, actor)
            sites = [site for kind in kinds for site in list_sites(morphing, kind, architecture)]
            known[actor, architecture] = sites
        sites = known[actor, architecture]
        if not sites:
            return architecture, None
        offers = tuple(Offer(site.token, site.name, tuple(site.children)) for site in sites)
        step, decided = Step(actor, read_tokens(architecture), offers), Decided(draw_by(rng))
        with one_thread(), torch.no_grad():
            choices = act(Reader(self._controller(state)), step, self._sizes, decided)
        children = [sites[place].children[offers[place].variants[variant]] for place, variant in choices]
        edited = apply_edits(state.problem.space, architecture, children, rng)
        return edited, step._replace(taken=tuple(decided.taken))

    def _end_episode(self, state: State) -> State:
        """The state at the beginning of the next episode, with a controller that has learned from this
        one."""
        from cambrian.strategies.morphing.named_weights import shape_reward

        # A child that failed counts as the worst known; while none has a value, there is nothing to learn.
        scored = [(w, state.worst if value is None else value) for w, value in state.walks]
        pairs = [(walk, shape_reward(value)) for walk, value in scored if value is not None]
        controller, baseline = state.controller, state.baseline
        if pairs:
            baseline = move_baseline(baseline, [reward for _, reward in pairs])
            better = [reward - baseline for _, reward in pairs]
            controller = self._improve(self._controller(state), [walk for walk, _ in pairs], better)
        moves_on = state.episode % self.stage == 0
        return State(
            state.problem,
            controller,
            state.best if moves_on else state.leader,
            state.best,
            state.episode + 1,
            baseline=baseline,
            worst=state.worst,
        )

    def _improve(
        self, controller: NamedWeights, walks: Sequence[Walk], better: Sequence[float]
    ) -> NamedWeights:
        """REINFORCE: uphill by the log-probabilities of walks, each weighted by its reward above the
        baseline."""
        import torch
        from torch import Tensor

        from cambrian.strategies.morphing.decided import Decided, repeat
        from cambrian.strategies.morphing.eas_actors import Step, act
        from cambrian.strategies.morphing.named_weights import Reader, ascend

        def measure(read: Reader) -> Tensor:
            total = torch.zeros((), dtype=torch.float64)
            for walk, weight in zip(walks, better, strict=True):
                for step in map(Step.of, walk):
                    decided = Decided(repeat(step.taken))
                    act(read, step, self._sizes, decided)
                    total = total + weight * decided.log_probability + self.entropy * decided.entropy
            return total / len(walks)

        return ascend(controller, measure, self.lr) if any(walks) else controller

    def _controller(self, state: State) -> NamedWeights:
        from cambrian.strategies.morphing.named_weights import NamedWeights

        return state.controller or NamedWeights(state.problem.seed, "eas")

    @property
    def _sizes(self) -> Any:
        from cambrian.strategies.morphing.eas_actors import Sizes

        return Sizes(self.embedding, self.hidden)


def list_kinds(morphing: Morphs, actor: str) -> tuple[str, ...]:
    """The morphisms that an actor decides on."""
    if actor == "deeper":
        return (DEEPEN,) if DEEPEN in morphing.morphs else ()
    others = tuple(kind for kind in morphing.morphs if kind != DEEPEN)
    return (WIDEN,) if WIDEN in others else others


def move_baseline(baseline: float, rewards: Sequence[float]) -> float:
    """The baseline after an episode, which that episode's own rewards are held against.

    >>> round(move_baseline(0.0, [0.2, 0.4]), 4)
    0.285
    """
    return baseline + DECAY * (sum(rewards) / len(rewards) - baseline)
