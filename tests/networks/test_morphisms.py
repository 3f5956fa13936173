"""Network morphisms: a child begins with its parent's function, and with the state of its optimiser."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cambrian.architecture import sample
from cambrian.networks.morphisms.moments import carry_moments
from cambrian.networks.morphisms.morphism import Inherited, compare, inherit_function
from cambrian.networks.morphisms.statistics import estimate_norms
from cambrian.networks.morphisms.transfers import share_columns, spread_units, strongest_units
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Morphs, know
from cambrian.spaces.program.function_space import Shape

IMAGE = (3, 8, 8)
SHAPE = Shape(3, 8, 8, 4)
KEPT = 1e-5


def conv(channels: int, out: int, kernel: int = 3) -> nn.Sequential:
    layers = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    return nn.Sequential(*layers)


def chain(*widths: int, kernel: int = 3) -> nn.Sequential:
    layers = [conv(a, b, kernel) for a, b in itertools.pairwise([3, *widths])]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 4))


def disturb(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with the statistics, weights and biases of a trained one, none of which is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0, generator=generator)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    return network


def inherit(child: nn.Module, parent: nn.Module, spread: float = 0.2) -> Inherited:
    inherited = inherit_function(child, disturb(parent), IMAGE, spread)
    assert inherited.exact
    assert compare(child, parent, IMAGE) < KEPT
    return inherited


def some_images(count: int = 32) -> Tensor:
    return torch.randn(count, *IMAGE, generator=torch.Generator().manual_seed(1))


def test_copies_share_outgoing_weights_by_their_counts() -> None:
    """Units 1, 1, 1 and 3, 3 of [0, 1, 2, 3, 1, 1, 3] take thirds and halves (Chen et al. 2016, Eq. 6); with
    a random part their shares differ and sum to 1."""
    mapping = [0, 1, 2, 3, 1, 1, 3]
    counts = Counter(mapping)
    assert [counts[k] for k in range(4)] == [1, 3, 1, 2]
    generator = torch.Generator().manual_seed(0)
    for unit, count in counts.items():
        places = [i for i, u in enumerate(mapping) if u == unit]
        equal = share_columns(places, [unit], generator, spread=0.0)
        assert [share for _, _, share in equal] == pytest.approx([1 / count] * count)
        uneven = [share for _, _, share in share_columns(places, [unit], generator, spread=0.2)]
        assert sum(uneven) == pytest.approx(1)
        assert count == 1 or len(set(uneven)) == count
    assert spread_units(3, 5)[:3] == [0, 1, 2]
    assert strongest_units(torch.tensor([[1.0], [-3.0], [2.0]]), 2) == [1, 2]


def test_wider_is_the_same_function_in_training_too() -> None:
    """Copies have the statistics of their originals: conv-BN-ReLU-conv is widened exactly in either mode."""
    parent, child = chain(4, 6), chain(7, 11)
    assert inherit(child, parent).share > 0.99  # all but counters of batches
    images = some_images()
    assert torch.allclose(child.train()(images), parent.train()(images), atol=1e-6)


def test_deeper_is_the_same_function_once_its_statistics_are_estimated() -> None:
    """A new layer with normalisation is an identity in evaluation; in training with stale statistics it is
    far from one, with those of the same batch within 1e-3, and running statistics of others stay."""
    parent, child = chain(4, 6), chain(4, 4, 6)
    inherited = inherit(child, parent)
    images = some_images()
    before = {name: t.clone() for name, t in child.state_dict().items()}
    expected = parent.train()(images)
    stale = (child.train()(images) - expected).abs().max()
    child.load_state_dict(before)
    estimate_norms(child, inherited.norms, images)
    assert torch.equal(child.state_dict()["0.1.running_mean"], before["0.1.running_mean"])
    fresh = (child.train()(images) - expected).abs().max()
    assert stale > 0.05
    assert fresh < 1e-3


def test_kernels_grow_by_zeros() -> None:
    """A 3x3 kernel lies in the middle of a 5x5 one."""
    parent, child = chain(4, 6), chain(4, 6, kernel=5)
    inherit(child, parent)
    weight = child.state_dict()["1.0.weight"]
    assert torch.equal(weight[:, :, 1:-1, 1:-1], parent.state_dict()["1.0.weight"])
    assert weight[:, :, 0].abs().sum() == 0


class Body(nn.Module):
    """A chain of two layers with, by name, what is added to it."""

    def __init__(self, extra: str = "") -> None:
        super().__init__()
        self.one, self.two, self.extra = conv(3, 4), conv(4, 4), extra
        self.head = nn.Linear(8 if extra == "concat" else 4, 4)
        self.gate = nn.Parameter(torch.rand(1)) if extra == "gate" else None
        self.branch = conv(4, 4)[:2] if extra == "branch" else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        y = self.two(x)
        if self.gate is not None:
            y = y + self.gate * x
        if self.branch is not None:
            y = y + self.branch(x)
        if self.extra == "concat":
            y = torch.cat([y, x], 1)
        out: Tensor = self.head(y.mean((2, 3)))
        return out


@pytest.mark.parametrize("extra", ["gate", "branch", "concat"])
def test_skips_and_branches_begin_without_effect(extra: str) -> None:
    """A gated skip begins with a gate of zero, a branch with a last layer of zeros, a concatenated skip with
    zero weights behind it: and all of them have gradients."""
    child = Body(extra)
    inherit(child, Body())
    child.train()(some_images()).square().sum().backward()
    new = {"gate": child.gate, "branch": getattr(child.branch, "1", None), "concat": child.head}[extra]
    gradient = new.grad if isinstance(new, nn.Parameter) else new.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


class Residual(nn.Module):
    """Blocks that are added to their input."""

    def __init__(self, width: int, depth: int, inner: int = 1) -> None:
        super().__init__()
        self.stem = conv(3, width)
        paths = [nn.Sequential(*(conv(width, width) for _ in range(inner))) for _ in range(depth)]
        self.blocks, self.head = nn.ModuleList(paths), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        out: Tensor = self.head(x.mean((2, 3)))
        return out


@pytest.mark.parametrize(("width", "depth", "inner"), [(7, 2, 1), (4, 3, 1), (4, 2, 2)])
def test_residual_networks_grow(width: int, depth: int, inner: int) -> None:
    """Wider (what is added copies the same units), with one more block (which begins silent), and with deeper
    blocks (whose new layers pass on)."""
    inherit(Residual(width, depth, inner), Residual(4, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["network-morphism", "stages", "metaqnn", "tiny-chain"])
@pytest.mark.parametrize("seed", range(10))
def test_several_morphisms_at_once_keep_the_function(name: str, seed: int) -> None:
    """Five random moves between a parent and its child, as NASH makes them. What claims to be exact is."""
    space = SPACES.make(name)
    morphing = know(space, Morphs)
    assert morphing is not None
    rng = stream(seed, "several", name)
    first = child = sample(space, rng)
    for kind in rng.choice(morphing.morphs, 5).tolist():
        child = morphing.morph(kind, child, rng) or child
    parent, network = (space.build(a, SHAPE) for a in (first, child))
    inherited = inherit_function(network, disturb(parent), IMAGE)
    assert inherited.exact, (dict(first), dict(child), inherited.lost)
    assert inherited.difference < KEPT


def test_a_new_layer_narrower_than_what_it_reads_passes_each_function_on() -> None:
    """Twelve copies of four functions go through four new channels, and the first four functions of a
    concatenation do: both as the first edits of NASH make them."""
    inherit(chain(12, 4, 6), chain(4, 6))
    inherit(chain(16, 16, 16, kernel=5), chain(16))


@pytest.mark.parametrize("seed", [15, 25, 46])
def test_branches_of_what_was_nothing_begin_silent(seed: int) -> None:
    """A cell of NAS-Bench-201 whose nodes are zero, or constants of a normalisation of zeros: six moves give
    them inputs, of which none may show."""
    space = SPACES.make("nasbench201")
    morphing = know(space, Morphs)
    assert morphing is not None
    rng = stream(seed, "several", "nasbench201")
    first = child = sample(space, rng)
    for kind in rng.choice(morphing.morphs, 6).tolist():
        child = morphing.morph(kind, child, rng) or child
    assert child != first
    parent, network = (space.build(a, SHAPE, filters=4, cells=1) for a in (first, child))
    inherited = inherit_function(network, disturb(parent), IMAGE)
    assert inherited.exact
    assert inherited.difference < KEPT


class Padded(nn.Module):
    """Two layers that are added, what is between, and a layer that reads it."""

    def __init__(self, width: int, between: nn.Module, deeper: bool = False) -> None:
        super().__init__()
        self.left, self.right = conv(3, width, 3), conv(3, width, 3)
        self.between, self.head = between, conv(width, 4, 3)
        self.deeper = nn.Sequential(conv(width, width, 3), nn.ReLU()) if deeper else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.deeper(self.between(torch.relu(self.left(x) + self.right(x))))).mean(
            (2, 3)
        )
        return out


@pytest.mark.parametrize("pad", [nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d])
def test_wider_layers_before_any_padding(pad: Callable[[int], nn.Module]) -> None:
    """Zeros around an image, or its own pixels: channel by channel, of a silent one still nothing."""
    inherited = inherit_function(Padded(9, pad(1)), disturb(Padded(6, pad(1))), IMAGE)
    assert inherited.exact
    assert inherited.difference < KEPT


def test_what_is_padded_by_a_number_is_not_claimed_to_be_kept() -> None:
    """The number is in the channels that were silent, too."""
    assert not inherit_function(
        Padded(9, nn.ConstantPad2d(1, 0.5)), disturb(Padded(6, nn.ConstantPad2d(1, 0.5))), IMAGE
    ).exact


@pytest.mark.parametrize(("mode", "kept"), [("bilinear", True), ("bicubic", False)])
def test_a_rectifier_behind_an_enlarged_image(mode: str, kept: bool) -> None:
    """A new layer with a rectifier passes on what is never below 0, as bilinear interpolation of rectified
    images is; bicubic overshoots, and was claimed to be passed on."""
    parent, child = (Padded(6, nn.Upsample(scale_factor=2, mode=mode), deeper) for deeper in (False, True))
    inherited = inherit_function(child, disturb(parent), IMAGE)
    assert inherited.exact == kept == (inherited.difference < KEPT)


READERS: dict[str, Callable[[Tensor], Tensor]] = {
    "T": lambda weight: weight.T,
    "mT": lambda weight: weight.mT,
    "data": lambda weight: weight.data.t(),
}
"""Ways to a transposed weight by a property of the tensor."""


def assign_slice(x: Tensor, empty: Tensor) -> Tensor:
    empty[:, : x.shape[1]] = x
    return empty


def write_view(x: Tensor, empty: Tensor) -> Tensor:
    part = empty[:, : x.shape[1]]
    part.copy_(x)
    return empty


def read_before(x: Tensor, empty: Tensor) -> Tensor:
    flat = empty.view(-1)
    empty[:, : x.shape[1]] = x
    return flat.view(empty.shape)


WRITERS = {"slice": assign_slice, "view": write_view, "view of what is written": read_before}


class Written(nn.Module):
    """Layers whose result is written into an empty map of more channels, and a linear map whose weight is
    read by a property, before the classifier."""

    def __init__(
        self, depth: int, read: Callable[[Tensor], Tensor], write: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(3, 6), *(conv(6, 6) for _ in range(depth)))
        self.weight = nn.Parameter(torch.randn(6, 8))
        self.classifier = nn.Linear(6, 4)
        self.read, self.write = read, write

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        empty = torch.zeros(len(x), 8, *x.shape[2:])
        pooled = self.write(x, empty).mean((2, 3))
        logits: Tensor = self.classifier(pooled @ self.read(self.weight))
        return logits


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("write", WRITERS)
def test_properties_and_assignments_are_seen(read: str, write: str) -> None:
    """A weight that is read by a property of its tensor is the parent's, and a new layer whose result is
    assigned to a slice passes its input on: both stayed random, and were claimed to be kept."""
    parent, child = (Written(depth, READERS[read], WRITERS[write]) for depth in (1, 2))
    inherit(child, parent)
    assert torch.equal(child.weight, parent.weight)


def test_a_child_that_shrinks_keeps_its_strongest_filters() -> None:
    """Pruning is approximate: the filters of largest norm stay, and the loss is named."""
    parent, child = disturb(chain(6, 4)), chain(3, 4)
    inherited = inherit_function(child, parent, IMAGE)
    chosen = strongest_units(parent.state_dict()["0.0.weight"], 3)
    assert not inherited.exact
    assert "1.0.weight" in inherited.lost
    assert torch.equal(child.state_dict()["0.0.weight"], parent.state_dict()["0.0.weight"][chosen])
    assert torch.equal(child.state_dict()["1.0.weight"], parent.state_dict()["1.0.weight"][:, chosen])


def test_moments_go_with_their_units() -> None:
    """A copied unit has the moment of its original, a grown kernel zeros around it, a new layer none."""
    parent, child = chain(4, 6), chain(7, 7, 6, kernel=5)
    inherited = inherit(child, parent)
    names = {name: i for i, (name, _) in enumerate(parent.named_parameters())}
    moments = {f"{i}.momentum_buffer": torch.randn_like(p) for i, p in enumerate(parent.parameters())}
    carried = carry_moments(moments, parent, child, inherited.transfers)
    places = {name: i for i, (name, _) in enumerate(child.named_parameters())}
    first = carried[f"{places['0.0.weight']}.momentum_buffer"]
    units = spread_units(4, 7)
    original = moments[f"{names['0.0.weight']}.momentum_buffer"]
    assert torch.equal(first[:, :, 1:-1, 1:-1], original[units])
    assert first[:, :, 0].abs().sum() == 0
    assert f"{places['1.0.weight']}.momentum_buffer" not in carried


class Sequence(nn.Module):
    """Linear layers over the pixels of an image in a row, and a normalisation that mixes channels."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.stem, self.norm = conv(3, 6, kernel), nn.LayerNorm(6)
        self.inner, self.head = nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        out: Tensor = self.head(self.inner(self.norm(tokens)).relu().mean(1))
        return out


def test_layers_of_other_kinds_are_carried_whole() -> None:
    """Functions without a rule, such as a transposition, and layers along another axis are the parent's where
    all that they read is."""
    inherited = inherit_function(Sequence(5), disturb(Sequence(3)), IMAGE)
    assert inherited.difference < KEPT
    assert inherited.exact
