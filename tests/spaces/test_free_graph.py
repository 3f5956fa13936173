"""Freely grown networks: the linear start, the paper's mutations, and a forward written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cambrian.architecture import completions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.outcome import Done
from cambrian.randomness import stream
from cambrian.spaces.branches.free_graph.space import CHANNELS, RATE, STRIDES, FreeGraph
from cambrian.spaces.branches.layered import split
from cambrian.spaces.knowledge import Moves
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.evolution.tournament import Tournament, trivial
from cambrian.testing.play import Game, StrategyCase

SHAPE = Shape(2, 8, 8, 3)


def conv(**changes):
    return {
        "type": "conv",
        "height": 3,
        "width": 3,
        "stride": 1,
        "channels": 8,
        "activation": "relu",
    } | changes


def grown(space, *layers):
    """The architecture of these layers."""
    answers = {"layers": len(layers)}
    for n, layer in enumerate(layers, 1):
        answers |= {f"layer{n}/{k}": v for k, v in layer.items()}
        answers |= {f"layer{n}/skips": layer.get("skips", ())} if n > 1 else {}
    return replay(space, answers)


def test_all_begins_with_a_linear_model():
    """The first answers to all questions: logits are a linear function of the pixels."""
    space = FreeGraph(learning_rate=True)
    start = trivial(space, 0)
    assert dict(start) == {RATE: 0.1, "layers": 0}
    network = space.build(start, SHAPE)
    x, y = torch.randn(2, 4, 2, 8, 8)
    torch.testing.assert_close(network(x) + network(y) - network(0 * x), network(x + y))
    assert sum(p.numel() for p in network.parameters()) == 2 * 8 * 8 * 3 + 3


def test_small_spaces_are_counted():
    """Of L layers each one of k kinds, with 2^(L(L-1)/2) patterns of skips."""
    kinds = 1 + 4 * 4 * 3 * 6 * 2
    space = FreeGraph(2)
    assert sum(1 for _ in completions(space, {"layers": 1})) == kinds
    one = {"layers": 2, "layer1/type": "identity"}
    assert sum(1 for _ in completions(space, one)) == 2 * kinds
    rigid = {"layers": 4} | {f"layer{n}/type": "identity" for n in range(1, 5)}
    assert sum(1 for _ in completions(FreeGraph(4), rigid)) == 2**6


def test_a_network_written_by_hand():
    """A wide, small output and the image itself added to the backbone: resized, cut or filled up."""
    space = FreeGraph()
    torch.manual_seed(0)
    layers = (
        conv(channels=16),
        conv(stride=2, width=1, activation="linear"),
        {"type": "identity", "skips": (1, 0)},
    )
    network = space.build(grown(space, *layers, conv(channels=32)), SHAPE, width=1.0).eval()
    one, two, _, four = network[0].nodes
    x = torch.randn(2, 2, 8, 8)
    first = one(x)
    second = two(first)
    assert second.shape == (2, 8, 4, 4)
    image = torch.cat([x[:, :, ::2, ::2], torch.zeros(2, 6, 4, 4)], 1)
    third = second + first[:, :8, ::2, ::2] + image
    by_hand = network[-1](F.adaptive_avg_pool2d(four(third), 1).flatten(1))
    torch.testing.assert_close(network(x), by_hand)


def test_identities_without_skips_are_nothing():
    """The same network, weights and outputs, wherever they are put; with a skip they add."""
    space = FreeGraph()
    nothing = {"type": "identity"}
    bare = grown(space, conv(), conv(channels=16, skips=(0,)))
    same = grown(space, nothing, conv(), nothing, nothing, conv(channels=16, skips=(0,)), nothing)
    other = grown(space, conv(), conv(channels=16, skips=(0,)), nothing | {"skips": (1,)})
    assert space.canonical(bare) == space.canonical(same) != space.canonical(other)
    x = torch.randn(2, 2, 8, 8)
    outputs = []
    for architecture in (bare, same):
        torch.manual_seed(3)
        outputs.append(space.build(architecture, SHAPE).eval()(x))
    assert torch.equal(*outputs)


def ways(space, kind, architecture, draws=200):
    """Every architecture that a move led to."""
    moved = (space.know(Moves).move(kind, architecture, stream(n, "ways", kind)) for n in range(draws))
    return {a for a in moved if a is not None}


def test_the_trivial_network_can_only_grow_or_change_its_rate():
    """Nothing to remove, alter or skip: one layer more, or another learning rate."""
    space = FreeGraph(learning_rate=True)
    start = trivial(space, 0)
    led = {kind: ways(space, kind, start) for kind in space.know(Moves).moves}
    assert {kind for kind in led if led[kind]} == {
        "insert-convolution",
        "insert-one-to-one",
        "alter-learning-rate",
    }
    first = {grown_layer(a) for a in led["insert-convolution"]}
    assert first == {(3, 3, s, 8, f) for s in (1, 2) for f in ("relu", "linear")}
    assert {a[RATE] for a in led["alter-learning-rate"]} == {0.025, 0.05, 0.2, 0.4}


def grown_layer(architecture):
    (layer,) = split(architecture)
    return tuple(layer[k] for k in ("height", "width", "stride", "channels", "activation"))


def test_mutations_change_what_their_names_say():
    """From one network of three layers each leads to every network it may, and to no other."""
    space = FreeGraph(4)
    second = conv(stride=2, channels=32)
    start = grown(space, conv(), second, {"type": "identity", "skips": (0,)})
    third = {"type": "identity", "skips": (0,)}
    expected = {
        "remove-convolution": [
            (second, third),
            (conv(), third),
        ],
        "alter-stride": [(conv(stride=2), second, third)]
        + [(conv(), second | {"stride": s}, third) for s in (1, 4)],
        "alter-channels": [(conv(channels=16), second, third)]
        + [(conv(), second | {"channels": c}, third) for c in (16, 64)],
        "filter-size": [(conv(**{k: s}), second, third) for k in ("height", "width") for s in (1, 5)]
        + [(conv(), second | {k: s}, third) for k in ("height", "width") for s in (1, 5)],
        "add-skip": [(conv(), second | {"skips": (0,)}, third), (conv(), second, third | {"skips": (0, 1)})],
        "remove-skip": [(conv(), second, third | {"skips": ()})],
        "insert-one-to-one": [
            ({"type": "identity"}, conv(), second, third | {"skips": (0,)}),
            (conv(), {"type": "identity"}, second, third | {"skips": (0,)}),
            (conv(), second, {"type": "identity"}, third | {"skips": (0,)}),
            (conv(), second, third, {"type": "identity"}),
        ],
    }
    for kind, layers in expected.items():
        assert ways(space, kind, start) == {grown(space, *rows) for rows in layers}, kind
    inserted = ways(space, "insert-convolution", start)
    assert {a["layers"] for a in inserted} == {4}
    assert len(inserted) == 4 * 4 - 1  # one like the first is the same before it and behind it
    behind = [split(a)[2] for a in inserted if split(a)[1]["stride"] == 2 and split(a)[1]["channels"] == 32]
    assert {layer["channels"] for layer in behind if layer["type"] == "conv"} == {32}


def test_every_number_is_one_of_the_spaces():
    """A hundred moves in a row from the linear model stay inside the space and reach its bounds."""
    space = FreeGraph(5)
    architecture, seen, rng = trivial(space, 0), set(), np.random.default_rng(0)
    for _ in range(400):
        kind = space.know(Moves).moves[int(rng.integers(len(space.know(Moves).moves)))]
        architecture = space.know(Moves).move(kind, architecture, rng) or architecture
        assert replay(space, architecture) == architecture
        seen |= {
            (k, v) for layer in split(architecture) for k, v in layer.items() if k in ("stride", "channels")
        }
        seen.add(("layers", architecture["layers"]))
    assert {v for k, v in seen if k == "layers"} == set(range(6))
    assert {v for k, v in seen if k == "stride"} == set(STRIDES)
    assert {v for k, v in seen if k == "channels"} <= set(CHANNELS)


def test_tournaments_grow_networks_from_nothing():
    """Real's evolution with an accuracy that counts convolutions, six and more alike: from none to six,
    every member but the first a child of an earlier one."""
    space = FreeGraph(12)

    def convolutions(trial):
        count = sum(layer["type"] == "conv" for layer in split(trial.architecture))
        return Done(min(count, 6) / 6, seconds=1.0)

    case = StrategyCase(Tournament(population=10), space, trials=150)
    game = Game(case, measure=convolutions).play(150)
    found = [convolutions(t).value for t in game.trials]
    assert game.trials[0].architecture == trivial(space, 7)
    assert [t.parent for t in game.trials].count(None) == 1
    assert found[0] == 0
    assert max(found) == 1
    assert np.mean(found[-50:]) > 0.95 > np.mean(found[:50])


def test_mistakes_are_named():
    """Settings and skeletons."""
    with pytest.raises(SpaceError, match="layers is 1 to 30"):
        FreeGraph(0)
    some = sample(FreeGraph(), stream(0))
    with pytest.raises(UsageError, match="above 0"):
        FreeGraph().build(some, SHAPE, width=-1)
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        FreeGraph().build(some, SHAPE, wide=2)
