"""Branches of a child: copies that share a layer's result, or parts of its units (Net2Branch)."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cambrian
from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import UsageError
from cambrian.networks.morphisms.branches import find_merges
from cambrian.networks.morphisms.moments import carry_moments
from cambrian.networks.morphisms.morphism import Inherited, compare, inherit_function
from cambrian.networks.morphisms.recording import record_forward
from cambrian.networks.morphisms.statistics import estimate_norms
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Morphs, know
from cambrian.spaces.program.function_space import Shape

IMAGE = (3, 8, 8)
SHAPE = Shape(3, 8, 8, 4)
KEPT = 1e-5
ESTIMATED = 1e-3


def unit(channels: int, out: int, kernel: int = 3, norm: str = "batch", act: str = "ReLU") -> nn.Sequential:
    norms = {"batch": nn.BatchNorm2d, "group": partial(nn.GroupNorm, 2)}
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=not norm)
    middle = norms[norm](out) if norm else nn.Identity()
    return nn.Sequential(conv, middle, getattr(nn, act)())


class Branches(nn.Module):
    """Branches side by side."""

    def __init__(self, how: str, *branches: nn.Module) -> None:
        super().__init__()
        self.how, self.branches = how, nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        results = [branch(x) for branch in self.branches]
        if self.how == "mean":
            return torch.stack(results).mean(0)
        if self.how == "concat":
            return torch.cat(results, 1)
        total: Tensor = sum(results)  # type: ignore[assignment]
        return total / len(results) if self.how == "average" else total


class Net(nn.Module):
    """A layer, what is in the middle, beside an identity where `residual`, and a layer behind it."""

    def __init__(self, middle: nn.Module, residual: bool = False) -> None:
        super().__init__()
        self.stem, self.middle, self.tail = unit(3, 8), middle, unit(8, 6)
        self.head, self.residual = nn.Linear(6, 4), residual

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.middle(x)
        out: Tensor = self.head(self.tail(x + y if self.residual else y).mean((2, 3)))
        return out


def some_images() -> Tensor:
    return torch.randn(16, *IMAGE, generator=torch.Generator().manual_seed(1))


def train(network: nn.Module, steps: int = 4) -> dict[str, Tensor]:
    """Train on 16 images, and return the optimiser's moments."""
    optimiser = torch.optim.SGD(network.train().parameters(), 0.1, momentum=0.9)
    images, classes = some_images(), torch.arange(16) % 4
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(network(images), classes).backward()
        optimiser.step()
    states = optimiser.state_dict()["state"]
    return {f"{i}.momentum_buffer": state["momentum_buffer"] for i, state in states.items()}


def inherit(child: nn.Module, parent: nn.Module, spread: float = 0.2) -> Inherited:
    """The child of a trained parent has its function in evaluation, and where it has no new normalisations
    in training too."""
    train(parent)
    inherited = inherit_function(child, parent, IMAGE, spread)
    assert inherited.exact
    assert compare(child, parent, IMAGE) < KEPT
    estimate_norms(child, inherited.norms, some_images())
    expected = parent.train()(some_images())
    bound = (ESTIMATED if inherited.norms else KEPT) * expected.abs().max()
    assert (child.train()(some_images()) - expected).abs().max() < bound
    return inherited


def have_gradients(network: nn.Module, layers: list[nn.Module]) -> bool:
    network.zero_grad()
    F.cross_entropy(network.train()(some_images()), torch.arange(16) % 4).backward()
    return all(layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0 for layer in layers)


def are_twins(network: nn.Module) -> bool:
    """Whether the first two branches give the same up to a factor."""
    with torch.no_grad():
        x = network.eval().stem(some_images())
        one, other = (F.normalize(branch(x).flatten(), dim=0) for branch in network.middle.branches[:2])
    return bool((one - other).abs().max() < 1e-6)


