"""Tree cells: their counts by brute force, their networks by hand, and transformations that keep a
function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture, completions, sample
from cambrian.errors import Unbuildable
from cambrian.networks.morphisms.morphism import Inherited, inherit_function
from cambrian.networks.sharing.reading import Own
from cambrian.spaces import SPACES
from cambrian.spaces.hierarchies.tree_cells.network import Concatenation, Mean, make_node
from cambrian.spaces.hierarchies.tree_cells.space import TreeCells
from cambrian.spaces.hierarchies.tree_cells.trees import OPERATIONS, read_tree
from cambrian.spaces.knowledge import Morphs, Tree, know
from cambrian.testing import toy_task
from tiers import slow_but

SPACE = SPACES.make("tree-cells")
IMAGE = (2, 8, 8)
LEAF = {"operation": "identity", "merge": "none"}


def test_there_are_as_many_trees_as_the_closed_form_says() -> None:
    """One level: an operation, and behind it a leaf, 2 * 7^2 of two branches or 7^3 of three."""
    n = len(OPERATIONS)
    assert len(list(completions(TreeCells(depth=1), {}))) == n * (1 + 2 * n**2 + n**3)


def test_a_tree_is_read_as_it_is_asked() -> None:
    """Branches in their order, each with the operation that leads to it; what is not answered does
    nothing."""
    answers = {
        "merge": "concat2",
        "branch1/operation": "sep3x3",
        "branch1/merge": "add2",
        "branch1/branch2/operation": "avg3x3",
    }
    inner = (
        Tree("branch1/branch1/", "identity", "none"),
        Tree("branch1/branch2/", "avg3x3", "none"),
    )
    branches = (Tree("branch1/", "sep3x3", "add2", inner), Tree("branch2/", "identity", "none"))
    assert SPACE.tree(answers) == Tree("", "identity", "concat2", branches)


def test_added_branches_have_no_order_and_halves_have() -> None:
    """Canonical forms of both orders of a sum are equal, of a concatenation they differ."""

    def write(merge: str, one: str, other: str) -> str:
        leaves = {"branch1/merge": "none", "branch2/merge": "none"}
        answers = {**LEAF, "merge": merge, "branch1/operation": one, "branch2/operation": other, **leaves}
        return SPACE.canonical(Architecture(answers))

    assert write("add2", "sep3x3", "identity") == write("add2", "identity", "sep3x3")
    assert write("concat2", "sep3x3", "identity") != write("concat2", "identity", "sep3x3")


def test_merges_are_a_mean_and_a_concatenation_of_halves() -> None:
    """Of an average pooling and an identity, computed by hand."""
    x = torch.rand(2, 4, 5, 5)
    pooled = nn.AvgPool2d(3, 1, 1, count_include_pad=False)(x)
    both = {"branch1/operation": "avg3x3", "branch2/operation": "identity"}
    mean, halves = (
        make_node(Own(tree), tree, 4)
        for tree in (read_tree({"merge": merge, **both}) for merge in ("add2", "concat2"))
    )
    assert isinstance(mean, Mean)
    assert isinstance(halves, Concatenation)
    torch.testing.assert_close(mean(x), (pooled + x) / 2)
    torch.testing.assert_close(halves(x), torch.cat([pooled[:, :2], x[:, 2:]], 1))


def test_one_channel_cannot_be_split() -> None:
    """A sentence with the path of the merge."""
    with pytest.raises(Unbuildable, match="merge: 1 channels cannot be split into 2"):
        SPACE.build(Architecture(_motif("concat2")), toy_task(), filters=1)


def _motif(merge: str) -> dict[str, str]:
    """A motif of identities."""
    count = 3 if merge == "add3" else 2
    inside = {
        f"branch{n}/{q}": a
        for n in range(1, count + 1)
        for q, a in (("operation", "identity"), *LEAF.items())
    }
    return {**LEAF, "merge": merge, **inside}


@pytest.mark.parametrize("merge", ["add2", "add3", "concat2"])
def test_a_motif_of_identities_is_the_layer_it_replaces(merge: str) -> None:
    """Replication with a mean, and a split with a concatenation: no weight of their own, and no
    difference."""
    inherited = transform(Architecture(LEAF), Architecture(_motif(merge)))
    assert inherited.exact
    assert inherited.difference < 1e-5


@pytest.mark.parametrize(
    "operation", slow_but(("sep3x3", "conv1x1"), ["conv1x1", "sep3x3", "sep5x5", "sep7x7"])
)
@pytest.mark.parametrize("merge", ["add3", "concat2"])
def test_a_layer_in_the_place_of_an_identity_passes_its_input_on(merge: str, operation: str) -> None:
    """In one branch, and in all of them at once."""
    motif = _motif(merge)
    one = {**motif, "branch1/operation": operation}
    every = {path: operation if path.endswith("operation") else answer for path, answer in motif.items()}
    for child in (one, every):
        inherited = transform(Architecture(motif), Architecture(child))
        assert inherited.exact
        assert inherited.difference < 1e-5


def test_new_layers_are_not_silent() -> None:
    """A layer that gave zeros behind its ReLU would have no gradient: each of a new mean has one."""
    every = {p: "sep3x3" if p.endswith("operation") else a for p, a in _motif("add2").items()}
    parent, child = (build(a) for a in (Architecture(LEAF), Architecture(every)))
    inherit_function(child, parent, IMAGE)
    child.train()(torch.rand(8, *IMAGE)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in child.parameters())


def test_transformations_keep_the_function_of_random_networks() -> None:
    """Random trees after three random path-level transformations at once, with random weights and
    statistics."""
    morphing, rng = know(SPACE, Morphs), np.random.default_rng(0)
    assert morphing is not None
    for _ in range(6):
        parent = child = sample(SPACE, rng)
        for kind in rng.choice(morphing.morphs, 3).tolist():
            child = morphing.morph(kind, child, rng) or child
        assert transform(parent, child).difference < 1e-5, (parent, child)


def test_what_was_grown_can_be_taken_back() -> None:
    """Cutting a motif leaves its leaf, and taking out a layer its identity."""
    morphing, rng = know(SPACE, Morphs), np.random.default_rng(1)
    assert morphing is not None
    leaf = Architecture(LEAF)
    motif = morphing.morph("branch", leaf, rng)
    assert motif is not None
    assert morphing.morph("cut", motif, rng) == leaf
    grown = morphing.morph("deepen", motif, rng)
    assert grown is not None
    assert morphing.morph("shallow", grown, rng) == motif
    assert morphing.morph("cut", leaf, rng) is None


def transform(parent: Architecture, child: Architecture) -> Inherited:
    return inherit_function(build(child), disturb(build(parent)), IMAGE)


def build(architecture: Architecture) -> nn.Module:
    torch.manual_seed(0)
    return SPACE.build(architecture, toy_task(), filters=8)


def disturb(network: nn.Module) -> nn.Module:
    """Statistics and scales that are not those of the beginning."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5) if "var" in name or "weight" in name else tensor.normal_(0, 0.3)
    return network
