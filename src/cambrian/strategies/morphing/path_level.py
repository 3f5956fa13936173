"""Path-level transformations: Cai, Yang, Zhang, Han & Yu, "Path-Level Network Transformation for Efficient
Architecture Search" (ICML 2018, arXiv 1806.02639).

A small network is trained. A controller, a tree-structured LSTM, grows its cell into a tree, node by node: a
leaf becomes a motif of branches, an identity an operation. Children begin with the function of the trained
network and are trained for a few epochs; the controller learns by REINFORCE from tan(pi / 2 accuracy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import COUNT, POSITIVE, Span
from cambrian.spaces.knowledge import Morphs, Trees, know
from cambrian.strategies.morphing.episodes import (
    State,
    begin,
    end_episode,
    learn_trial,
    propose_next,
    reinforce,
)
from cambrian.strategies.settings import check_settings, check_weights
from cambrian.strategies.strategy import Evaluate, Proposal, Wait
from cambrian.weights import Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.strategies.morphing.decided import Decided
    from cambrian.strategies.morphing.named_weights import NamedWeights, Reader
    from cambrian.strategies.morphing.tree_actor import Grower


@dataclass(frozen=True)
class PathLevel:
    """Each of an episode's `networks` is a tree that the controller grows, and begins with the weights of the
    first network, whose cell is a single leaf. `epochs` are those of a child and `first_epochs` those of the
    first network; None: as many as the search trains a network for. `hidden` are the units of the LSTM in
    each direction; `lr` is Adam's, `entropy` the weight of the entropy.

    With `pools` operations may be poolings too, which the paper has: they change the function of the network
    that they are put into, where all else keeps it."""

    networks: Annotated[int, COUNT] = 5
    epochs: Annotated[int | None, Span(1)] = None
    first_epochs: Annotated[int | None, Span(1)] = None
    embedding: Annotated[int, Span(1, 1000)] = 16
    hidden: Annotated[int, Span(1, 1000)] = 32
    lr: Annotated[float, POSITIVE] = 6e-3
    entropy: Annotated[float, Span(0)] = 1e-2
    pools: bool = False
    needs: ClassVar[tuple[type, ...]] = (Trees, Morphs)
    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        weights = 4 * self.hidden * (6 * self.hidden + 4 * self.embedding)
        check_weights(self, weights, f"{self.hidden} units in each direction")

    @staticmethod
    def paper() -> PathLevel:
        """10 networks in an update, 20 epochs each, 100 units, Adam at 0.006, an entropy of 0.01, and
        poolings (Sec. 4.1 and the released code)."""
        return PathLevel(networks=10, epochs=20, first_epochs=20, hidden=100, pools=True)

    def start(self, problem: Problem) -> State:
        return State(problem)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.leader is None:
            return Wait() if pending else begin(state, self.first_epochs, rng)
        return propose_next(state, pending, self.networks, self.epochs, lambda: (self._grow(state, rng), {}))

    def learn(self, state: State, trial: Trial) -> State:
        if trial.memory.get("episode") != state.episode:
            return state
        state = learn_trial(state, trial, trial.architecture)
        if len(state.walks) < self.networks:
            return state

        def improve(walks: Sequence[Any], better: Sequence[float]) -> NamedWeights:
            def read_walk(read: Reader, architecture: Architecture) -> Decided:
                return self._read_tree(state, read, architecture)

            return reinforce(self._controller(state), read_walk, walks, better, self.entropy, self.lr)

        return end_episode(state, improve, moves_on=False)

    def recommend(self, state: State) -> list[Architecture]:
        """The best networks by their values, whatever the first one was trained for."""
        return state.recommend()

    def keeps(self, state: State) -> list[int]:
        """The row that children begin with, and the best one."""
        return state.keeps()

    def _grow(self, state: State, rng: np.random.Generator) -> Architecture:
        """A tree that the controller draws."""
        import torch

        from cambrian.one_thread import one_thread
        from cambrian.strategies.morphing.decided import Decided, draw_by
        from cambrian.strategies.morphing.named_weights import Reader
        from cambrian.strategies.morphing.tree_actor import grow

        with one_thread(), torch.no_grad():
            return grow(Reader(self._controller(state)), self._grower(state), Decided(draw_by(rng)))

    def _read_tree(self, state: State, read: Reader, architecture: Architecture) -> Decided:
        """The decisions that made an architecture."""
        from cambrian.strategies.morphing.decided import Decided, repeat
        from cambrian.strategies.morphing.tree_actor import grow, list_taken

        decided = Decided(repeat(list_taken(self._grower(state), architecture)))
        grow(read, self._grower(state), decided)
        return decided

    def _grower(self, state: State) -> Grower:
        from cambrian.strategies.morphing.eas_actors import Sizes
        from cambrian.strategies.morphing.tree_actor import Grower

        trees = know(state.problem.space, Trees)
        assert trees is not None  # see `needs`
        return Grower(state.problem.space, trees, Sizes(self.embedding, self.hidden), self.pools)

    def _controller(self, state: State) -> NamedWeights:
        from cambrian.strategies.morphing.named_weights import NamedWeights

        return state.controller or NamedWeights(state.problem.seed, "path-level")
