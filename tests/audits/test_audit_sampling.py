"""A stratified sample: every member as likely, every kind in proportion; pairs of trainings; the ceiling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from audit_cases import Thin

from cambrian.architecture import Architecture
from cambrian.audits.kinds import describe_kinds
from cambrian.audits.noise import estimate_ceiling
from cambrian.audits.sampling import (
    choose_systematically,
    draw_pool,
    draw_sample,
    order_by_kind,
    pair_functions,
)
from cambrian.audits.sizes import USUAL, count_sizes
from cambrian.errors import UsageError
from cambrian.outcome import Fidelity
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.knowledge import Canonical, know
from chance import assert_drawn
from reseeding import default_rng, stream


@pytest.mark.statistical
def test_every_member_is_as_likely():
    """Of a pool of 20, of which 8 are chosen, each is chosen as often; without the random place in a block,
    some never would be."""
    order = [int(n) for n in default_rng(0).permutation(20)]
    counts = np.zeros(20, int)
    for draw in range(4000):
        # Blocks of 2.5: every second one begins in the midst of a member.
        for member in choose_systematically(order, 8, stream(draw, "systematic")):
            counts[member] += 1
    assert_drawn(counts, [1] * 20, [[0.5] + [1] * 19])


@pytest.mark.parametrize(("pool", "count"), [(40, 30), (12, 8), (31, 30), (30, 30), (200, 30)])
def test_no_member_is_chosen_twice(pool: int, count: int):
    """Also of a pool that is not a multiple of the sample, as a small space's is: of 40 architectures a
    sample of 30 had two or three twice. Each block has one, in order."""
    for draw in range(50):
        chosen = choose_systematically(range(pool), count, stream(draw, "distinct"))
        assert sorted(set(chosen)) == chosen
        assert all(k * pool // count <= n < (k + 1) * pool / count for k, n in enumerate(chosen))


@pytest.mark.statistical
def test_a_member_on_an_edge_is_as_likely():
    """Of blocks of a third more than a member, in which nearly all of them are on an edge."""
    counts = np.zeros(8, int)
    for draw in range(4000):
        for member in choose_systematically(range(8), 6, stream(draw, "edges")):
            counts[member] += 1
    assert_drawn(counts, [1] * 8, [[0.5] + [1] * 7])


def test_kinds_are_in_proportion():
    """Of each stratum of a kind, the sample has its share of the pool, within one of each end."""
    kinds = {"depth": np.repeat([1.0, 2.0, 3.0], [60, 30, 30]), "size": default_rng(1).random(120)}
    order = order_by_kind(kinds, 120)
    chosen = choose_systematically(order, 12, stream(0, "kinds"))
    counts = [int((kinds["depth"][chosen] == depth).sum()) for depth in (1, 2, 3)]
    assert [abs(count - share) <= 1 for count, share in zip(counts, (6, 3, 3), strict=True)] == [True] * 3
    # Serpentine: at the edge of a stratum sizes go on from where they were.
    sizes = kinds["size"][order]
    assert (np.diff(sizes[:60]) > 0).all() or (np.diff(sizes[:60]) < 0).all()


def test_a_space_with_too_few_architectures():
    """A sample larger than the space is refused with the number there is."""
    few = len(draw_pool(Thin(), 1000, 0))
    with pytest.raises(UsageError, match=f"has {few} different architectures"):
        draw_sample(Thin(), 200, 0, lambda pool: {})


def test_pairs_are_one_function():
    """Both of a pair are the same function, written differently, and no function comes twice."""
    space = NASBench201()
    names = know(space, Canonical)
    pairs = pair_functions(space, 5, 0)
    functions = [names.canonical(one) for one, _ in pairs]
    assert len(set(functions)) == 5
    assert [names.canonical(other) for _, other in pairs] == functions
    assert all(one != other for one, other in pairs)


def test_kinds_of_known_cells():
    """Skips, depth and width of cells drawn by hand, and what a space without graphs is told by."""
    space = NASBench201()
    edges = list(draw_pool(space, 1, 0)[0])
    chain = dict.fromkeys(edges, "none")
    long = {**chain, edges[0]: "nor_conv_3x3", edges[2]: "nor_conv_3x3", edges[5]: "nor_conv_1x1"}
    wide = {**dict.fromkeys(edges, "none"), edges[3]: "nor_conv_3x3"}
    skips = {**dict.fromkeys(edges, "skip_connect")}
    cells = [Architecture(answers) for answers in (long, wide, skips)]
    kinds = describe_kinds(space, cells, [{"params": 3.0}, {"params": 2.0}, {"params": 1.0}])
    assert kinds["skips"][:2].tolist() == [0, 0]
    assert kinds["skips"][2] > 0
    assert kinds["depth"][:2].tolist() == [3, 1]
    assert kinds["size"].tolist() == [3, 2, 1]
    pool = draw_pool(Thin(), 12, 0)
    sizes, _ = count_sizes(Thin(), pool, USUAL, Fidelity())
    told = describe_kinds(Thin(), pool, sizes)
    layers = [1 + int(a["layers"]) for a in pool]
    assert told["depth"].tolist() == layers


@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_the_ceiling_of_normal_scores(noise):
    """Of normal truths with normal noise, tau is 2/pi asin(r), r being the share of the variance that is not
    noise; rho is 6/pi asin(r/2) (Kendall 1962)."""
    rng = default_rng(3)
    latent = rng.normal(size=200)
    values = latent + noise * rng.normal(size=200)
    pairs = latent[:, None] + noise * rng.normal(size=(200, 2))
    ceiling = estimate_ceiling(values, pairs)
    r = 1 / (1 + noise**2)
    assert ceiling.noise == pytest.approx(noise, rel=0.2)
    assert ceiling.kendall == pytest.approx(2 / math.pi * math.asin(r), abs=0.08)
    assert ceiling.spearman == pytest.approx(6 / math.pi * math.asin(r / 2), abs=0.08)


def test_equal_pairs_tell_nothing():
    """Without pairs, or with pairs that do not differ, the ceiling is not known."""
    assert estimate_ceiling(np.arange(9.0), np.zeros((0, 2))) is None
    assert estimate_ceiling(np.arange(9.0), np.ones((3, 2))) is None
