"""What spaces of recurrent cells share: the two networks a cell is tried in, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.choices import Scalar
from cambrian.errors import UnknownName
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.models.recurrent import LanguageModel, MakeCell

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")


ROW_READER = ("hidden", "layers")


def row_reader(make: MakeCell, task: Signature, settings: Mapping[str, Any]) -> nn.Module:
    """A network that reads images row by row: a row is one step of channels * width numbers. Its settings
    are `hidden` units (64) and `layers` of cells (1)."""
    from cambrian.networks.models.recurrent import RowReader

    return RowReader(make, task.channels, task.width, task.classes, **settings)


def language_model(make: MakeCell, vocabulary: int, settings: Mapping[str, Scalar]) -> LanguageModel:
    """A network that reads int64[n, steps] tokens and predicts each one's successor. Its settings are
    `hidden` units, as many as numbers in an embedding (128), `layers` of cells (1), `tied` embeddings
    (True)."""
    from cambrian.networks.models.recurrent import LanguageModel

    return LanguageModel(make, vocabulary, **_known(settings, ("hidden", "layers", "tied")))


def _known(given: Mapping[str, Scalar], valid: tuple[str, ...]) -> dict[str, Any]:
    for name in given:
        if name not in valid:
            raise UnknownName("skeleton setting", name, valid)
    return dict(given)