def test_merges_are_sums_with_factors() -> None:
    """(a + b) / 2 + 3 c is one sum of a, b and c by halves and three; what is read twice is a term."""

    class Sums(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            y = self.c(x)
            z = (self.a(x) + self.b(x)) / 2 + y * 3
            return torch.cat([z, y + y.relu()], 1)

    record = record_forward(Sums(), IMAGE)
    linear = {call.weights[0][0]: n for n, call in enumerate(record.calls) if call.weights}
    joined, terms, sums = find_merges(record)
    assert joined.factors == ()
    assert {path[-1:]: f for path, f in zip(sums.paths, sums.factors)} == {
        (linear["a"],): 0.5,
        (linear["b"],): 0.5,
        (linear["c"],): 3.0,
    }
    assert terms.factors == (1.0, 1.0)


ADDED = [
    *((how, 3, norm, True) for how in ("sum", "mean", "average") for norm in ("batch", "group", "")),
    ("sum", 2, "batch", False),
    ("average", 2, "", False),
    # Sixths and twelfths close a sum but for rounding errors.
    ("average", 6, "", True),
    ("sum", 12, "", True),
]


@pytest.mark.parametrize(("how", "count", "norm", "residual"), ADDED)
def test_a_layer_becomes_branches_that_are_added(how: str, count: int, norm: str, residual: bool) -> None:
    """Each copy has a share of the layer's result, of which its last weights are a multiple: shares sum to
    one, times the branches of a mean, and differ, so that copies do not stay copies."""
    torch.manual_seed(0)
    parent = Net(unit(8, 8, norm=norm), residual)
    child = Net(Branches(how, *(unit(8, 8, norm=norm) for _ in range(count))), residual)
    inherit(child, parent)
    last = [branch[1 if norm else 0] for branch in child.middle.branches]
    whole = parent.middle[1 if norm else 0].weight
    times = 1 if how == "sum" else count
    assert torch.allclose(sum(layer.weight for layer in last), times * whole, atol=1e-6)
    if norm:
        assert all(torch.equal(b[0].weight, parent.middle[0].weight) for b in child.middle.branches)
    assert are_twins(child)
    train(child)
    assert not are_twins(child)


@pytest.mark.parametrize("widths", [(4, 4), (5, 2, 1), (6, 6)])
def test_a_layer_becomes_branches_that_are_concatenated(widths: tuple[int, ...]) -> None:
    """Each has the units after those of the branch before it, with their statistics; units that are too many
    are copies of others."""
    torch.manual_seed(0)
    parent = Net(unit(8, 8))
    child = Net(Branches("concat", *(unit(8, out) for out in widths)))
    child.tail = unit(sum(widths), 6)
    inherit(child, parent)
    for n in (0, 1):
        for name in ("weight", "running_mean", "running_var")[: 1 + 2 * n]:
            own = torch.cat([getattr(branch[n], name) for branch in child.middle.branches])
            assert torch.allclose(own[:8], getattr(parent.middle[n], name))
    assert have_gradients(child, [branch[0] for branch in child.middle.branches])


def test_branches_may_be_several_layers_deep() -> None:
    """A bottleneck: the copies of its first layers are whole, and of its last one halves."""
    torch.manual_seed(0)

    def deep(out: int) -> nn.Sequential:
        depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        return nn.Sequential(unit(8, 4, 1), depthwise, *unit(4, out, 1))

    for how, outs in (("sum", (8, 8)), ("concat", (4, 4))):
        parent, child = Net(deep(8)), Net(Branches(how, *map(deep, outs)))
        inherit(child, parent)
        for branch in child.middle.branches:
            assert torch.equal(branch[0][0].weight, parent.middle[0][0].weight)


def test_a_branch_beside_others_shares_with_one_of_them() -> None:
    """Of three branches that are averaged two are copies of one of the parent's two."""
    torch.manual_seed(0)
    parent = Net(Branches("mean", unit(8, 8), unit(8, 8)))
    inherit(Net(Branches("mean", *(unit(8, 8) for _ in range(3)))), parent)


def test_branches_with_larger_kernels_are_copies_too() -> None:
    """A 5x5 layer beside a 3x3 one that had its place has its kernel with zeros around it."""
    torch.manual_seed(0)
    parent, child = Net(unit(8, 8)), Net(Branches("mean", unit(8, 8), unit(8, 8, 5)))
    inherit(child, parent)
    kernel = child.middle.branches[1][0].weight
    assert torch.equal(kernel[:, :, 1:-1, 1:-1], parent.middle[0].weight)
    assert kernel[:, :, 0].abs().sum() == 0


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_what_cannot_be_shared_is_silent_or_a_whole_copy(norm: str) -> None:
    """SiLU(f / 2) is not SiLU(f) / 2. Of a sum the new branch is then silent, which SiLU(0) = 0 allows; of a
    mean it is the same as the other."""
    for how in ("sum", "mean"):
        torch.manual_seed(0)
        parent = Net(unit(8, 8, norm=norm, act="SiLU"), residual=True)
        child = Net(Branches(how, *(unit(8, 8, norm=norm, act="SiLU") for _ in range(2))), residual=True)
        inherit(child, parent)
        one, other = (branch[1].weight for branch in child.middle.branches)
        assert torch.equal(one, other) == (how == "mean")
        if how == "sum":
            assert other.abs().sum() == 0
            assert have_gradients(child, [branch[1] for branch in child.middle.branches])


def test_branches_of_linear_layers() -> None:
    """The last layer of a network becomes the sum of two: there is no layer behind it to halve that."""
    torch.manual_seed(0)
    body = lambda head: nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), head)  # noqa: E731
    parent, child = body(nn.Linear(8, 4)), body(Branches("sum", nn.Linear(8, 4), nn.Linear(8, 4)))
    inherit(child, parent)
    first, second = child[3].branches
    assert torch.allclose(first.bias + second.bias, parent[3].bias)
    assert 0.3 < float(first.bias.detach()[0] / parent[3].bias.detach()[0]) < 0.7


