"""A transformer encoder that classifies images (Dosovitskiy et al. 2021; DeiT, Touvron et al. 2021), with
the freedoms of AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651, Sec. 3.1): each layer has its own
number of heads, whose width is fixed, and its own hidden width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.sharing.elastic import Slice
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers, check_truths

REACH = 14  # relative positions further apart than this are one (Wu et al. 2021; AutoFormer, Sec. 4.1)

SMALL = 0.02 * math.sqrt(3)  # bounds of a uniform distribution of standard deviation 0.02

Layer = tuple[int, int]  # heads, width of the hidden layer


Widths = tuple[int, tuple[Layer, ...]]  # of the tokens, and of each layer


def network(
    read: Reading[Widths],
    most: Widths,
    channels: int,
    height: int,
    width: int,
    classes: int,
    *,
    head_width: int,
    patch: int | None = None,
    relative: bool = True,
    causal: bool = False,
) -> nn.Module:
    """See `vision_transformer`. Shared, all weights are slices of the largest network's (`most`), which
    AutoFormer calls entanglement (Sec. 3.2): the first numbers of a token, the first heads, the first
    hidden units, the first layers."""

    def make(widths: Widths) -> nn.Module:
        shape = (channels, height, width, classes)
        return vision_transformer(
            *widths, *shape, head_width=head_width, patch=patch, relative=relative, causal=causal
        )

    return read.elastic(lambda widths: widths, make, most, lambda widths: _heads(widths, most, head_width))


def _heads(widths: Widths, most: Widths, head_width: int) -> dict[str, Slice]:
    """The rows of the first heads' queries, keys and values, where those of all queries come first."""
    slices: dict[str, Slice] = {}
    for n, ((heads, _), (most_heads, _)) in enumerate(zip(widths[1], most[1], strict=False)):
        whole_part, part = most_heads * head_width, heads * head_width
        # Queries, keys and values lie one after the other, each with the first heads first.
        rows = tuple(k * whole_part + row for k in range(3) for row in range(part))
        slices[f"layers.{n}.attention.qkv."] = Slice(3 * whole_part, rows)
    return slices


def vision_transformer(
    embedding: int,
    layers: Sequence[Layer],
    channels: int,
    height: int,
    width: int,
    classes: int,
    *,
    head_width: int,
    patch: int | None = None,
    relative: bool = True,
    causal: bool = False,
) -> VisionTransformer:
    """Takes float[n, channels, height, width], gives float[n, classes]. `patch` is the side of a patch
    (None: `fitting_patch`); `relative` gives every layer relative positions beside the absolute ones. A
    `causal` one gives float[n, classes, height], of images one pixel wide."""
    patch = fitting_patch(height, width) if patch is None else patch
    check_numbers(COUNT, patch=patch)
    if causal and patch != 1:
        raise UsageError(
            f"skeleton setting patch: 1 where each character of a text has an answer, got {patch}"
        )
    check_truths(relative=relative)
    # Rounded up: `PatchEmbedding` fills an image up to whole patches.
    grid = (math.ceil(height / patch), math.ceil(width / patch))
    blocks = [
        EncoderLayer(embedding, heads, hidden, head_width, grid if relative else None, causal)
        for heads, hidden in layers
    ]
    patches = PatchEmbedding(channels, height, width, patch, embedding)
    network = VisionTransformer(patches, blocks, classes, causal)
    network.apply(_initialise)
    return network


def fitting_patch(height: int, width: int) -> int:
    """The power of two nearest to the root of the shorter side, the lesser of two equally near.

    >>> [fitting_patch(n, n) for n in (8, 28, 32, 64, 224)]
    [2, 4, 4, 8, 16]
    """
    return int(2 ** max(0, math.ceil(math.log2(min(height, width)) / 2 - 0.5)))


