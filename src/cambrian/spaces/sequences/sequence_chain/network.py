"""Networks that are chains of layers over sequences. Every layer normalises what it reads (Ba et al. 2016;
before the layer, Xiong et al. 2020), and, after the first, is added to it where it is as wide.

    gru, lstm       recurrent layers (Cho et al. 2014; Hochreiter & Schmidhuber 1997) of torch, which run a
                    whole sequence at once
    conv_k          a gated convolution of k steps (Dauphin et al. 2017, Sec. 2)
    dilated_conv_k  the same with holes, twice as wide at each layer (Bai et al. 2018, Sec. 3.2)
    attention       multi-head attention (Vaswani et al. 2017, Sec. 3.2) that favours what is near, by a share
                    of the distance that each head has its own of (Press et al. 2022, ALiBi, Sec. 3)
    perceptron      two linear layers, on each step alone (Vaswani et al. 2017, Sec. 3.3)

What the first layer reads is in `embedding`; without a layer the network is a linear model of that, as the
bag of n-grams of Joulin et al. 2017.

A causal network reads no step after the one it answers for; any other reads both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, SHARE, check_numbers
from cambrian.spaces.sequences.sequence_chain.embedding import NGrams

EMBEDDING = 64
"""The most numbers that a row becomes before the first layer: a character needs no more."""
HEAD = 32
"""Numbers of an attention head."""
INNER = 4
"""The units within a perceptron, for each of its outputs."""
MULTIPLE = 16
"""Of which all widths are multiples."""


class Layer(NamedTuple):
    """`width` is a share of the network's hidden units."""

    operation: str
    width: float


class Plan(NamedTuple):
    """`embedding` is a name of EMBEDDINGS."""

    embedding: str
    layers: tuple[Layer, ...]


EMBEDDINGS: Mapping[str, Callable[[int, int], nn.Module]] = {"rows": nn.Linear, "n-grams": NGrams}
"""Makers, of (n, steps, features) -> (n, steps, width)."""