def test_without_a_random_part_copies_stay_copies() -> None:
    """Halves of the normalisation's weight and bias have equal gradients for ever."""
    torch.manual_seed(0)
    parent, child = Net(unit(8, 8)), Net(Branches("sum", unit(8, 8), unit(8, 8)))
    inherit(child, parent, spread=0.0)
    for branch in child.middle.branches:
        assert torch.equal(branch[1].weight, parent.middle[1].weight / 2)
    train(child)
    assert are_twins(child)


def test_one_layer_that_is_called_twice_is_no_pair_of_branches() -> None:
    """Its weights cannot have two shares: f(x) + f(x) is 2 f(x), which the next layer halves."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = unit(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x) + self.layer(x)
            return out

    torch.manual_seed(0)
    parent, child = Net(Twice()), Net(Twice())
    train(parent)
    assert inherit_function(child, parent, IMAGE).difference < KEPT
    assert torch.equal(child.middle.layer[1].weight, parent.middle.layer[1].weight)


def test_moments_of_copies_are_those_of_their_original() -> None:
    """All of them where branches are added, and the rows of its units where they are concatenated."""
    torch.manual_seed(0)
    for how, outs in (("sum", (8, 8)), ("concat", (4, 4))):
        parent, child = Net(unit(8, 8)), Net(Branches(how, *(unit(8, out) for out in outs)))
        moments = train(parent)
        inherited = inherit_function(child, parent, IMAGE)
        carried = carry_moments(moments, parent, child, inherited.transfers)
        theirs = {name: i for i, (name, _) in enumerate(parent.named_parameters())}
        mine = {name: i for i, (name, _) in enumerate(child.named_parameters())}
        for name in ("0.weight", "1.weight", "1.bias"):
            original = moments[f"{theirs[f'middle.{name}']}.momentum_buffer"]
            copies = [carried[f"{mine[f'middle.branches.{n}.{name}']}.momentum_buffer"] for n in (0, 1)]
            expected = [original, original] if how == "sum" else [original[:4], original[4:]]
            assert all(map(torch.equal, copies, expected))


# What cannot be shared, and what is said of it


def is_honest(child: nn.Module, parent: nn.Module) -> bool:
    """Whether the child of a trained parent has its function where that is said."""
    train(parent)
    inherited = inherit_function(child, parent, IMAGE)
    return not inherited.exact or inherited.difference < KEPT


def convolve(padding: int = 0, norm: nn.Module | None = None, **settings: int) -> nn.Sequential:
    """A convolution of 8 channels, a normalisation and a ReLU."""
    kernel = settings.pop("kernel", 3)
    conv = nn.Conv2d(8, 8, kernel, padding=padding, **settings)
    return nn.Sequential(conv, norm or nn.BatchNorm2d(8), nn.ReLU())


class Again(nn.Module):
    """One layer, beside another where `two`, and once more behind itself."""

    def __init__(self, two: bool, norm: str) -> None:
        super().__init__()
        self.a = unit(8, 8, norm=norm)
        self.b = unit(8, 8, norm=norm) if two else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        out: Tensor = self.a(y if self.b is None else y + self.b(x))
        return out


@pytest.mark.parametrize("norm", ["batch", "group", ""])
def test_a_module_that_is_called_elsewhere_too_has_no_share(norm: str) -> None:
    """It would have it there, too: the new branch begins silent beside it."""
    torch.manual_seed(0)
    parent, child = Net(Again(False, norm)), Net(Again(True, norm))
    inherit(child, parent)
    place = 1 if norm else 0
    assert torch.equal(child.middle.a[place].weight, parent.middle.a[place].weight)
    assert child.middle.b[place].weight.abs().sum() == 0


def test_a_normalisation_that_branches_have_in_common_is_no_silent_one() -> None:
    """It cannot be the parent's for one branch and zero for the other, which is said."""

    class Common(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(count))
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            total: Tensor = sum(self.norm(conv(x)).relu() for conv in self.convs)  # type: ignore[assignment]
            return total

    torch.manual_seed(0)
    parent, child = Net(Common(1)), Net(Common(2))
    train(parent)
    inherited = inherit_function(child, parent, IMAGE)
    assert not inherited.exact
    assert set(inherited.lost) <= set(parent.state_dict())


