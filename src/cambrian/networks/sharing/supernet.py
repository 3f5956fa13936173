"""A supernet: one network that holds every candidate of its forks and runs as whichever is chosen.

Weight sharing as in ENAS (Pham et al. 2018, arXiv 1802.03268, Sec. 2) and the one-shot model (Bender et
al. 2018, Sec. 3). Who chooses and when is a strategy's business; what is kept here is that the forward for
one architecture is that of its own network with the same weights, bit for bit, and that what was not chosen
gets no gradient. The running statistics of batch normalisation are of all architectures that were run in
training mode: before one is scored, they have to be measured again for it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.choices import Answer, Choice
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError, did_you_mean
from cambrian.networks.sharing.elastic import Elastic, Slice, cut

Key = Callable[[Any], Any]  # what of a plan (see `reading`) a switch follows


def answer_at(path: str) -> Key:
    """The key of a switch whose plan are the answers themselves."""
    return lambda answers: answers.get(path)


class Gate:
    """A value that forward looks up, such as which state is read."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._chosen: list[Any] = []

    def choose(self, plan: Any) -> None:
        self._chosen = [self._key(plan)]

    def __call__(self) -> Any:
        if not self._chosen:
            raise UsageError("no architecture is chosen; call the supernet's choose")
        return self._chosen[0]


class Fork(nn.Module):
    """One of `options`, each a candidate: forward is the chosen one's, or, while `mixture` is set, the sum
    of all candidates' outputs weighed by it (DARTS, Liu et al. 2019, Eq. 2)."""

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
        self.chosen: int | None = None
        self.mixture: Tensor | None = None  # float[options]
        self._key = key or answer_at(path)

    def choose(self, plan: Any) -> None:
        self.mixture = None
        name = self._key(plan)
        self.chosen = self.options.index(name) if name in self.options else None

    def idle(self, plan: Any) -> list[str]:
        """Where the weights begin that are no part of the network of that plan."""
        name = self._key(plan)
        return [f"candidates.{i}." for i, option in enumerate(self.options) if option != name]

    def forward(self, *inputs: Any) -> Any:
        if self.mixture is not None:
            outputs = (w * c(*inputs) for w, c in zip(self.mixture, self.candidates, strict=True))
            return sum(outputs, start=next(outputs))
        return self.current()(*inputs)

    def current(self) -> nn.Module:
        """The candidate that is chosen."""
        if self.chosen is None:
            raise UsageError(f"question {self.path!r}: no candidate is chosen; call the supernet's choose")
        return self.candidates[self.chosen]


def chosen_of(module: nn.Module) -> nn.Module:
    """The module that runs: of forks within forks the candidate that is chosen in the end."""
    while isinstance(module, Fork) and module.mixture is None:
        module = module.current()
    return module


