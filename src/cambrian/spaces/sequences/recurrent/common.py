"""The base of spaces of recurrent cells: the two networks that use a cell, and their settings."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.choices import Scalar
from cambrian.errors import UnknownName
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.program.function_space import is_causal
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.sequences.recurrent.network import LanguageModel, MakeCell

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
UNITS = 8
"""Hidden units for each of the filters, by which a race sizes networks."""
LANGUAGE_MODEL = ("hidden", "layers", "tied")


class RecurrentCells(Space):
    """Abstract: a space has a maker of the cell of an architecture (`make_cell`)."""

    skeleton = ("hidden", "layers", "filters")
    causal = True
    sizes = list_sizes(hidden=(32, 64, 128, 256), layers=(1, 1, 1, 1))

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    @abstractmethod
    def make_cell(self, read: Reading[Any]) -> MakeCell:
        """The maker of a cell, which reads its plan."""

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        """A network that reads images row by row: a row is one step of channels * width numbers; it answers
        after the last row, or, of a causal task, after each. Its settings are `hidden` units (64, or eight
        for each of the `filters`, where these are given alone) and `layers` of cells (1)."""
        from cambrian.spaces.sequences.recurrent.network import RowReader

        shape = (task.channels, task.width, task.classes)
        settings = read_units(skeleton)
        return RowReader(self.make_cell(read), *shape, each=is_causal(task), **settings)

    def language_model(
        self, architecture: Architecture, vocabulary: int, **settings: Scalar
    ) -> LanguageModel:
        """A network that reads int64[n, steps] tokens and predicts each one's successor. Its settings are
        `hidden` units, as many as numbers in an embedding (128), `layers` of cells (1), `tied` embeddings
        (True)."""
        from cambrian.networks.sharing.reading import Own
        from cambrian.spaces.sequences.recurrent.network import LanguageModel

        for name in settings:
            if name not in LANGUAGE_MODEL:
                raise UnknownName("skeleton setting", name, LANGUAGE_MODEL)
        cell = self.make_cell(Own(self.plan(replay(self, architecture))))
        return LanguageModel(cell, vocabulary, **settings)  # type: ignore[arg-type]


def read_units(skeleton: dict[str, Any]) -> dict[str, Any]:
    """The settings with `hidden` units, UNITS for each of the `filters` where these are given alone.

    >>> read_units({"filters": 16, "layers": 2}), read_units({"filters": 16, "hidden": 100})
    ({'layers': 2, 'hidden': 128}, {'hidden': 100})
    """
    settings = {name: value for name, value in skeleton.items() if name != "filters"}
    if "filters" in skeleton:
        check_numbers(COUNT, filters=skeleton["filters"])
        settings.setdefault("hidden", UNITS * skeleton["filters"])
    return settings