INSTANCE = partial(nn.InstanceNorm2d, 8, track_running_stats=True)
PLAIN_NORMS = {
    "batch": partial(nn.BatchNorm2d, 8, affine=False),
    "instance": INSTANCE,
    "untracked": partial(nn.BatchNorm2d, 8, affine=False, track_running_stats=False),
}


@pytest.mark.parametrize("norm", PLAIN_NORMS)
def test_normalisations_without_weights_have_no_share_and_are_not_silent(norm: str) -> None:
    """Their running statistics are not weights, and what they make of zeros is no zero."""
    make = PLAIN_NORMS[norm]
    for how in ("sum", "mean"):
        torch.manual_seed(0)
        parent = Net(convolve(1, make()))
        assert is_honest(Net(Branches(how, *(convolve(1, make()) for _ in range(2)))), parent)
        assert is_honest(Net(Branches(how, convolve(1, make()), convolve(1))), parent)
        parent = Net(convolve(1))
        assert is_honest(Net(Branches(how, convolve(1), convolve(1, make()))), parent)
        assert is_honest(Net(convolve(1, make())), parent)
    assert is_honest(Net(convolve(1, make()), residual=True), Net(nn.Identity()))


def test_a_normalisation_has_its_share_by_what_multiplies() -> None:
    """Of an instance normalisation not the running statistics; of a layer normalisation without a bias its
    weight."""
    for make in (partial(INSTANCE, affine=True), partial(nn.LayerNorm, [8, 8, 8], bias=False)):
        torch.manual_seed(0)
        parent = Net(convolve(1, make()))
        child = Net(Branches("sum", convolve(1, make()), convolve(1, make())))
        inherit(child, parent)
        first, second = (branch[1].weight.detach() for branch in child.middle.branches)
        assert torch.allclose(first + second, parent.middle[1].weight)
        assert 0.3 < float(first.sum() / (first + second).sum()) < 0.7


