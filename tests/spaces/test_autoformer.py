"""AutoFormer's transformer encoders."""

from __future__ import annotations

import pytest
import torch

from cambrian.architecture import completions, replay, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sequences.autoformer.network import EncoderLayer, RelativePositions, fitting_patch
from cambrian.spaces.sequences.autoformer.space import AutoFormer
from cambrian.tasks.loading import load
from small_training import estimated

IMAGENET = Shape(3, 224, 224, 1000)

# Heads and ratios of the released subnets' layers (experiments/subnet/*.yaml of microsoft/Cream).
RELEASED = {
    "tiny": (192, (3,) * 10 + (4, 3, 3), (3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5)),
    "small": (384, (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7), (3, 3.5, 3, 3.5, *(4,) * 7, 3.5, 4)),
    "base": (
        576,
        (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
        (3.5, 3.5, 4, 3.5, 4, 3.5, 3.5, 3, 4, 4, 3, 4, 3, 3.5),
    ),
}


def parameters(space, architecture, shape, **skeleton):
    with torch.device("meta"):
        return sum(p.numel() for p in space.build(architecture, shape, **skeleton).parameters())


@pytest.mark.parametrize(
    ("embedding", "heads", "published"),
    [(192, 3, 5_717_416), (384, 6, 22_050_664), (768, 12, 86_567_656)],
)
def test_deit_is_a_member_of_the_family(embedding, heads, published):
    """Touvron et al. 2021, Table 1, with timm's exact counts: 12 layers, ratio 4, patches of 16 pixels."""
    space = AutoFormer((embedding,), (heads,), (4.0,), (12, 12), 64)
    architecture = space.architecture(embedding, [(heads, 4.0)] * 12)
    assert parameters(space, architecture, IMAGENET, relative=False) == published


@pytest.mark.parametrize(("name", "published"), [("small", 22.9), ("base", 53.7)])
def test_released_autoformers_have_their_published_size(name, published):
    """Chen et al. 2021, abstract, in millions: members of the paper's spaces, with relative positions."""
    embedding, heads, ratios = RELEASED[name]
    space = getattr(AutoFormer, name)()
    architecture = space.architecture(embedding, list(zip(heads, ratios, strict=True)))
    assert replay(space, architecture) == architecture
    assert round(parameters(space, architecture, IMAGENET) / 1e6, 1) == published


def test_the_released_tiny_one_is_not_of_the_space_it_was_published_with():
    """Some of its layers have ratio 3, which Table 1 does not offer, and as built here it has 5.9 million
    parameters (5.8 without relative positions), not the paper's 5.7."""
    embedding, heads, ratios = RELEASED["tiny"]
    answers = AutoFormer().architecture(embedding, list(zip(heads, ratios, strict=True)))
    with pytest.raises(IllegalArchitecture, match=r"layer3/ratio'.*3\.0 is not an option"):
        AutoFormer.tiny().build(answers, IMAGENET)
    wider = AutoFormer((192,), (3, 4), (3.0, 3.5, 4.0), (12, 14), 64)
    counted = [parameters(wider, answers, IMAGENET, relative=relative) / 1e6 for relative in (True, False)]
    assert [round(n, 1) for n in counted] == [5.9, 5.8]


def test_parameters_follow_the_closed_form():
    """Weights and biases added up by hand, for sampled architectures on images of any shape."""
    for n, shape in enumerate([Shape(1, 8, 8, 10), Shape(3, 32, 32, 7), Shape(2, 28, 20, 3)] * 3):
        space = AutoFormer()
        architecture = sample(space, stream(0, n))
        d, side = architecture["embedding"], fitting_patch(shape.height, shape.width)
        tokens = 1 + -(-shape.height // side) * -(-shape.width // side)
        total = (shape.channels * side**2 + 1) * d + d + tokens * d + 2 * d + (d + 1) * shape.classes
        for i in range(1, architecture["depth"] + 1):
            inner = 16 * architecture[f"layer{i}/heads"]
            hidden = int(d * architecture[f"layer{i}/ratio"])
            total += 3 * (d + 1) * inner + (inner + 1) * d  # attention
            total += (d + 1) * hidden + (hidden + 1) * d + 4 * d  # perceptron, two normalisations
            total += 2 * 2 * 30 * 16  # keys' and values' offsets, by row and by column
        assert parameters(space, architecture, shape) == total


def test_a_layer_is_torchs_own():
    """Given the same weights, the pre-norm layer of torch.nn where attention is as wide as the tokens."""
    torch.manual_seed(0)
    ours = EncoderLayer(width=48, heads=3, hidden=96, head_width=16, grid=None)
    theirs = torch.nn.TransformerEncoderLayer(48, 3, 96, 0.0, "gelu", batch_first=True, norm_first=True)
    pairs = {
        "self_attn.in_proj_": ours.attention.qkv,
        "self_attn.out_proj.": ours.attention.projection,
        "linear1.": ours.perceptron[0],
        "linear2.": ours.perceptron[2],
        "norm1.": ours.attention_norm,
        "norm2.": ours.perceptron_norm,
    }
    weights = {f"{k}{kind}": getattr(m, kind).data for k, m in pairs.items() for kind in ("weight", "bias")}
    theirs.load_state_dict(weights)
    tokens = torch.randn(2, 5, 48)
    torch.testing.assert_close(ours(tokens), theirs(tokens))


def test_relative_positions_are_the_papers():
    """Attention by hand, one pair of tokens at a time, on a grid of 2 x 3 patches behind a class token."""
    torch.manual_seed(0)
    layer = EncoderLayer(width=8, heads=1, hidden=8, head_width=4, grid=(2, 3)).attention
    tokens = torch.randn(1, 7, 8)
    query, key, value = layer.qkv(tokens)[0].chunk(3, -1)

    def offset(table: RelativePositions, q: int, k: int) -> torch.Tensor:
        if q == 0 or k == 0:
            return table.by_row[0] + table.by_column[0]
        (row, column), (row2, column2) = divmod(q - 1, 3), divmod(k - 1, 3)
        return table.by_row[15 + row2 - row] + table.by_column[15 + column2 - column]

    out = []
    for q in range(7):
        keys = torch.stack([key[k] + offset(layer.key_offsets, q, k) for k in range(7)])
        values = torch.stack([value[k] + offset(layer.value_offsets, q, k) for k in range(7)])
        out.append(torch.softmax(keys @ query[q] / 2, 0) @ values)
    torch.testing.assert_close(layer(tokens)[0], layer.projection(torch.stack(out)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (1, 28, 28), (2, 64, 16)])
def test_any_image_can_be_read(shape):
    """Also where patches do not fit: what they lack are zeros."""
    space = AutoFormer()
    architecture = space.architecture(32, [(2, 2.0)] * 2)
    images = torch.randn(2, *shape)
    for skeleton in ({}, {"patch": 3}):
        torch.manual_seed(0)
        network = space.build(architecture, Shape(*shape, 4), **skeleton).eval()
        assert network(images).shape == (2, 4)
    torch.manual_seed(0)
    rows, columns = -(-shape[1] // 3) * 3, -(-shape[2] // 3) * 3
    whole = space.build(architecture, Shape(shape[0], rows, columns, 4), patch=3).eval()
    filled = torch.nn.functional.pad(images, (0, columns - shape[2], 0, rows - shape[1]))
    torch.testing.assert_close(network(images), whole(filled))


def test_the_papers_spaces_are_counted():
    """Of Table 1: every layer has its own heads and ratio, all share the width; a small one by walking it."""
    assert sum(AutoFormer.tiny().size(n) for n in (12, 13, 14)) == 3 * (4**12 + 4**13 + 4**14)
    assert sum(AutoFormer.base().size(n) for n in (14, 15, 16)) == 3 * (9**14 + 9**15 + 9**16)
    few = AutoFormer((32, 48), (2, 3), (2.0, 3.0, 4.0), (1, 2))
    assert len(set(completions(few, {}))) == few.size(1) + few.size(2) == 2 * (6 + 36)


def test_only_ratios_of_the_same_whole_width_are_one_function():
    """Of two ratios close to one another, as their networks' modules are the same."""
    space = AutoFormer((32,), (2, 3), (2.0, 2.01, 2.5), (1, 1))
    near, same, other = (space.architecture(32, [(2, r)]) for r in (2.0, 2.01, 2.5))
    shape = Shape(1, 8, 8, 10)
    assert space.canonical(near) == space.canonical(same) != space.canonical(other)
    assert str(space.build(near, shape)) == str(space.build(same, shape)) != str(space.build(other, shape))
    pool = space.know(Grows).grow([], stream(0))
    assert (len(pool), pool.before) == (4, 6)


def test_growth_adds_a_layer():
    """Children have one layer more, and all that their parent is: as many as a layer has forms."""
    space = AutoFormer()
    parent = space.architecture(48, [(2, 3.0), (4, 2.0)])
    pool = space.know(Grows).grow([parent], stream(0))
    children = [pool.architecture(i) for i in range(len(pool))]
    assert len(set(children)) == 9
    assert all(
        child["depth"] == 3 and dict(parent).items() - child.items() == {("depth", 2)} for child in children
    )


def test_the_graph_has_both_residual_connections():
    """Of every layer: what is read is added to what comes out."""
    space = AutoFormer()
    graph = space.graph(space.architecture(48, [(2, 3.0)]))
    assert graph.labels == ("input", "patches 48", "attention 2", "add", "perceptron x3", "add", "output")
    assert graph.edges == ((0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 5), (5, 6))


def test_mistakes_are_named():
    """Settings of the space and of the skeleton."""
    with pytest.raises(SpaceError, match="heads are"):
        AutoFormer(heads=())
    with pytest.raises(SpaceError, match="least and the greatest number of layers"):
        AutoFormer(depths=(3, 2))
    space = AutoFormer()
    architecture = space.architecture(48, [(2, 3.0)] * 2)
    with pytest.raises(UnknownName, match="did you mean 'patch'"):
        space.build(architecture, Shape(1, 8, 8, 10), patches=2)
    with pytest.raises(UsageError, match="patch is at least 1, got 0"):
        space.build(architecture, Shape(1, 8, 8, 10), patch=0)


@pytest.mark.slow
def test_it_learns_digits():
    """Two layers, six epochs, scikit-learn's digits: above 90 % of the test images."""
    space = AutoFormer()
    recipe = Train(optimiser="adamw", learning_rate=6e-3, weight_decay=0.05, batch_size=32, crop=0)
    _, outcome = estimated(
        recipe, load("digits"), Fidelity(6), space.architecture(48, [(3, 2.0)] * 2), space, stage="deliver"
    )
    assert isinstance(outcome, Done)
    assert outcome.metrics["test_accuracy"] > 0.9, outcome.metrics
