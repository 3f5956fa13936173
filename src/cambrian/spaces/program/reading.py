"""Ways to read a program: the modules it asks for are stand-ins, built, or shared.

The questioner is the same each time; a `Reading` decides which candidates of a fork are made, and
how they are put together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, OneOf, Scalar, SomeOf
from cambrian.errors import CambrianError, SpaceError, UnknownName
from cambrian.options import count_range, shorten
from cambrian.paths import extend
from cambrian.spaces.program.candidates import (
    Factories,
    Factory,
    as_factory,
    asks,
    check_factories,
    error_text,
    kind_of,
    make_candidate,
    unbuildable,
)
from cambrian.spaces.program.late_questions import TimelyDecide
from cambrian.spaces.program.pick import Pick
from cambrian.spaces.program.stand_in import module_list, stand_in
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn


class Reading(Protocol):
    def list_held(self, choice: OneOf | SomeOf, answer: Answer) -> Sequence[Scalar]:
        """The options whose candidates are made."""
        ...

    def one(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        """Takes the factories' arguments, gives the module of a fork."""
        ...

    def several(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        """The same for some of several."""
        ...

    def count(self, choice: OneOf, answer: int) -> int:
        """How often a repeated part is run."""
        ...

    def repeat_parts(self, choice: OneOf, parts: list[Any]) -> list[Any]: ...


class ModulePick(Pick):
    """The questioner of a function: `Pick`, and questions whose answers are modules.

    A candidate is a factory: a class or function that makes a module. One whose first argument is called
    `pick` has questions of its own, under `path/name/`: it is called with their questioner where the fork is
    asked and returns the factory."""

    _reading: Reading

    def module(self, path: str, factories: Factories, weights: Sequence[float] | None = None) -> Any:
        """The module that the chosen factory makes. While sampling no factory is called, and a
        stand-in without weights is returned."""
        return self.fork(path, factories, weights)()

    def fork(
        self, path: str, factories: Factories, weights: Sequence[float] | None = None
    ) -> Callable[..., Any]:
        """The chosen factory, to be called wherever one of its modules is wanted, with any arguments."""
        choice, makers = self._ask_fork(
            OneOf, path, factories, (self._check_weights(path, weights), False, True)
        )
        return self._reading.one(choice.path, makers)

    def modules(self, path: str, factories: Factories, least: int, most: int | None = None) -> Any:
        """An nn.ModuleList of the chosen factories' modules, `least` of them or between `least` and
        `most`, in the order of `factories`. Go through it in `forward`."""
        return self.forks(path, factories, least, most)()

    def forks(
        self, path: str, factories: Factories, least: int, most: int | None = None
    ) -> Callable[..., Any]:
        """As `fork`, for several candidates: each call gives an nn.ModuleList."""
        settings = (least, least if most is None else most, True)
        choice, makers = self._ask_fork(SomeOf, path, factories, settings)
        return self._reading.several(choice.path, makers)

    def repeat(
        self,
        path: str,
        low: int,
        high: int,
        part: Callable[[Any, int], Any],
        weights: Sequence[float] | None = None,
    ) -> list[Any]:
        """`[part(pick, 0), part(pick, 1), ...]`, between `low` and `high` of them, each with a questioner
        whose paths begin with `path/i/`. How many is a complexity order, as with `depth`. To be shared,
        parts give modules, or functions that make them, which keep the shape of their input."""
        counts = count_range(self._path(path), low, high)
        answer = self._ask(OneOf, path, counts, (self._check_weights(path, weights), True, True))
        # `_ask` returns the answer alone; the question it made is the last one kept under that path.
        choice = self._known[self._prefix + path][0]
        count = self._reading.count(choice, answer)
        place = extend(path, "/")
        return self._reading.repeat_parts(choice, [part(self.inside(place, i), i) for i in range(count)])

    def inside(self, prefix: str, index: int | None = None) -> ModulePick:
        inner = ModulePick(self._decide, *self._inner(prefix, index))
        inner._reading = self._reading
        return inner

    def _ask_fork(
        self, kind: Any, path: str, factories: Factories, settings: tuple[Any, ...]
    ) -> tuple[Any, dict[Scalar, Factory]]:
        """Ask a fork, whose factories are checked when it is new; return it with the factories of the options
        held, after asking their own questions."""
        full = self._path(path)
        if type(factories) is not dict and not isinstance(factories, Mapping):
            raise SpaceError(
                f"question {full!r}: candidates are factories by name, as in {{'relu': nn.ReLU}}, got "
                f"{shorten(factories)}"
            )
        before = self._known.get(full)
        answer = self._ask(kind, path, factories, settings)  # type: ignore[arg-type]
        choice = self._known[full][0]
        # The same question as in the last walk has the same factories: they are checked once.
        if before is None or before[0] is not choice:
            check_factories(full, factories)
        makers: dict[Scalar, Factory] = {}
        for option in self._reading.list_held(choice, answer):
            factory = factories[option]
            if asks(factory):
                factory = as_factory(full, option, factory(self.inside(extend(path, f"/{option}"))))
            makers[option] = factory
        return choice, makers


class _Chosen:
    """Makes the chosen candidates only."""

    def list_held(self, choice: OneOf | SomeOf, answer: Answer) -> Sequence[Scalar]:
        return answer if isinstance(answer, tuple) else (answer,)

    def count(self, choice: OneOf, answer: int) -> int:
        return answer

    def repeat_parts(self, choice: OneOf, parts: list[Any]) -> list[Any]:
        return parts


class Sampled(_Chosen):
    """No module is made."""

    def one(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        return stand_in

    def several(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        return lambda *_, **__: module_list(stand_in() for _ in makers)


ModulePick._reading = Sampled()  # unless `Read` says otherwise


class Built(_Chosen):
    """The chosen ones are made; `make_candidate` collects (question, module)."""

    def __init__(self) -> None:
        self.made: list[tuple[str, nn.Module]] = []
        self.making: str | None = None  # the question and the candidate that is being made

    def one(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        ((option, maker),) = makers.items()
        return lambda *given, **named: self._make(path, option, partial(maker, *given, **named))

    def several(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        return lambda *given, **named: module_list(
            self._make(path, option, partial(maker, *given, **named)) for option, maker in makers.items()
        )

    def _make(self, path: str, option: Scalar, maker: Factory) -> nn.Module:
        self.making = f"candidate {option!r} of question {path!r}"
        module = make_candidate(path, option, maker)
        self.making = None
        self.made.append((f"{path!r} ({option})", module))
        return module


class Shared:
    """All are made, and wait to be chosen."""

    def list_held(self, choice: OneOf | SomeOf, answer: Answer) -> Sequence[Scalar]:
        return choice.options

    def one(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        from cambrian.networks.sharing.switches import Fork

        return lambda *given, **named: Fork(path, list(makers), _all_made(path, makers, *given, **named))

    def several(self, path: str, makers: Mapping[Scalar, Factory]) -> Callable[..., Any]:
        from cambrian.networks.sharing.switches import Several

        return lambda *given, **named: Several(path, list(makers), _all_made(path, makers, *given, **named))

    def count(self, choice: OneOf, answer: int) -> int:
        # A supernet holds the deepest repetition; parts beyond the least are skipped by choice.
        return int(choice.options[-1])

    def repeat_parts(self, choice: OneOf, parts: list[Any]) -> list[Any]:
        least = int(choice.options[0])
        return parts[:least] + [_optional(choice.path, n, p) for n, p in enumerate(parts) if n >= least]


class Read:
    """One reading of a function that makes modules: `walk` it, then take its `network`."""

    network: nn.Module

    def __init__(
        self, function: Callable[..., Any], task: Signature, skeleton: Mapping[str, Scalar], reading: Reading
    ) -> None:
        for name in skeleton:
            if name not in skeleton_of(function):
                raise UnknownName("skeleton setting", name, skeleton_of(function))
        self._function, self._task, self._skeleton, self._reading = function, task, skeleton, reading

    def walk(self, decide: Decide) -> Architecture:
        from torch import nn

        name = self._function.__name__
        asked = TimelyDecide(decide, name, self._reading)
        pick = ModulePick(asked)
        pick._reading = self._reading
        try:
            network = self._function(pick, self._task, **self._skeleton)
            if not isinstance(network, nn.Module) and callable(network):
                asked.late = f"in what {name} returns to make the network, which sampling never calls"
                network = _run_builder(network, name)
        except (RuntimeError, ValueError) as error:
            raise unbuildable(error, "its modules cannot be made") from error
        if not isinstance(network, nn.Module):
            raise SpaceError(
                f"{name} must return a torch.nn.Module or a function without arguments "
                f"that makes one, got {kind_of(network)}"
            )
        self.network = network
        # Taken before the questioner is closed below.
        architecture = pick.architecture()
        asked.late = "after the network was made, as in its forward"
        pick._answers.clear()  # so that one that was asked before is late, too
        return architecture


def _run_builder(builder: Callable[[], Any], name: str) -> Any:
    """The result of a program's builder. It is the author's code, so its errors become one sentence."""
    try:
        return builder()
    except (CambrianError, RuntimeError, ValueError, MemoryError):  # the shapes', and torch's
        raise
    except Exception as error:
        raise SpaceError(
            f"{name} returns {shorten(builder)}, which should make a torch.nn.Module without arguments: "
            f"{error_text(error)}"
        ) from error


def skeleton_of(function: Callable[..., Any]) -> dict[str, Scalar]:
    """The keyword-only arguments and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _all_made(path: str, makers: Mapping[Scalar, Factory], *given: Any, **named: Any) -> list[nn.Module]:
    return [make_candidate(path, option, partial(maker, *given, **named)) for option, maker in makers.items()]


def _optional(path: str, nth: int, part: Any) -> Any:
    from torch import nn

    from cambrian.networks.sharing.switches import Repetition

    if isinstance(part, nn.Module):
        return Repetition(path, nth, part)
    if callable(part):
        return lambda *given, **named: Repetition(path, nth, part(*given, **named))
    raise SpaceError(
        f"question {path!r}: part {nth} gave {kind_of(part)}; to be shared it has to give a "
        f"torch.nn.Module or a function that makes one"
    )
