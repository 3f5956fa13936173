"""A supernet: one network that holds every candidate of its forks and runs as the chosen architecture.

Weight sharing as in ENAS (Pham et al. 2018, arXiv 1802.03268, Sec. 2) and the one-shot model (Bender et
al. 2018, Sec. 3). A method or strategy chooses the architectures. The supernet guarantees that its forward
for an architecture equals that of the architecture's own network with the same weights, bit for bit, and that
candidates that were not chosen get no gradient. The running statistics of batch normalisation mix all
architectures that ran in training mode: before one is scored, they have to be measured for it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.choices import Answer, Choice
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError, did_you_mean
from cambrian.networks.sharing.elastic import Elastic
from cambrian.networks.sharing.hypernetwork import Hypernetwork
from cambrian.networks.sharing.live import live_weights
from cambrian.networks.sharing.mixing import Mixture, Weighted
from cambrian.networks.sharing.narrowing import Move, list_moves
from cambrian.networks.sharing.switches import Fork, Gate, Switch


@dataclass(frozen=True)
class MixedSite:
    """A place where candidates are mixed, of so many `options`. `edges`: they are edges that are added.
    `skips` are the indices of skip connections, `nothing` that of no connection."""

    options: int
    edges: bool = False
    skips: tuple[int, ...] = ()
    nothing: int | None = None


class Supernet(nn.Module):
    """`network` contains the switches; `gates` are the switches that are not modules. `choices` are the
    questions that they answer, `outer` the answers that are fixed. `own` builds an architecture's own
    network. `plan` turns answers into the plan that switches follow, by default the answers themselves.

    `sites` are the places where it can be mixed by the names of their gates, `whole` the architecture that is
    chosen meanwhile, `hypernetwork` generates weights at each choice; they are set by whoever knows the
    space."""

    def __init__(
        self,
        network: nn.Module,
        choices: Mapping[str, Choice],
        outer: Mapping[str, Answer],
        own: Callable[[Mapping[str, Answer]], nn.Module],
        plan: Callable[[Mapping[str, Answer]], Any] = lambda answers: answers,
        gates: Sequence[Gate] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.choices, self.outer = dict(choices), dict(outer)
        self._own, self._plan, self._gates = own, plan, tuple(gates)
        self._switched: list[Switch] = []
        self.sites: dict[str, MixedSite] = {}
        self.whole: Mapping[str, Answer] = {}
        self.hypernetwork: Hypernetwork | None = None

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)

    def choose(self, architecture: Mapping[str, Answer]) -> None:
        """Run as `architecture` from now on. Raises IllegalArchitecture for answers outside this supernet."""
        # Checked and planned before the first switch moves: a wrong architecture changes nothing.
        answers = self._check(architecture)
        plan = self._plan(answers)
        for switch in (*self._switches(), *self._gates):
            switch.choose(plan)
        if self.hypernetwork is not None:
            self.hypernetwork.write(answers)

    def mix(self, mixtures: Mapping[str, Tensor | Mixture]) -> None:
        """Run the forks at these questions or gates as mixtures of all their candidates: of a tensor
        float[options], as their sum weighted by it."""
        forks: dict[str, list[Switch]] = {path: [] for path in self.choices}
        for switch in self._switches():
            for name in {_path(switch), getattr(switch, "gate", "")}:
                forks.setdefault(name, []).append(switch)
        for name, mixture in mixtures.items():
            if name not in forks:
                raise UnknownName("shared question", name, forks)
            if not all(isinstance(switch, Fork) for switch in forks[name]) or not forks[name]:
                raise UsageError(f"question {name!r} is no fork of modules: it cannot be mixed")
            # One question may be answered by several forks, as where a cell is repeated.
            for switch in forks[name]:
                assert isinstance(switch, Fork)
                switch.mixture = _fit(mixture, switch, name)

    def narrow(self, share: int) -> None:
        """Let partial operations see 1 / `share` of the channels, at most what they were made for."""
        for fork in self._list_partial():
            fork.narrow(share)

    @property
    def present_share(self) -> int:
        """1 / this share of the channels are what partial operations see; 1 where none are partial."""
        return next((fork.present_share for fork in self._list_partial()), 1)

    def list_widening(self, share: int, generator: torch.Generator) -> list[Move]:
        """The weights and statistics that change where operations see all channels that they were made for
        after 1 / `share`, and what their channels become copies of. Operations without a question of their
        own in a mixture, such as no connection, have none."""
        forks = self._list_partial()
        candidates = [candidate for fork in forks for candidate in fork.candidates]
        # All at once, since new channels are copies of the same ones on all edges.
        return list(list_moves(candidates, forks[0].channel_share, share, generator)) if forks else []

    def weights(self, architecture: Mapping[str, Answer]) -> dict[str, Tensor]:
        """The state_dict that turns `architecture`'s own network into this one. Slices are copies, the other
        tensors are not."""
        live = live_weights(self.network, self._plan(self._check(architecture)))
        wanted = self._own(architecture).state_dict()
        weights: dict[str, Tensor] = {}
        # Paired by position: the same code made both networks in the same order, under different prefixes.
        # The last part of the names and the shapes have to agree.
        for mine, own in zip_longest(live.items(), wanted.items(), fillvalue=None):
            tensor = None if mine is None or own is None else mine[1].cut_to(own[1].shape)
            if mine is None or own is None or tensor is None or _last(mine[0]) != _last(own[0]):
                have = _describe(None if mine is None else (mine[0], mine[1].tensor))
                raise SpaceError(
                    f"shared, {dict(architecture)!r} has {have} where its own network has {_describe(own)}: "
                    f"what modules are made may depend on outer answers only, and a repeated part must keep "
                    f"the shape of its input"
                )
            weights[own[0]] = tensor
        return weights

    def list_parameters(self, architecture: Mapping[str, Answer]) -> list[str]:
        """The names of the parameters that `architecture`'s network uses, as a whole or a slice of them."""
        plan = self._plan(self._check(architecture))
        live = set(live_weights(self.network, plan))
        for name, module in self.network.named_modules():
            if isinstance(module, Elastic):
                live |= {f"{name}.{matrix}" for matrix in module.list_matrices(plan)}
        # Duplicates too: a shared module may be live under one of its names and idle under another.
        named = self.network.named_parameters(remove_duplicate=False)
        return [f"network.{name}" for name, _ in named if name in live]

    def list_elastic(self, architecture: Mapping[str, Answer]) -> list[tuple[nn.Module, nn.Module | None]]:
        """Each module of several sizes, the largest of it, with the one that `architecture` has, which holds
        no weights; None where that does not have it."""
        plan = self._plan(self._check(architecture))
        parts = [m for m in self.network.modules() if isinstance(m, Elastic)]
        return [(part.full, part.find_template(plan)) for part in parts]

    def _check(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        answers = dict(architecture)
        for path, answer in architecture.items():
            if path in self.choices:
                answers[path] = self.choices[path].check(answer)
            # Outer answers may be repeated, as whole architectures have them, but not changed.
            elif path not in self.outer:
                near = did_you_mean(path, [*self.choices, *self.outer])
                raise IllegalArchitecture(f"no question {path!r} is asked in this supernet{near}")
            elif self.outer[path] != answer:
                raise IllegalArchitecture(
                    f"question {path!r}: this supernet was made for the answer {self.outer[path]!r}, "
                    f"got {answer!r}"
                )
        return answers

    def _list_partial(self) -> list[Fork]:
        return [s for s in self._switches() if isinstance(s, Fork) and s.channel_share > 1]

    def _switches(self) -> list[Switch]:
        # Looked for once: children are scored by the hundred, and switches stay where they are.
        if not self._switched:
            self._switched = [m for m in self.network.modules() if isinstance(m, Switch)]
        return self._switched


def _fit(mixture: Tensor | Mixture, fork: Fork, name: str) -> Mixture:
    """The mixture of that fork. Raises UsageError for weights of another length, and for what is no
    mixture."""
    weights = mixture if isinstance(mixture, Tensor) else getattr(mixture, "weights", None)
    # One weight too few would leave out the last candidate without a word.
    if isinstance(weights, Tensor) and weights.shape not in ((len(fork.options),), (len(fork.mixable),)):
        raise UsageError(
            f"question {name!r}: expected {len(fork.options)} weights, got {list(weights.shape)}"
        )
    if isinstance(mixture, Tensor):
        return Weighted(mixture)
    if not callable(mixture):
        raise UsageError(
            f"question {name!r}: expected a mixture, or a tensor of weights, got {type(mixture).__name__!r}"
        )
    return mixture


def _path(switch: Switch) -> str:
    return getattr(switch, "path", "")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _describe(item: tuple[str, Tensor] | None) -> str:
    return "nothing" if item is None else f"{item[0]!r} {list(item[1].shape)}"