class Named(nn.Module):
    """A dictionary of modules of which the chosen ones are there, as in the nn.ModuleDict of their own
    network."""

    def __init__(self, candidates: Mapping[str, nn.Module], key: Key) -> None:
        super().__init__()
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
    """The candidate that brings nothing: zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Several(nn.Module):
    """Some of `options`: going through it, in a forward, meets the modules of the chosen ones, as does the
    nn.ModuleList in their own network."""

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
        kept = self._key(plan) or ()
        return [f"candidates.{i}." for i, option in enumerate(self.options) if option not in kept]

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
    """The n-th of a repeated part (from 0): what comes in goes out again where there are fewer."""

    def __init__(self, path: str, nth: int, part: nn.Module) -> None:
        super().__init__()
        self.path, self.nth, self.part = path, nth, part
        self.count: int | None = None

    def choose(self, answers: Mapping[str, Answer]) -> None:
        answer = answers.get(self.path)
        self.count = answer if isinstance(answer, int) else None

    def idle(self, answers: Mapping[str, Answer]) -> list[str]:
        answer = answers.get(self.path)
        return [] if isinstance(answer, int) and self.nth < answer else [""]

    def forward(self, *inputs: Any) -> Any:
        if self.count is None:
            raise UsageError(f"question {self.path!r}: no number is chosen; call the supernet's choose")
        return self.part(*inputs) if self.nth < self.count else inputs[0]


def live_modules(
    module: nn.Module, plan: Any, name: str = "", idle: tuple[str, ...] = ()
) -> Iterator[tuple[str, nn.Module]]:
    """The parts of the network of that plan, by name, one that stands in several places under each of them.
    `idle`: where weights begin, within this module, that are known to be no part of it."""
    own = (*idle, *module.idle(plan)) if isinstance(module, Switch) else idle
    if "" in own:
        return
    yield name, module
    # Not named_children: it leaves out a child that stands in two places.
    for key, child in module._modules.items():
        begin = f"{key}."
        if child is not None and begin not in own:
            below = tuple(part.removeprefix(begin) for part in own if part.startswith(begin))
            yield from live_modules(child, plan, f"{name}.{key}" if name else key, below)


Switch = Fork | Named | Several | Repetition | Elastic


class Supernet(nn.Module):
    """`network` with its switches, and `gates`, those that are no modules; `choices` are the questions they
    answer, `outer` the answers that are fixed. `own` builds an architecture's own network. `plan` makes of
    answers what the switches follow: the answers themselves, where it is not given."""

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

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)

    def choose(self, architecture: Mapping[str, Answer]) -> None:
        """Run as `architecture` from now on. Raises IllegalArchitecture for answers that are not one of
        this supernet's."""
        plan = self._plan(self._check(architecture))
        for switch in (*self._switches(), *self._gates):
            switch.choose(plan)

    def mix(self, weights: Mapping[str, Tensor]) -> None:
        """Run the forks at these paths as sums of all their candidates, weighed by float[options]."""
        forks = {path: [s for s in self._switches() if _path(s) == path] for path in self.choices}
        for path, weight in weights.items():
            if path not in forks:
                raise UnknownName("shared question", path, forks)
            if not all(isinstance(switch, Fork) for switch in forks[path]) or not forks[path]:
                raise UsageError(f"question {path!r} is no fork of modules: it cannot be mixed")
            for switch in forks[path]:
                assert isinstance(switch, Fork)
                if weight.shape != (len(switch.options),):
                    raise UsageError(
                        f"question {path!r}: expected {len(switch.options)} weights, got {list(weight.shape)}"
                    )
                switch.mixture = weight

    def weights(self, architecture: Mapping[str, Answer]) -> dict[str, Tensor]:
        """What `architecture`'s own network loads to be this one: its state_dict, not copied but where it
        is a slice. Both are made by the same program in the same order, which is what their names are
        matched by."""
        plan = self._plan(self._check(architecture))
        held = self._held(plan)
        slices = self._slices(plan)
        wanted = self._own(architecture).state_dict()
        found: dict[str, Tensor] = {}
        for mine, own in zip_longest(held.items(), wanted.items(), fillvalue=None):
            if mine is not None and own is not None:
                begin = next((begin for begin in slices if mine[0].startswith(begin)), None)
                if begin is not None and mine[1].ndim == own[1].ndim:
                    mine = mine[0], cut(mine[1], own[1].shape, slices[begin])
            if mine is None or own is None or _kind(*mine) != _kind(*own):
                raise SpaceError(
                    f"shared, {dict(architecture)!r} has {_name_of(mine)} where its own network has "
                    f"{_name_of(own)}: what modules are made may depend on outer answers only, and a "
                    f"repeated part must keep the shape of its input"
                )
            found[own[0]] = mine[1]
        return found

    def used(self, architecture: Mapping[str, Answer]) -> list[str]:
        """The names of the parameters that are part of `architecture`'s network, or of which slices are."""
        held = set(self._held(self._plan(self._check(architecture))))
        return [
            f"network.{name}"
            for name, _ in self.network.named_parameters(remove_duplicate=False)
            if name in held
        ]

    def _held(self, plan: Any) -> dict[str, Tensor]:
        """The weights that are not idle."""
        live = {name for name, _ in live_modules(self.network, plan)}
        return {k: v for k, v in self.network.state_dict().items() if k.rpartition(".")[0] in live}

    def _slices(self, plan: Any) -> dict[str, Slice | None]:
        """Where the names begin of weights that are slices, and which."""
        return {
            f"{name}.full.{begin}".removeprefix("."): slice_
            for name, module in live_modules(self.network, plan)
            if isinstance(module, Elastic)
            for begin, slice_ in module.slices(plan).items()
        }

    def _check(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        answers = dict(architecture)
        for path, answer in architecture.items():
            if path in self.choices:
                answers[path] = self.choices[path].check(answer)
            elif path not in self.outer:
                near = did_you_mean(path, [*self.choices, *self.outer])
                raise IllegalArchitecture(f"no question {path!r} is asked in this supernet{near}")
            elif self.outer[path] != answer:
                raise IllegalArchitecture(
                    f"question {path!r}: this supernet was made for the answer {self.outer[path]!r}, "
                    f"got {answer!r}"
                )
        return answers

    def _switches(self) -> list[Switch]:
        return [m for m in self.network.modules() if isinstance(m, Switch)]


def _path(switch: Switch) -> str:
    return getattr(switch, "path", "")


def _kind(name: str, tensor: Tensor) -> tuple[str, torch.Size]:
    return name.rpartition(".")[2], tensor.shape


def _name_of(item: tuple[str, Tensor] | None) -> str:
    return "nothing" if item is None else f"{item[0]!r} {list(item[1].shape)}"
