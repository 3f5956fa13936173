"""Knowledge of a space that a plan asks for: how large its networks are made for small and for large budgets,
and how its paper searched it. A space that does not have this knowledge can be planned, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.spaces.space import Signature, Space

Size = Mapping[str, Scalar]
"""Skeleton settings, as `Space.build` takes them."""


def list_sizes(**settings: Sequence[Scalar]) -> tuple[dict[str, Scalar], ...]:
    """The sizes whose settings stand in one column, read column by column.

    >>> list_sizes(filters=(8, 16), cells=(2, 3))
    ({'filters': 8, 'cells': 2}, {'filters': 16, 'cells': 3})
    """
    return tuple(dict(zip(settings, row)) for row in zip(*settings.values(), strict=True))


@runtime_checkable
class Scales(Protocol):
    """Has networks of several sizes."""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Skeleton settings from the cheapest network that ranks architectures to the largest one that a
        paper trained at last. Each costs more than the one before it."""
        ...


@runtime_checkable
class Shortens(Protocol):
    """A `Grows` that can end at an earlier level, or at a later one, than its last."""

    def up_to(self, level: int) -> Space:
        """The same space with `level` as its last level."""
        ...


@runtime_checkable
class HasPortfolio(Protocol):
    """Knows networks to begin a search with, published or made by hand, of which each is good on some data.
    Its skeleton has the setting `filters`, to which all widths are proportional."""

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Architectures by name, the ones that do well on most data first."""
        ...

    def read_size(self, task: Signature) -> Size:
        """The settings of the skeleton that follow from the size of a task's images: who trains a network at
        several resolutions gives them once, so that it stays the same network."""
        ...


class PaperSearch(msgspec.Struct, frozen=True):
    """A paper's own search: `keep` architectures at each of `levels` levels after the first, trained for
    `epochs` on `images` images; the final networks for `final_epochs`. `recipe` are settings of the
    training."""

    levels: int
    keep: int
    epochs: int
    images: int
    skeleton: Mapping[str, Scalar]
    final_epochs: int
    final_skeleton: Mapping[str, Scalar]
    recipe: Mapping[str, Any] = {}


@runtime_checkable
class HasPaperSearch(Protocol):
    """Knows how its paper searched it, level by level."""

    @property
    def paper_search(self) -> PaperSearch: ...
