"""EAS: Cai, Chen, Zhang, Yu & Wang, "Efficient Architecture Search by Network Transformation" (AAAI 2018,
arXiv 1707.04873).

A controller reads a trained network as a sequence and transforms it: a Net2Wider actor decides for all layers
at once which become wider, a Net2Deeper actor where a layer is put in and which one. Children begin with the
function of the network and are trained for a few epochs; the controller learns by REINFORCE from tan(pi / 2
accuracy). After some episodes the best network becomes the one that is transformed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import COUNT, POSITIVE, Span
from cambrian.spaces.knowledge import Morphs
from cambrian.strategies.morphing.children import morphs_of
from cambrian.strategies.morphing.episodes import (
    State,
    begin,
    end_episode,
    learn_trial,
    propose_next,
    reinforce,
)
from cambrian.strategies.morphing.sites import Site, apply_edits, list_sites, read_tokens
from cambrian.strategies.settings import check_settings, check_weights
from cambrian.strategies.strategy import Evaluate, Proposal, Wait
from cambrian.weights import Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.strategies.morphing.decided import Decided
    from cambrian.strategies.morphing.eas_actors import Step
    from cambrian.strategies.morphing.named_weights import NamedWeights, Reader

DEEPEN, WIDEN = "deepen", "widen"

Known = dict[tuple[str, Architecture], list[Site]]
"""The sites that are listed already, by actor and architecture."""


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
            return Wait() if pending else begin(state, self.first_epochs, rng)
        leader = state.leader.architecture
        known: Known = {}

        def draw() -> tuple[Architecture, dict[str, Any]]:
            child, steps = self._walk(state, leader, known, rng)
            return child, {"steps": steps}

        return propose_next(state, pending, self.networks, self.epochs, draw)

    def learn(self, state: State, trial: Trial) -> State:
        if trial.memory.get("episode") != state.episode:
            return state
        state = learn_trial(state, trial, trial.memory.get("steps"))
        if len(state.walks) < self.networks:
            return state
        controller = self._controller(state)

        def improve(walks: Sequence[Any], better: Sequence[float]) -> NamedWeights:
            if not any(walks):
                return controller
            return reinforce(controller, self._read_walk, walks, better, self.entropy, self.lr)

        return end_episode(state, improve, moves_on=state.episode % self.stage == 0)

    def recommend(self, state: State) -> list[Architecture]:
        """The best networks by their values, whatever the first one was trained for."""
        return state.recommend()

    def keeps(self, state: State) -> list[int]:
        """The rows that children may begin with."""
        return state.keeps()

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

    def _read_walk(self, read: Reader, walk: Sequence[Any]) -> Decided:
        """The decisions of a child, as its trial remembers them."""
        from cambrian.strategies.morphing.decided import Decided, repeat
        from cambrian.strategies.morphing.eas_actors import Step, act

        steps = [Step.of(step) for step in walk]
        decided = Decided(repeat([index for step in steps for index in step.taken]))
        for step in steps:
            act(read, step, self._sizes, decided)
        return decided

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