class VisionTransformer(nn.Module):
    """Patches, a class token before them and learned positions; encoder layers; the token's class, or, of a
    `causal` one, that of each patch."""

    def __init__(
        self, patches: PatchEmbedding, layers: Sequence[EncoderLayer], classes: int, causal: bool = False
    ) -> None:
        super().__init__()
        self.causal = causal
        self.patches = patches
        width = patches.projection.out_channels
        self.class_token = nn.Parameter(torch.empty(width))
        self.positions = nn.Parameter(torch.empty(1 + patches.count, width))
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        for parameter in (self.class_token, self.positions):
            nn.init.uniform_(parameter, -SMALL, SMALL)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes), or (n, classes, patches)."""
        patches = self.patches(images)
        token = self.class_token.expand(patches.shape[0], 1, -1)
        tokens = self.layers(torch.cat([token, patches], 1) + self.positions)  # (n, 1 + patches, width)
        logits: Tensor = self.head(self.norm(tokens[:, 1:] if self.causal else tokens[:, 0]))
        return logits.transpose(1, 2) if self.causal else logits


class PatchEmbedding(nn.Module):
    """Each patch through one linear map; an image that is not whole patches is filled up with zeros."""

    def __init__(self, channels: int, height: int, width: int, patch: int, out: int) -> None:
        super().__init__()
        self.fill = nn.ZeroPad2d((0, -width % patch, 0, -height % patch))
        self.projection = nn.Conv2d(channels, out, patch, patch)
        self.count = math.ceil(height / patch) * math.ceil(width / patch)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, patches row by row, out)."""
        patches: Tensor = self.projection(self.fill(images))
        return patches.flatten(2).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Attention, then a perceptron on every token alone, each normalised first and added to its input."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        head_width: int,
        grid: tuple[int, int] | None,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, head_width, grid, causal)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) -> the same."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        out: Tensor = tokens + self.perceptron(self.perceptron_norm(tokens))
        return out


class Attention(nn.Module):
    """Multi-head self-attention whose queries, keys and values have `heads * head_width` numbers, whatever
    the width of the tokens. With a `grid` of patches, keys and values know how far off they are. Where it is
    `causal`, a token attends to itself and those before it."""

    def __init__(
        self, width: int, heads: int, head_width: int, grid: tuple[int, int] | None, causal: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.head_width, self.causal = heads, head_width, causal
        self.qkv = nn.Linear(width, 3 * heads * head_width)
        self.projection = nn.Linear(heads * head_width, width)
        self.key_offsets = None if grid is None else RelativePositions(grid, head_width)
        self.value_offsets = None if grid is None else RelativePositions(grid, head_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) -> the same."""
        n, count, _ = tokens.shape
        qkv = self.qkv(tokens).view(n, count, 3, self.heads, self.head_width)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (n, heads, tokens, head width)
        scores = query @ key.transpose(-2, -1)
        if self.key_offsets is not None:
            # Before the softmax, as if every key were moved by its offset (Shaw et al. 2018, Eq. 4).
            scores = scores + torch.einsum("bhqc,qkc->bhqk", query, self.key_offsets())
        if self.causal:
            scores = scores + scores.new_full((count, count), -torch.inf).triu(1)
        weights = (scores / math.sqrt(self.head_width)).softmax(-1)
        mixed = weights @ value
        if self.value_offsets is not None:
            mixed = mixed + torch.einsum("bhqk,qkc->bhqc", weights, self.value_offsets())
        out: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return out


class RelativePositions(nn.Module):
    """A learned vector for how many rows, and one for how many columns, a key lies off its query (Shaw et
    al. 2018 in two dimensions); whatever involves the class token is number 0."""

    rows: Tensor
    columns: Tensor

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.by_row = nn.Parameter(torch.empty(2 * REACH + 2, width))
        self.by_column = nn.Parameter(torch.empty(2 * REACH + 2, width))
        for table in (self.by_row, self.by_column):
            nn.init.uniform_(table, -SMALL, SMALL)
        rows, columns = np.indices(grid).reshape(2, -1)
        self.register_buffer("rows", torch.tensor(_offsets(rows)), persistent=False)
        self.register_buffer("columns", torch.tensor(_offsets(columns)), persistent=False)

    def forward(self) -> Tensor:
        """(queries, keys, width)."""
        return self.by_row[self.rows] + self.by_column[self.columns]


def _offsets(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """int[1 + patches, 1 + patches]: how far patch k lies beyond patch q, counted from 1. In numpy, since
    on the meta device the first operation on integers imports PyTorch's compiler, which takes seconds."""
    distance = np.clip(at[None, :] - at[:, None], -REACH, REACH) + REACH + 1
    # Row and column 0 are the class token, which lies nowhere: number 0.
    return np.pad(distance, (1, 0))


def _initialise(module: nn.Module) -> None:
    """Draw weights by the layer's width (Dosovitskiy et al.): DeiT's fixed scale suits wide tokens only."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
