"""The interface of a measure, and its implementation by a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cambrian.errors import UnknownName, UsageError
from cambrian.networks.measure import MEASURES

if TYPE_CHECKING:
    from torch import Tensor, nn


@runtime_checkable
class Measure(Protocol):
    """`measure(network, batch, device) -> float`: a cost of a network in `unit`; lower is cheaper.

    `batch` is float[images, channels, height, width]. Where `needs_weights(device)`, network and batch are on
    `device` and have values; otherwise both may be on the meta device, and the number depends only on the
    network's modules and on shapes. A measure does not change the network (modes, weights, gradients, hooks)
    nor any global random generator.

    Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def unit(self) -> str:
        """ "s", "B" (bytes), another unit's name, or "" for a count."""
        ...

    @property
    def images(self) -> int:
        """The number of images that the batch must have."""
        ...

    @property
    def noisy(self) -> bool:
        """Whether a second measurement of the same network may differ, as times do."""
        ...

    @property
    def reads_batch(self) -> bool:
        """Whether the number depends on the content of the images, and not only on their shape."""
        ...

    def needs_weights(self, device: str) -> bool: ...

    def protocol(self, device: str) -> str:
        """How the number is measured, in words that are printed after its name."""
        ...

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float: ...


@runtime_checkable
class Spreads(Protocol):
    """A noisy measure that also reports the spread of its readings, in its unit."""

    def measure_spread(self, network: nn.Module, batch: Tensor, device: str) -> tuple[float, float]:
        """The number, and the spread of the readings that it summarises."""
        ...


@dataclass(frozen=True)
class FunctionMeasure:
    """A user's `f(network, batch, device) -> float`. Its attributes describe it: `f.unit = "J"`,
    `f.images = 8`, `f.noisy = True`."""

    function: Callable[..., Any]

    @property
    def unit(self) -> str:
        return str(getattr(self.function, "unit", ""))

    @property
    def images(self) -> int:
        return int(getattr(self.function, "images", 1))

    @property
    def noisy(self) -> bool:
        return bool(getattr(self.function, "noisy", False))

    # Without an attribute the careful answer holds: the function may read the images and the weights.
    @property
    def reads_batch(self) -> bool:
        return bool(getattr(self.function, "reads_batch", True))

    def needs_weights(self, device: str) -> bool:
        return bool(getattr(self.function, "needs_weights", True))

    def protocol(self, device: str) -> str:
        return f"of {self.images} image{'s' if self.images > 1 else ''} on {device}"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        value: float = self.function(network, batch, device)
        return value


def is_measure(name: str) -> bool:
    """Whether `name` names a measure: a registered one, with or without settings, or `module:function`.

    >>> is_measure("latency"), is_measure("latency(threads=2)"), is_measure("accuracy")
    (True, True, False)
    """
    head = name.partition("(")[0].strip()
    return head in MEASURES.names() or ":" in head


def find_measure(name: str, kind: str = "measure") -> Measure:
    """The measure called `name`: `latency`, `latency(threads=2)` or `module:function`. Raises UsageError,
    whose sentence calls it a `kind`."""
    if not is_measure(name):
        raise UnknownName(kind, name, MEASURES.names())
    target = MEASURES.get(name.partition("(")[0].strip())
    # A class has settings to parse; a function is taken as it is.
    measure = MEASURES.parse(name) if isinstance(target, type) else target
    if isinstance(measure, Measure):
        return measure
    if callable(measure) and not isinstance(measure, type):
        _check_arguments(name, kind, measure)
        return FunctionMeasure(measure)
    raise UsageError(
        f"{kind} {name!r} is not a function of (network, batch, device) but {type(measure).__name__!r}"
    )


def _check_arguments(name: str, kind: str, function: Callable[..., Any]) -> None:
    """Raise UsageError for a function that cannot be called as a measure is: it would fail every trial."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell their arguments
        return
    try:
        signature.bind("network", "batch", "device")
    except TypeError as error:
        own = f"{getattr(function, '__name__', type(function).__name__)}{signature}"
        raise UsageError(
            f"{kind} {name!r} is not a function of (network, batch, device) but {own}: give it these three"
        ) from error
