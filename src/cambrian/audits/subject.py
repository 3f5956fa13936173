"""The contract of an audit's subject: live training on data, or a table of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.measuring import Measurements
from cambrian.audits.shortcuts import Shortcut
from cambrian.audits.sizes import Sizes
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Subject(Protocol):
    """`unit` names the truth's scores, which are shown times `scale`, and the lower the better where they are
    to `minimize`; `truth` is its label. `trains` says whether networks are trained for it, or looked up."""

    @property
    def trains(self) -> bool: ...
    @property
    def minimize(self) -> bool: ...
    @property
    def title(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def truth(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def space(self) -> Space: ...
    def read(self, text: str) -> Shortcut:
        """The shortcut in `text`. Raises UsageError where it cannot be measured here."""
        ...

    def list_usual(self) -> list[str]:
        """The shortcuts of an audit that names none."""
        ...

    def draw(self, count: int) -> list[Architecture]:
        """A stratified sample."""
        ...

    def measure_truth(
        self, architectures: Sequence[Architecture], twice: int
    ) -> tuple[Measurements, NDArray[np.float64]]:
        """The truth, and the scores [pairs, 2] of networks that were trained twice."""
        ...

    def measure(self, shortcut: Shortcut, architectures: Sequence[Architecture]) -> Measurements: ...
    def count_sizes(self, architectures: Sequence[Architecture]) -> tuple[list[Sizes], float]:
        """The sizes of each network, and the seconds that counting one takes."""
        ...

    def settings(self) -> dict[str, Any]:
        """All that must be the same when an audit goes on, as JSON."""
        ...