def test_a_larger_epsilon_than_the_variance_is_no_copy() -> None:
    """No running variance makes up for it."""
    torch.manual_seed(0)
    parent, child = Net(convolve(1)), Net(convolve(1, nn.BatchNorm2d(8, eps=5.0)))
    assert is_honest(child, parent)


MOVED = [
    # Each meets other pixels of an image of 8 than the one before, and gives as many.
    ({"kernel": 1, "stride": 4}, {"kernel": 3, "stride": 4}),
    ({"kernel": 3, "stride": 4}, {"kernel": 3, "stride": 4, "padding": 1}),
    ({"kernel": 2, "stride": 4}, {"kernel": 4, "stride": 4}),
    ({"stride": 3}, {"stride": 3, "dilation": 2}),
    ({"stride": 3}, {"stride": 4}),
    ({"padding": 1}, {"padding": 2, "dilation": 2}),
    ({"padding": 1, "groups": 2}, {"padding": 2, "dilation": 2, "groups": 2}),
    ({"kernel": 5, "padding": 2}, {"padding": 1}),
]


@pytest.mark.parametrize(("before", "after"), MOVED)
def test_kernels_that_meet_other_pixels_are_no_copies(before: dict[str, int], after: dict[str, int]) -> None:
    """Of a layer in its place that is said; a branch beside others is a copy of the one that meets the same
    pixels, and begins silent where there is none."""
    torch.manual_seed(0)
    parent, child = Net(convolve(**before)), Net(convolve(**after))
    train(parent)
    assert not inherit_function(child, parent, IMAGE).exact
    inherit(Net(Branches("sum", convolve(**before), convolve(**after))), parent)
    if "groups" not in before:
        parent = Net(Branches("sum", convolve(**before), convolve(**after)))
        child = Net(Branches("sum", convolve(**before), convolve(**after), convolve(**after)))
        inherit(child, parent)
        new = child.middle.branches[2]
        assert torch.equal(new[0].weight, parent.middle.branches[1][0].weight)
        assert new[1].weight.abs().sum() > 0


@pytest.mark.parametrize("padding", [1, "same"])
def test_kernels_that_are_padded_by_as_much_more_are_copies(padding: int | str) -> None:
    """The smaller one is in the middle of the larger one, with an even side, too."""
    torch.manual_seed(0)
    if padding == "same":
        before, after = (nn.Conv2d(8, 8, k, padding=padding) for k in (3, 5))
    else:
        before, after = (nn.Conv2d(8, 8, k, 4, padding=p) for k, p in ((4, 0), (6, padding)))
    inherit(Net(after), Net(before))


def test_integers_stay_as_they_are() -> None:
    """Which 32-bit floats cannot hold."""

    class Counting(nn.Module):
        def __init__(self, start: int) -> None:
            super().__init__()
            self.register_buffer("count", torch.tensor([start, 2**40 + start]))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = x + (self.count % 2).sum().to(x.dtype)
            return out

    torch.manual_seed(0)
    parent, child = Net(Counting(2**24 + 1)), Net(Counting(0))
    inherit(child, parent)
    assert torch.equal(child.middle.count, parent.middle.count)


@pytest.mark.parametrize("spread", [-0.1, 1.0, 3.0, float("nan")])
def test_shares_below_zero_are_refused_in_a_sentence(spread: float) -> None:
    """A random part of one and more would make some."""
    with pytest.raises(UsageError, match="spread must be from 0 to less than 1"):
        inherit_function(nn.Linear(3, 2), nn.Linear(3, 2), (3,), spread)


