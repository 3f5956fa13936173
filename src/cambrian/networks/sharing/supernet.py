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

from cambrian.choices import Answer, Choice, Scalar
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError, did_you_mean


class Fork(nn.Module):
    """One of `options`, each a candidate: forward is the chosen one's, or, while `mixture` is set, the sum
    of all candidates' outputs weighed by it (DARTS, Liu et al. 2019, Eq. 2)."""

    def __init__(self, path: str, options: Sequence[Scalar], candidates: Sequence[nn.Module]) -> None:
        super().__init__()
        self.path, self.options = path, tuple(options)
        self.candidates = nn.ModuleList(candidates)
        self.chosen: int | None = None
        self.mixture: Tensor | None = None  # float[options]

    def choose(self, answer: Answer | None) -> None:
        self.mixture = None
        self.chosen = None if answer is None else self.options.index(answer)

    def idle(self, answer: Answer | None) -> list[str]:
        """Where the weights begin that are no part of the network with that answer."""
        return [f"candidates.{i}." for i, option in enumerate(self.options) if option != answer]

    def forward(self, *inputs: Any) -> Any:
        if self.mixture is not None:
            outputs = (w * c(*inputs) for w, c in zip(self.mixture, self.candidates, strict=True))
            return sum(outputs, start=next(outputs))
        if self.chosen is None:
            raise UsageError(f"question {self.path!r}: no candidate is chosen; call the supernet's choose")
        return self.candidates[self.chosen](*inputs)


class Nothing(nn.Module):
    """The candidate that brings nothing: zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Several(nn.Module):
    """Some of `options`: going through it, in a forward, meets the modules of the chosen ones, as does the
    nn.ModuleList in their own network."""

    def __init__(self, path: str, options: Sequence[Scalar], candidates: Sequence[nn.Module]) -> None:
        super().__init__()
        self.path, self.options = path, tuple(options)
        self.candidates = nn.ModuleList(candidates)
        self.chosen: list[int] | None = None

    def choose(self, answer: Answer | None) -> None:
        self.chosen = [self.options.index(a) for a in answer] if isinstance(answer, tuple) else None

    def idle(self, answer: Answer | None) -> list[str]:
        kept = answer if isinstance(answer, tuple) else ()
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

    def choose(self, answer: Answer | None) -> None:
        self.count = answer if isinstance(answer, int) else None

    def idle(self, answer: Answer | None) -> list[str]:
        return [] if isinstance(answer, int) and self.nth < answer else [""]

    def forward(self, *inputs: Any) -> Any:
        if self.count is None:
            raise UsageError(f"question {self.path!r}: no number is chosen; call the supernet's choose")
        return self.part(*inputs) if self.nth < self.count else inputs[0]


Switch = Fork | Several | Repetition


class Supernet(nn.Module):
    """`network` with its switches; `choices` are the questions they answer, `outer` the answers that are
    fixed. `own` builds an architecture's own network. `settle` is for spaces that build less than was
    asked for: the answers as they are built."""

    def __init__(
        self,
        network: nn.Module,
        choices: Mapping[str, Choice],
        outer: Mapping[str, Answer],
        own: Callable[[Mapping[str, Answer]], nn.Module],
        settle: Callable[[Mapping[str, Answer]], Mapping[str, Answer]] = lambda answers: answers,
    ) -> None:
        super().__init__()
        self.network = network
        self.choices, self.outer = dict(choices), dict(outer)
        self._own, self._settle = own, settle

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)

    def choose(self, architecture: Mapping[str, Answer]) -> None:
        """Run as `architecture` from now on. Raises IllegalArchitecture for answers that are not one of
        this supernet's: each is looked at, whether they go together is not."""
        answers = self._answers(architecture)
        for switch in self._switches():
            switch.choose(answers.get(switch.path))

    def mix(self, weights: Mapping[str, Tensor]) -> None:
        """Run the forks at these paths as sums of all their candidates, weighed by float[options]."""
        forks = {path: [s for s in self._switches() if s.path == path] for path in self.choices}
        for path, weight in weights.items():
            if path not in forks:
                raise UnknownName("shared question", path, forks)
            for switch in forks[path]:
                if not isinstance(switch, Fork):
                    raise UsageError(f"question {path!r} is no fork of modules: it cannot be mixed")
                if weight.shape != (len(switch.options),):
                    raise UsageError(
                        f"question {path!r}: expected {len(switch.options)} weights, got {list(weight.shape)}"
                    )
                switch.mixture = weight

    def weights(self, architecture: Mapping[str, Answer]) -> dict[str, Tensor]:
        """What `architecture`'s own network loads to be this one: its state_dict, not copied. Both are
        made by the same program in the same order, which is what their names are matched by."""
        answers = self._answers(architecture)
        idle = tuple(
            f"{name}.{part}" if name else part
            for name, module in self.network.named_modules(remove_duplicate=False)
            if isinstance(module, Switch)
            for part in module.idle(answers.get(module.path))
        )
        held = [(k, v) for k, v in self.network.state_dict().items() if not k.startswith(idle)]
        wanted = self._own(architecture).state_dict()
        for mine, own in zip_longest(held, wanted.items(), fillvalue=None):
            if mine is None or own is None or _kind(*mine) != _kind(*own):
                raise SpaceError(
                    f"shared, {dict(architecture)!r} has {_name_of(mine)} where its own network has "
                    f"{_name_of(own)}: what modules are made may depend on outer answers only, and a "
                    f"repeated part must keep the shape of its input"
                )
        return {own: value for own, (_, value) in zip(wanted, held, strict=True)}

    def _answers(self, architecture: Mapping[str, Answer]) -> Mapping[str, Answer]:
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
        return self._settle(answers)

    def _switches(self) -> list[Switch]:
        return [m for m in self.network.modules() if isinstance(m, Switch)]


def _kind(name: str, tensor: Tensor) -> tuple[str, torch.Size]:
    return name.rpartition(".")[2], tensor.shape


def _name_of(item: tuple[str, Tensor] | None) -> str:
    return "nothing" if item is None else f"{item[0]!r} {list(item[1].shape)}"
