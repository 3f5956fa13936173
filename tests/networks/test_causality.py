"""Networks whose answers to a text read later characters are found out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cambrian.errors import Unbuildable
from cambrian.networks.causality import check_causal

LENGTH = 9


class Window(nn.Module):
    """The answer at each row reads those from `first` to `last` rows after it, by one convolution."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.layer = nn.Conv1d(3, 5, last - first + 1)
        self.norm, self.drop = nn.BatchNorm1d(5), nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x[..., 0], (-self.first, self.last))
        y: torch.Tensor = self.drop(self.norm(self.layer(padded)))
        return y


@pytest.mark.parametrize("first", [-3, -1])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_window_is_causal_where_it_ends_at_its_row(first: int, last: int) -> None:
    """Its training mode stays; that a normalisation reads the batch is no leak."""
    network = Window(first, last)
    if last:
        with pytest.raises(Unbuildable, match="depend on later characters"):
            check_causal(network, 3, LENGTH)
    else:
        check_causal(network, 3, LENGTH)
    assert network.training


@pytest.mark.parametrize("row", range(1, LENGTH))
def test_a_leak_of_any_one_row_is_found(row: int) -> None:
    """The answer before it reads it, and nothing else does."""

    class Leak(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x[..., 0].clone()
            y[..., row - 1] += x[:, :, row, 0]
            return y

    with pytest.raises(Unbuildable):
        check_causal(Leak(), 3, LENGTH)
