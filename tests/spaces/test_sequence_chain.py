"""The chain of layers over sequences: each layer against a second computation, networks by closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cambrian.architecture import sample
from cambrian.errors import SpaceError, UnknownName
from cambrian.estimators.build import signature
from cambrian.networks.measure.macs import macs
from cambrian.networks.measure.operation_totals import count_operations
from cambrian.networks.measure.params import params
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sequences.sequence_chain.embedding import ROWS
from cambrian.spaces.sequences.sequence_chain.network import (
    HEAD,
    Attention,
    GatedConvolution,
    Recurrent,
)
from cambrian.spaces.sequences.sequence_chain.space import (
    EMBEDDINGS,
    OPERATIONS,
    PORTFOLIO,
    SequenceChain,
)

CHARACTERS, LENGTH = 7, 12
TEXT = Shape(CHARACTERS, LENGTH, 1, CHARACTERS, causal=True)
ONCE = Shape(CHARACTERS, LENGTH, 1, 3)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", PORTFOLIO)
@pytest.mark.parametrize("shape", [TEXT, ONCE])
def test_each_network_of_the_portfolio_answers(name: str, shape: Shape) -> None:
    """After each character, or once; as many weights as a count of its layers by hand says."""
    space = SequenceChain()
    architecture = space.portfolio[name]
    network = space.build(architecture, shape, hidden=32)
    expected = (3, shape.classes, LENGTH) if shape.causal else (3, shape.classes)
    assert network(draw(3, CHARACTERS, LENGTH, 1)).shape == expected
    embedding, layers = PORTFOLIO[name]
    read = 32 if shape.causal else 64
    counted = (CHARACTERS + 1) * 32 + (read + 1) * shape.classes
    counted += 2 * 32 if layers else 0
    # Of n-grams of seven characters, and of none: 8^2, 8^3 and 8^4 vectors, and of length five ROWS.
    counted += 32 * (64 + 512 + 4096 + ROWS) if embedding == "n-grams" else 0
    # A recurrent layer that reads both ways is two of half the units.
    units, ways = (32, 1) if shape.causal else (16, 2)
    weights = {
        "gru": ways * 3 * units * (32 + units + 2),
        "lstm": ways * 4 * units * (32 + units + 2),
        "conv_3": 64 * (3 * 32 + 1),
        "conv_7": 64 * (7 * 32 + 1),
        "dilated_conv_3": 64 * (3 * 32 + 1),
        "attention": 33 * 3 * HEAD + (HEAD + 1) * 32,
        "perceptron": 33 * 128 + 129 * 32,
    }
    counted += sum(weights[operation] + 2 * 32 for operation, _ in layers)
    assert params(network) == counted


def test_widths_are_shares_of_the_hidden_units() -> None:
    """In sixteens; filters are eight units each; a layer is added to what it reads where both are as wide."""
    space = SequenceChain()
    network = space.build(
        space.architecture("rows", (("gru", 0.5), ("conv_3", 0.5), ("lstm", 2.0))), TEXT, filters=8
    )
    assert [layer.norm.normalized_shape for layer in network.layers] == [(32,), (32,), (32,)]
    assert [layer.added for layer in network.layers] == [False, True, False]
    small = space.build(space.architecture("rows", (("gru", 0.75), ("conv_3", 1.0))), TEXT, hidden=16)
    assert [layer.added for layer in small.layers] == [False, False]  # as wide by rounding alone
    assert network.head.in_features == 128


def test_attention_favours_what_is_near() -> None:
    """Written out: a softmax of scaled products less the distance times 2**-4 and 2**-8, no look ahead."""
    torch.manual_seed(0)
    layer, rows = Attention(24, 64, causal=True), draw(2, 5, 24)
    query, key, value = layer.projections(rows).view(2, 5, 3, 2, HEAD).permute(2, 0, 3, 1, 4)
    mixed = torch.zeros(2, 5, 2, HEAD)
    for head, slope in enumerate((2.0**-4, 2.0**-8)):
        for step in range(5):
            before = torch.arange(step + 1)
            scores = (key[:, head, : step + 1] @ query[:, head, step, :, None])[..., 0] / math.sqrt(HEAD)
            weights = (scores - slope * (step - before)).softmax(1)
            mixed[:, step, head] = (weights[..., None] * value[:, head, : step + 1]).sum(1)
    torch.testing.assert_close(layer(rows), layer.out(mixed.flatten(2)), rtol=1e-5, atol=1e-6)


def test_attention_that_looks_both_ways_lowers_both_sides_alike() -> None:
    lowered = Attention(24, 32, causal=False).lower(4, torch.zeros(1))
    assert torch.equal(lowered, lowered.transpose(1, 2))
    assert lowered[0, 0].tolist() == [0.0, -(2.0**-8), -(2.0**-7), -3 * 2.0**-8]


@pytest.mark.parametrize(("causal", "seen"), [(True, [3, 5, 7]), (False, [5, 7, 9])])
def test_a_dilated_convolution_reads_steps_apart(causal: bool, seen: list[int]) -> None:
    """Of kernel 3 with holes of one step: the steps whose change moves the answer at step 7."""
    torch.manual_seed(0)
    layer, rows = GatedConvolution(4, 6, 3, 2, causal), draw(1, 12, 4)
    moved = []
    for step in range(12):
        other = rows.clone()
        other[:, step] += 1
        if not torch.equal(layer(other)[:, 7], layer(rows)[:, 7]):
            moved.append(step)
    assert moved == seen


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_a_recurrent_layer_reads_both_ways_where_it_may(kind: type[nn.RNNBase]) -> None:
    """The last half of its units has seen the last step at the first one, the first half has not."""
    torch.manual_seed(0)
    layer, rows = Recurrent(kind, 4, 8, causal=False), draw(1, 6, 4)
    other = rows.clone()
    other[:, -1] += 1
    same = layer(rows)[0, 0] == layer(other)[0, 0]
    assert same.tolist() == [True] * 4 + [False] * 4


@pytest.mark.parametrize(("kind", "gates"), [(nn.GRU, 3), (nn.LSTM, 4), (nn.RNN, 1)])
def test_multiply_accumulates_of_a_recurrent_layer(kind: type[nn.RNNBase], gates: int) -> None:
    """Each of 12 steps passes through every matrix once: two layers that read both ways."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(7, 5, 2, batch_first=True, bidirectional=True)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layer(images[..., 0].transpose(1, 2))[0]

    expected = 12 * 2 * gates * 5 * ((7 + 5) + (10 + 5))
    shape = (CHARACTERS, LENGTH, 1)
    assert macs(Reader(), shape) == macs(Reader(), shape, computed=True) == expected
    assert count_operations(Reader(), shape)["macs"] == expected


