"""The modules of a supernet that run as the chosen candidate, and the values that forwards look up.

Each follows a key, a function of the plan (see `reading`): `choose(plan)` sets it, `idle(plan)` lists the
name prefixes of the weights that are not part of the plan's network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.choices import Answer
from cambrian.errors import UsageError
from cambrian.networks.sharing.elastic import Elastic
from cambrian.networks.sharing.mixing import Candidates, Mixture, Only, PartialChannels
from cambrian.networks.sharing.narrowing import Narrowed, count_channels
from cambrian.networks.sharing.reads import Reads

Key = Callable[[Any], Any]


def answer_at(path: str) -> Key:
    """The key of a switch in a supernet whose plans are the answers themselves."""
    return lambda answers: answers.get(path)


class Gate:
    """A value that a forward looks up, such as the number of the state that it reads."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._chosen: list[Any] = []  # a list, since None may be the chosen value

    def choose(self, plan: Any) -> None:
        self._chosen = [self._key(plan)]

    def __call__(self) -> Any:
        if not self._chosen:
            raise UsageError("no architecture is chosen; call the supernet's choose")
        return self._chosen[0]


class Fork(nn.Module):
    """One of `options`, each with a candidate: forward runs the chosen one or, while `mixture` is set, what
    that makes of the candidates, such as the sum of their outputs weighted by a tensor (see `mixing`).

    `gate` names the mixture, where it is not by the question: an operation of a cell has a gate for each
    state that it may read. `nothing` is one more candidate of mixtures, which no architecture has: no
    connection. The candidates are made for one `channel_share` of the channels, and the others pass; while
    `present_share` is larger, they run with as many of the first channels of their weights."""

    def __init__(
        self,
        path: str,
        options: Sequence[Any],
        candidates: Sequence[nn.Module],
        key: Key | None = None,
        gate: str = "",
        nothing: nn.Module | None = None,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        self.path, self.options, self.gate = path, tuple(options), gate or path
        self.channel_share = self.present_share = channel_share
        self.candidates = nn.ModuleList(candidates)
        self.chosen: int | None = None
        self.mixture: Mixture | None = None
        self._key = key or answer_at(path)
        self._nothing = [] if nothing is None else [nothing]  # in a list, so that it is no submodule
        self._narrow: dict[int, list[Any]] = {}

    def narrow(self, share: int) -> None:
        """Let mixtures see 1 / `share` of the channels. Their operations are made here and not when they
        first run, when their modules may have been changed for a while."""
        self.present_share = share
        if share not in (self.channel_share, *self._narrow):
            one = self.channel_share
            self._narrow[share] = [Narrowed(m, *count_channels(m, one, share)) for m in self.mixable]

    def choose(self, plan: Any) -> None:
        self.mixture = None  # to choose ends a mixture
        name = self._key(plan)
        self.chosen = self.options.index(name) if name in self.options else None

    def idle(self, plan: Any) -> list[str]:
        """The name prefixes of the weights that are not part of the plan's network."""
        name = self._key(plan)
        return [f"candidates.{i}." for i, option in enumerate(self.options) if option != name]

    def forward(self, *inputs: Any) -> Any:
        return self.run_beside(Reads(), *inputs)

    def run_beside(self, reads: Reads, *inputs: Any) -> Any:
        """The output, where other forks have the same inputs, of which `reads` knows what they made."""
        if self.mixture is not None:
            return self._run_mixture(self.mixture, [inputs] * len(self.mixable), reads)
        if self.channel_share > 1:
            return self._run_mixture(Only(self._find_chosen()), [inputs] * len(self.mixable), reads)
        return self.current()(*inputs)

    @property
    def mixable(self) -> list[nn.Module]:
        """The candidates of mixtures."""
        return [*self.candidates, *self._nothing]

    def blend(self, inputs: Sequence[Any], reads: Reads) -> Any:
        """The mixture of the candidates where each has its own input."""
        assert self.mixture is not None
        return self._run_mixture(self.mixture, [(x,) for x in inputs], reads)

    def _run_mixture(self, mixture: Mixture, inputs: Sequence[tuple[Any, ...]], reads: Reads) -> Any:
        whole = PartialChannels(mixture, self.present_share) if self.channel_share > 1 else mixture
        return whole(Candidates(self.gate, self._list_present(), inputs, reads))

    def _list_present(self) -> Sequence[Any]:
        """The candidates of mixtures, for the channels that they see at present."""
        return self._narrow.get(self.present_share, self.mixable)

    def current(self) -> nn.Module:
        """The chosen candidate."""
        return self.candidates[self._find_chosen()]

    def _find_chosen(self) -> int:
        if self.chosen is None:
            raise UsageError(f"question {self.path!r}: no candidate is chosen; call the supernet's choose")
        return self.chosen


def resolve_forks(module: nn.Module) -> nn.Module:
    """The module that runs: the candidate that a fork, or a fork within a fork, has chosen."""
    while isinstance(module, Fork) and module.mixture is None:
        module = module.current()
    return module


def connects(module: nn.Module) -> bool:
    """Whether the module that runs gives more than zeros."""
    if isinstance(module, Fork) and module.channel_share > 1:
        return True  # the other channels pass
    return bool(getattr(resolve_forks(module), "connects", True))


class Named(nn.Module):
    """A dictionary of modules that shows only the chosen ones, like the nn.ModuleDict of a plan's own
    network. `path` is the question whose options they are, where there is one."""

    def __init__(self, candidates: Mapping[str, nn.Module], key: Key, path: str = "") -> None:
        super().__init__()
        self.path = path
        self.candidates = nn.ModuleDict(candidates)
        self._key = key
        self.chosen: set[str] | None = None

    def choose(self, plan: Any) -> None:
        self.chosen = set(map(str, self._key(plan)))

    def idle(self, plan: Any) -> list[str]:
        names = set(map(str, self._key(plan)))
        return [f"candidates.{name}." for name in self.candidates if name not in names]

    def items(self) -> list[tuple[str, nn.Module]]:
        return [(name, module) for name, module in self.candidates.items() if name in self]

    def values(self) -> list[nn.Module]:
        return [module for _, module in self.items()]

    def __getitem__(self, name: str) -> nn.Module:
        return self.candidates[name]

    def __contains__(self, name: object) -> bool:
        if self.chosen is None:
            raise UsageError("no architecture is chosen; call the supernet's choose")
        return name in self.chosen

    def __iter__(self) -> Iterator[str]:
        return iter(name for name, _ in self.items())

    def __len__(self) -> int:
        return len(self.items())

    def __bool__(self) -> bool:  # it is a module, not an empty dictionary
        return True


class Nothing(nn.Module):
    """The candidate without a contribution: zeros."""

    connects = False

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Several(nn.Module):
    """A list of modules that shows only those of the chosen `options`, like the nn.ModuleList of a plan's own
    network. It may be iterated in a forward only."""

    def __init__(
        self,
        path: str,
        options: Sequence[Any],
        candidates: Sequence[nn.Module],
        key: Key | None = None,
    ) -> None:
        super().__init__()
        self.path, self.options = path, tuple(options)
        self.candidates = nn.ModuleList(candidates)
        self.chosen: list[int] | None = None
        self._key = key or answer_at(path)

    def choose(self, plan: Any) -> None:
        names = self._key(plan)
        self.chosen = None if names is None else [self.options.index(name) for name in names]

    def idle(self, plan: Any) -> list[str]:
        names = self._key(plan) or ()
        return [f"candidates.{i}." for i, option in enumerate(self.options) if option not in names]

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self._active())

    def __len__(self) -> int:
        return len(self._active())

    def __getitem__(self, index: int) -> nn.Module:
        return self._active()[index]

    def __bool__(self) -> bool:  # it is a module, not an empty list
        return True

    def _active(self) -> list[nn.Module]:
        if self.chosen is None:
            raise UsageError(
                f"question {self.path!r}: which modules there are is not known before the supernet chooses; "
                f"go through them in forward, not where the network is made"
            )
        return [self.candidates[i] for i in self.chosen]


class Repetition(nn.Module):
    """Repetition `nth` (from 0) of a repeated part: the identity where the chosen number is smaller."""

    def __init__(self, path: str, nth: int, part: nn.Module) -> None:
        super().__init__()
        self.path, self.nth, self.part = path, nth, part
        self.count: int | None = None

    def choose(self, answers: Mapping[str, Answer]) -> None:
        answer = answers.get(self.path)
        self.count = answer if isinstance(answer, int) else None

    def idle(self, answers: Mapping[str, Answer]) -> list[str]:
        answer = answers.get(self.path)
        # The empty prefix is that of the whole part.
        return [] if isinstance(answer, int) and self.nth < answer else [""]

    def forward(self, *inputs: Any) -> Any:
        if self.count is None:
            raise UsageError(f"question {self.path!r}: no number is chosen; call the supernet's choose")
        return self.part(*inputs) if self.nth < self.count else inputs[0]


Switch = Fork | Named | Several | Repetition | Elastic
