"""NAS-Bench-Macro, NAS-Bench-101 and SpikeNAS-Bench against the published counts and optima, and their
networks against the parameter counts in the tables."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pytest
from published import raw, told

from cambrian.architecture import sample
from cambrian.benchmarks import BENCHMARKS, benchmark, play
from cambrian.errors import Unbuildable
from cambrian.estimators.tables import open_table
from cambrian.networks.sharing.reading import Own
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench101.network import Cell, network
from cambrian.spaces.cells.nasbench101.space import NASBench101, edges
from cambrian.spaces.chains.macro.space import Macro
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from published_tables import needs_tables, table

pytestmark = needs_tables

MACRO, SPIKES = "nasbench_macro/nasbench_macro.npz", "spikenas_bench/spikenas_cifar10.npz"
CIFAR = Shape(3, 32, 32, 10)


def grown(space):
    """All levels, each grown from the whole one before."""
    levels = {}
    cells = []
    grows = space.know(Grows)
    for level in grows.levels:
        pool = grows.grow(cells, stream(0, "grow"))
        cells = levels[level] = [pool.architecture(i) for i in range(len(pool))]
    return levels


def parameters(space, architecture, **skeleton):
    import torch

    with torch.device("meta"):
        return sum(p.numel() for p in space.build(architecture, CIFAR, **skeleton).parameters())


@pytest.mark.parametrize("name", BENCHMARKS.names())
def test_every_benchmark_is_one(name):
    """Its optimum is no less than what is found, in percent; searches see fractions, and never the test."""
    if name == "pnas-bench":  # a table of one's own making, which need not be there
        table("pnas_bench", "pnas_bench.npz")
    found = benchmark(name)
    played = play(found, "random", 30, seed=1)
    assert 10 < played.test[-1] <= found.optimum + 1e-9 <= 100
    assert 0 < played.value[-1] < 1
    assert all(t.value is not None for t in played.trials)
    assert not any("test" in metric for metric in played.trials[0].outcome.metrics)
    assert found.timed == (not np.isnan(played.seconds).any())


def test_macro_is_its_table():
    """6,561 networks, the best 93.127, by number of blocks as published: 45.36 75.89 86.39 90.15 91.80
    92.72 93.08 93.13 93.11."""
    found, table = benchmark("nb-macro"), raw(MACRO)
    assert found.optimum == pytest.approx(93.127, abs=0.001)
    best = found.space.architecture((2, 2, 2, 1, 2, 2, 2, 0))
    assert found.test(best) == found.optimum
    tested = [found.test(found.space.architecture(codes)) for codes in table["arch"].tolist()]
    assert len(tested) == 6561
    blocks = (table["arch"] > 0).sum(axis=1)
    by_blocks = [max(t for t, n in zip(tested, blocks, strict=True) if n == b) for b in range(9)]
    published = [45.36, 75.89, 86.39, 90.15, 91.80, 92.72, 93.08, 93.13, 93.11]
    assert by_blocks == pytest.approx(published, abs=0.0051)


def test_macro_networks_that_are_the_same():
    """There are 3,969 functions, all of which growing by depth reaches; the table gives those of one
    canonical text the same accuracy."""
    space, table = Macro(), raw(MACRO)
    assert len(grown(space)[8]) == 3969
    first, same = {}, []
    for row, codes in enumerate(table["arch"].tolist()):
        text = space.canonical(space.architecture(codes))
        same.append(table["mean_acc"][first.setdefault(text, row)] == table["mean_acc"][row])
    assert len(first) == 3969
    assert all(same)


@pytest.mark.parametrize("row", [0, 1, 3280, 5000, 6560])
def test_macro_parameters(row):
    """The network of a row has as many parameters as the table says."""
    table = raw(MACRO)
    assert parameters(Macro(), Macro().architecture(table["arch"][row].tolist())) == table["params"][row]


def test_cells_by_vertices():
    """1, 6, 84 and 2,441 cells of 2 to 5 vertices, each of which the table has, once."""
    space = NASBench101()
    levels = grown(space)
    assert {n: len(cells) for n, cells in levels.items()} == {2: 1, 3: 6, 4: 84, 5: 2441}
    rows = [open_table("nb101").row(space, cell) for cells in levels.values() for cell in cells]
    assert sorted(rows) == list(range(2532))


def published_cells():
    path = table("ec_nasbench", "ecnas_5V9E.json.gz")
    return json.loads(gzip.decompress(path.read_bytes()))["rows"]


def test_cells_as_the_table_numbers_them():
    """Networks of 17 rows, their vertices numbered as there, have as many parameters as it says."""
    import torch

    for row in published_cells()[::150]:
        pairs = [divmod(at, row["n"]) for at, bit in enumerate(row["adj"]) if bit == "1"]
        with torch.device("meta"):
            built = network(Own(Cell(row["ops"].split(",")[1:-1], pairs)), 5, 3, 10)
        assert sum(p.numel() for p in built.parameters()) == row["params"]


def test_values_of_cells():
    """Rows found by hand: small cells are the mean of three trainings, larger ones were trained once;
    what a trial costs is what training took."""
    found = benchmark("nb101")
    chain = NASBench101().architecture([(1, 1), (0, 0, 1)])
    assert edges(NASBench101().rows(chain)) == [(0, 1), (1, 2), (2, 3)]
    path = table("ec_nasbench", "ecnas_4V9E.json.gz")
    rows = json.loads(gzip.decompress(path.read_bytes()))["rows"]
    ops = "input,conv1x1-bn-relu,conv3x3-bn-relu,output"
    three = [
        r["evals"][-1]
        for r in rows
        if r["ops"] == ops and r["adj"] == "0100001000010000" and r["epochs"] == 4
    ]
    outcome = told(found, chain, 4)
    assert len(three) == 3
    assert outcome.value == pytest.approx(np.mean([t[3] for t in three]))
    assert outcome.seconds == pytest.approx(np.mean([t[1] for t in three]))
    assert found.test(chain) == pytest.approx(100 * np.mean([t[4] for t in three]))
    assert benchmark("nb101-small").optimum == pytest.approx(93.35, abs=0.005)
    fives = [r for r in published_cells() if r["n"] == 5]
    assert found.optimum == pytest.approx(100 * max(r["evals"][-1][4] for r in fives))


def test_sampled_cells_have_rows():
    """Whatever is drawn is in the table, and larger cells are drawn more often."""
    space = NASBench101()
    drawn = [sample(space, stream(n, "rows")) for n in range(300)]
    assert all(open_table("nb101").row(space, cell) >= 0 for cell in drawn)
    assert Counter(space.level(cell) for cell in drawn).most_common(1)[0][0] == 5


def test_curves_of_spiking_cells():
    """A trial of 30 epochs yields 30 points of the table's curve, costs 30 epochs' share of the time,
    and is worth what the last point is; best test accuracy 89.30."""
    found, table = benchmark("spikenas"), raw(SPIKES)
    assert found.optimum == pytest.approx(89.30, abs=0.005)
    row = 12617
    cell = found.space.architecture(table["ops"][row].tolist())
    outcome = told(found, cell, 30)
    curve = [point.metrics["val_acc"] for point in outcome.curve]
    # By the name that every reader of a curve knows, too.
    assert curve == [point.metrics["value"] for point in outcome.curve]
    assert curve == pytest.approx((table["val_acc_x100"][row, :30] / 1e4).tolist(), rel=1e-6)
    assert outcome.value == curve[-1]
    assert outcome.seconds == pytest.approx(
        table["train_seconds"][row] * 30 / table["n_epochs"][row], rel=1e-5
    )
    assert [point.step for point in outcome.curve] == list(range(1, 31))
    assert found.test(cell) == found.optimum
    with pytest.raises(Unbuildable, match="looked up"):
        found.space.build(cell, CIFAR)


def test_seconds_of_a_game_are_the_tables():
    """Simulated time adds up; a proposal made before costs nothing again."""
    played = play(benchmark("nb101"), "random", 200, seed=3)
    costs = [t.outcome.seconds if t.cached is None else 0.0 for t in played.trials]
    assert any(t.cached is not None for t in played.trials)
    assert played.seconds == pytest.approx(np.cumsum(costs))
