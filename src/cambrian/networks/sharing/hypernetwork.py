"""A network that generates the weights of another one from its architecture: Brock et al., "SMASH: One-Shot
Model Architecture Search through HyperNetworks" (ICLR 2018, arXiv 1708.05344), Sec. 3.2.

The architecture is a map of its memory banks, one row a layer and one column a bank; a densely connected
network of 3x3 convolutions turns it into the weights with which each layer reads each bank, so that a layer's
weights depend on the layers and banks around it. Only these 1x1 convolutions are generated; all other weights
are learned and shared, as in any supernet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from cambrian.choices import Answer

BankMap = Sequence[Sequence[Sequence[float]]]  # [features][layers][banks]; feature 0: the bank is read
Place = tuple[int, nn.Conv2d]
"""A layer from 0, and one of its convolutions (out, banks * channels of a bank, 1, 1)."""

NOISE, GROWTH, DEPTH = 4, 16, 3


class Hypernetwork(nn.Module):
    """Generates the weights of the convolutions at `places`. `map_banks` makes the map of an architecture, as
    `example` is one."""

    def __init__(
        self,
        places: Sequence[Place],
        map_banks: Callable[[Mapping[str, Answer]], BankMap],
        example: BankMap,
    ) -> None:
        super().__init__()
        self._places, self._map = list(places), map_banks  # in a list: the convolutions stay where they are
        features, rows, columns = torch.tensor(example).shape
        self._out, inputs = places[0][1].weight.shape[:2]
        self._width = inputs // columns
        # The same for all architectures, so that places that are wired alike may have other weights.
        self.register_buffer("noise", torch.randn(NOISE, rows, columns))
        widths = [features + NOISE + n * GROWTH for n in range(DEPTH)]
        self.layers = nn.ModuleList(nn.Conv2d(width, GROWTH, 3, padding=1) for width in widths)
        self.last = nn.Conv2d(widths[-1] + GROWTH, self._out * self._width, 1)
        for _, convolution in places:
            convolution.weight.requires_grad_(False)  # it is an output now, and no parameter

    def forward(self, architecture: Mapping[str, Answer]) -> Tensor:
        """The weights float[layers, out, banks * width] of all layers. Those of a layer's filter have norm 1
        over the banks that it reads, and are 0 for the others."""
        assert isinstance(self.noise, Tensor)
        banks = torch.tensor(self._map(architecture), device=self.noise.device)
        x = torch.cat([banks, self.noise])[None]
        for layer in self.layers:
            x = torch.cat([x, nn.functional.leaky_relu(layer(x), 0.02)], 1)
        _, rows, columns = banks.shape
        # (out * width, layers, banks) -> (layers, out, banks, width)
        weights = self.last(x)[0].view(self._out, self._width, rows, columns).permute(2, 0, 3, 1)
        read = weights * banks[0][:, None, :, None]
        return nn.functional.normalize(read.reshape(rows, self._out, columns * self._width), dim=2)

    def name_weights(self, network: nn.Module, architecture: Mapping[str, Answer]) -> dict[str, Tensor]:
        """The generated weights by the names of the network's parameters, attached to their gradients."""
        names = {id(p): name for name, p in network.named_parameters()}
        weights = self(architecture)
        return {names[id(c.weight)]: weights[row].view(c.weight.shape) for row, c in self._places}

    def write(self, architecture: Mapping[str, Answer]) -> None:
        """Give the convolutions the weights that are generated for the architecture."""
        with torch.no_grad():
            weights = self(architecture)
            for row, convolution in self._places:
                convolution.weight.copy_(weights[row].view(convolution.weight.shape))