def test_a_new_gate_that_is_halved_begins_silent() -> None:
    """x + gate / 2 f(x)."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate = nn.Conv2d(8, 8, 3, padding=1), nn.Parameter(torch.ones(1, 8, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = x + (self.gate * 0.5) * self.conv(x).exp()
            return out

    torch.manual_seed(0)
    child = Net(Gated())
    inherit(child, Net(nn.Identity()))
    assert child.middle.gate.abs().sum() == 0


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["weight", "spectral", "hook"])
def test_weights_that_are_computed_are_carried_whole(kind: str, bias: bool) -> None:
    """What they are made of is the parent's; a branch of the same layers begins silent."""
    torch.manual_seed(0)
    parametrizations = torch.nn.utils.parametrizations
    wrap = {
        "weight": parametrizations.weight_norm,
        "spectral": parametrizations.spectral_norm,
        "hook": torch.nn.utils.weight_norm,
    }[kind]

    def make() -> nn.Sequential:
        return nn.Sequential(wrap(nn.Conv2d(8, 8, 3, padding=1, bias=bias)), nn.BatchNorm2d(8), nn.ReLU())

    for middle in (make(), Branches("sum", make(), make())):
        parent, child = Net(make()), Net(middle)
        train(parent)
        inherited = inherit_function(child, parent, IMAGE)
        assert inherited.exact
        assert inherited.difference < KEPT
    assert is_honest(Net(make()), Net(convolve(1)))
    assert is_honest(Net(convolve(1)), Net(make()))


# Functions of users


@cambrian.space
def own(pick, task):
    """Branches of one of two layers each, averaged, as a user would write them."""
    count = pick.depth("branches", 1, 3)
    makers = {"conv": partial(unit, 8, 8), "pointwise": partial(unit, 8, 8, 1)}
    branches = [pick.inside("branch", n).module("operation", makers) for n in range(count)]
    network = Net(Branches("mean", *branches))
    network.head = nn.Linear(6, task.classes)
    return network


@cambrian.space
def replaced(pick, task):
    """A layer, or two of half its width."""
    makers = {
        "layer": partial(unit, 8, 8),
        "halves": lambda: Branches("concat", unit(8, 4), unit(8, 4)),
    }
    return Net(pick.module("middle", makers))


def test_functions_of_users_grow_branches() -> None:
    """One branch more by `pick.depth` is a copy of the one before it, which the space's morphisms find
    without a word about them; so are the candidates of `pick.module`."""
    morphing = know(own, Morphs)
    assert morphing is not None
    first = replay(own, {"branches": 1, "branch0/operation": "conv"})
    second = morphing.morph("deepen", first, stream(0, "branches"))
    assert second is not None
    assert dict(second) == {"branches": 2, "branch0/operation": "conv", "branch1/operation": "conv"}
    third = morphing.morph("deepen", second, stream(1, "branches"))
    assert third is not None
    torch.manual_seed(0)
    one, two, three = (own.build(a, SHAPE) for a in (first, second, third))
    inherit(two, one)
    inherit(three, two)
    layer, halves = (replaced.build(Architecture({"middle": m}), SHAPE) for m in ("layer", "halves"))
    inherit(halves, layer)


QUICK = ("network-morphism", "tiny-chain", "tree-cells")
MORPHING = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in SPACES.names()
    if know(SPACES.make(name), Morphs) is not None
]


@pytest.mark.parametrize("name", MORPHING)
def test_trained_networks_keep_their_function_in_training_too(name: str) -> None:
    """Every enlarging move of every space that has some, once new statistics are those of the batch; and all
    of the parent's moments are carried."""
    space = SPACES.make(name)
    morphing = know(space, Morphs)
    assert morphing is not None
    rng = stream(0, "trained", name)
    size = {"filters": 4} if "filters" in space.skeleton else {}
    for kind in morphing.morphs:
        pairs = ((p, morphing.morph(kind, p, rng)) for p in (sample(space, rng) for _ in range(20)))
        pair = next(((p, c) for p, c in pairs if c is not None), None)
        if pair is None:
            continue
        torch.manual_seed(0)
        parent, child = (space.build(a, SHAPE, **size) for a in pair)
        inherited = inherit(child, parent)
        carried = {transfer.source for transfer in inherited.transfers.values()}
        assert carried >= {parameter for parameter, _ in parent.named_parameters()}, kind