class SequenceNetwork(nn.Module):
    """Rows of an image, one after the other, through an embedding, the layers of a plan, and a linear layer.
    `shape` are the numbers of a row, the rows, and the classes. What answers once reads the greatest and the
    mean of each number over all rows (Howard & Ruder 2018, ULMFiT, Sec. 3.3)."""

    def __init__(
        self,
        read: Reading[Plan],
        shape: tuple[int, int, int],
        *,
        causal: bool,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_numbers(COUNT, hidden=hidden)
        check_numbers(SHARE, dropout=dropout)
        features, steps, classes = shape
        shares = read.value(lambda plan: [layer.width for layer in plan.layers])
        widths = [scale_units(hidden, share) for share in shares]
        self.causal = causal
        first = min(EMBEDDING, (widths or [scale_units(hidden, 1.0)])[0])
        self.embedding = EMBEDDINGS[read.value(lambda plan: plan.embedding)](features, first)
        self.layers = nn.Sequential()
        for place, (inputs, outputs) in enumerate(pairwise([first, *widths])):
            makers = _list_makers(inputs, outputs, steps, place, causal)
            # By their shares, so that a network of any size has the same sums.
            added = place > 0 and shares[place] == shares[place - 1]
            operation = read.fork(partial(_read_operation, place), makers, f"layer{place + 1}/operation")
            self.layers.append(Normalised(inputs, operation, added))
        # Only what layers have computed is normalised: sums of few and of many known n-grams differ.
        self.norm = nn.LayerNorm(widths[-1]) if widths else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear([first, *widths][-1] * (1 if causal else 2), classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes), or (n, classes, h)."""
        rows = images.transpose(1, 2).flatten(2)  # (n, h, channels * w)
        read = self.norm(self.layers(self.embedding(rows)))
        if not self.causal:
            read = torch.cat([read.amax(1), read.mean(1)], 1)
        logits: Tensor = self.head(self.dropout(read))
        return logits.transpose(1, 2) if self.causal else logits


def _read_operation(place: int, plan: Plan) -> str:
    return plan.layers[place].operation


def scale_units(hidden: int, width: float) -> int:
    """`width` times the units, in sixteens.

    >>> scale_units(128, 0.75), scale_units(8, 0.5)
    (96, 16)
    """
    return max(MULTIPLE, MULTIPLE * round(hidden * width / MULTIPLE))


def _list_makers(
    inputs: int, outputs: int, steps: int, place: int, causal: bool
) -> Mapping[str, Callable[[], nn.Module]]:
    shape = (inputs, outputs)
    return {
        "gru": partial(Recurrent, nn.GRU, *shape, causal),
        "lstm": partial(Recurrent, nn.LSTM, *shape, causal),
        "conv_3": partial(GatedConvolution, *shape, 3, 1, causal),
        "conv_7": partial(GatedConvolution, *shape, 7, 1, causal),
        # No wider than half of the sequence, beyond which it would read filling alone.
        "dilated_conv_3": partial(
            GatedConvolution, *shape, 3, min(2**place, 1 << (max(steps // 2, 1).bit_length() - 1)), causal
        ),
        "attention": partial(Attention, *shape, causal),
        "perceptron": partial(_make_perceptron, *shape),
    }


class Normalised(nn.Module):
    """`operation` of the normalised input, to which the input is added where it is `added`."""

    def __init__(self, width: int, operation: nn.Module, added: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.operation = operation
        self.added = added

    def forward(self, rows: Tensor) -> Tensor:
        """(n, steps, width) -> (n, steps, outputs)."""
        out: Tensor = self.operation(self.norm(rows))
        return rows + out if self.added else out


class Recurrent(nn.Module):
    """A recurrent layer; where it is not causal, half of its units read backwards."""

    def __init__(self, kind: Callable[..., nn.RNNBase], inputs: int, outputs: int, causal: bool) -> None:
        super().__init__()
        units = outputs if causal else outputs // 2
        self.recurrent = kind(inputs, units, batch_first=True, bidirectional=not causal)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, steps, inputs) -> (n, steps, outputs)."""
        out: Tensor = self.recurrent(rows)[0]
        return out


class GatedConvolution(nn.Module):
    """A convolution over the steps, half of whose results are gates of the other half."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, causal: bool) -> None:
        super().__init__()
        reach = (kernel - 1) * dilation
        self.fill = (reach, 0) if causal else (reach // 2, reach // 2)
        self.convolution = nn.Conv1d(inputs, 2 * outputs, kernel, dilation=dilation)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, steps, inputs) -> (n, steps, outputs)."""
        filled = F.pad(rows.transpose(1, 2), self.fill)
        return F.glu(self.convolution(filled), 1).transpose(1, 2)


class Attention(nn.Module):
    """Each head, of HEAD numbers, lowers its scores by its slope times the distance; a causal one attends to
    a step and those before it."""

    def __init__(self, inputs: int, outputs: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = max(1, outputs // HEAD), causal
        self.projections = nn.Linear(inputs, 3 * self.heads * HEAD)
        self.out = nn.Linear(self.heads * HEAD, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, steps, inputs) -> (n, steps, outputs)."""
        n, steps, _ = rows.shape
        parts = self.projections(rows).view(n, steps, 3, self.heads, HEAD)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (n, heads, steps, HEAD)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=self.lower(steps, rows))
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def lower(self, steps: int, like: Tensor) -> Tensor:
        """(heads, steps, steps), of the kind and on the device of `like`: what is added to the score of each
        key (last) for each query."""
        heads = torch.arange(1.0, self.heads + 1, dtype=like.dtype, device=like.device)
        slopes = 2.0 ** (-8.0 * heads / self.heads)  # Press et al. 2022, Sec. 3
        place = torch.arange(float(steps), dtype=like.dtype, device=like.device)
        ahead = place[None, :] - place[:, None]
        lowered = -slopes[:, None, None] * ahead.abs()
        return lowered.masked_fill(ahead > 0, -torch.inf) if self.causal else lowered


def _make_perceptron(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, INNER * outputs), nn.GELU(), nn.Linear(INNER * outputs, outputs))
