"""What spaces of recurrent cells share: the two networks a cell is tried in, and their settings."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import UnknownName
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.spaces.sequences.recurrent.network import LanguageModel, MakeCell

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
LANGUAGE_MODEL = ("hidden", "layers", "tied")


class RecurrentCells(Space):
    """Abstract: a space says what makes the cell of an architecture (`make_cell`)."""

    skeleton = ("hidden", "layers")

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    @abstractmethod
    def make_cell(self, architecture: Architecture) -> MakeCell: ...

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """A network that reads images row by row: a row is one step of channels * width numbers. Its
        settings are `hidden` units (64) and `layers` of cells (1)."""
        from cambrian.spaces.sequences.recurrent.network import RowReader

        settings = self.checked(skeleton)
        return RowReader(self.make_cell(architecture), task.channels, task.width, task.classes, **settings)

    def language_model(
        self, architecture: Architecture, vocabulary: int, **settings: Scalar
    ) -> LanguageModel:
        """A network that reads int64[n, steps] tokens and predicts each one's successor. Its settings are
        `hidden` units, as many as numbers in an embedding (128), `layers` of cells (1), `tied` embeddings
        (True)."""
        from cambrian.spaces.sequences.recurrent.network import LanguageModel

        for name in settings:
            if name not in LANGUAGE_MODEL:
                raise UnknownName("skeleton setting", name, LANGUAGE_MODEL)
        return LanguageModel(self.make_cell(architecture), vocabulary, **settings)  # type: ignore[arg-type]