@pytest.mark.parametrize("packed", [False, True])
def test_layers_that_are_called_by_name_or_with_packed_sequences_count(packed: bool) -> None:
    """And a cell that a network runs step by step."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(7, 5, batch_first=True)
            self.cell = nn.GRUCell(5, 4)
            self.head = nn.Linear(4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            rows = images[..., 0].transpose(1, 2)
            read = rows
            if packed:
                read = nn.utils.rnn.pack_padded_sequence(rows, [LENGTH] * len(rows), batch_first=True)
            _, (last, _) = self.layer(input=read)
            return self.head(input=self.cell(last[0]))

    expected = LENGTH * 4 * 5 * (7 + 5) + 3 * 4 * (5 + 4) + 4 * 3
    assert macs(Reader(), (CHARACTERS, LENGTH, 1), computed=True) == expected
    if not packed:  # lengths are read on the CPU
        assert count_operations(Reader(), (CHARACTERS, LENGTH, 1))["macs"] == expected


def test_the_number_of_architectures() -> None:
    """Of one layer all are drawn; the closed form counts them."""
    space = SequenceChain(layers=1)
    drawn = {sample(space, stream(0, "size", n)) for n in range(1200)}
    assert len(drawn) == space.size(0) + space.size(1) == len(EMBEDDINGS) * (1 + len(OPERATIONS) * 5)


def test_a_shallow_space_has_the_networks_that_fit() -> None:
    assert list(SequenceChain(layers=1).portfolio) == ["lstm", "n-gram-lstm", "n-grams", "cnn", "gru"]
    with pytest.raises(SpaceError, match="layers is 1 to 24, got 0"):
        SequenceChain(layers=0)


def test_the_favourite_comes_first() -> None:
    """And is no second network; an unknown one is refused with the nearest name."""
    space = SequenceChain(favourite="cnn")
    assert next(iter(space.portfolio)) == "cnn"
    assert dict(space.portfolio) == dict(SequenceChain().portfolio)
    with pytest.raises(UnknownName, match="n-grams"):
        SequenceChain(favourite="n-gram")


def test_rows_of_pixels_are_read_too() -> None:
    """Eight rows of a digit: any image is a sequence of its rows."""
    import cambrian

    task = cambrian.load("digits")
    space = SequenceChain()
    network = space.build(space.portfolio["lstm"], signature(task, Fidelity()), hidden=16)
    assert network(draw(2, 1, 8, 8)).shape == (2, 10)
