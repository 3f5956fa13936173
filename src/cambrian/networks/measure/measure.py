"""The contract of a measure, and any user's function as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cambrian.errors import UnknownName, UsageError
from cambrian.networks.measure import MEASURES

if TYPE_CHECKING:
    from torch import Tensor, nn


@runtime_checkable
class Measure(Protocol):
    """`measure(network, batch, device) -> float`: a number of a network, low ones being cheap, in `unit`.

    `batch` is float[images, channels, height, width]. Where `needs_weights(device)`, network and batch lie on
    `device` and may be computed with; where not, both may be without numbers (on the meta device), and the
    number is a function of the network's modules and of shapes alone. A measure leaves the network as it
    found it: modes, weights, gradients and hooks; and so it leaves every global generator.

    Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def unit(self) -> str:
        """ "s", "B" (bytes), another unit's name, or "" for a count."""
        ...

    @property
    def images(self) -> int:
        """How many images the batch is to have."""
        ...

    @property
    def noisy(self) -> bool:
        """Whether the same network gives another number the next time, as a clock does."""
        ...

    @property
    def reads_batch(self) -> bool:
        """Whether the number depends on the images' content, beyond their shape."""
        ...

    def needs_weights(self, device: str) -> bool: ...

    def protocol(self, device: str) -> str:
        """How the number is had, in words that follow its name."""
        ...

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float: ...


@runtime_checkable
class Spreads(Protocol):
    """A noisy measure that says how far its readings lie apart, in its unit."""

    def measure_spread(self, network: nn.Module, batch: Tensor, device: str) -> tuple[float, float]:
        """The number, and the spread of the readings it was taken from."""
        ...


@dataclass(frozen=True)
class FunctionMeasure:
    """A user's `f(network, batch, device) -> float`. Nothing is known of it but the attributes it was given:
    `f.unit = "J"`, `f.images = 8`, `f.noisy = True`."""

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
    """Whether `name` is that of a measure: registered, with settings or without, or `module:function`.

    >>> is_measure("latency"), is_measure("latency(threads=2)"), is_measure("accuracy")
    (True, True, False)
    """
    head = name.partition("(")[0].strip()
    return head in MEASURES.names() or ":" in head


def find_measure(name: str, kind: str = "measure") -> Measure:
    """The measure called `name`: `latency`, `latency(threads=2)` or `module:function`. Raises UsageError, in
    which it is called a `kind`."""
    if not is_measure(name):
        raise UnknownName(kind, name, MEASURES.names())
    target = MEASURES.get(name.partition("(")[0].strip())
    measure = MEASURES.parse(name) if isinstance(target, type) else target
    if isinstance(measure, Measure):
        return measure
    if callable(measure) and not isinstance(measure, type):
        return FunctionMeasure(measure)
    raise UsageError(
        f"{kind} {name!r} is not a function of (network, batch, device) but {type(measure).__name__!r}"
    )
