"""The work by which plans guess a speed."""

from __future__ import annotations

from cambrian.networks.measure.macs import macs
from cambrian.search.planning.race.speed import BASE, count_work
from cambrian.spaces import SPACES
from cambrian.testing import toy_task


def test_the_work_of_a_network_counts_what_the_optimiser_walks_through() -> None:
    """Beside the multiply-accumulates, of which a lookup of embeddings has none."""
    task, space = toy_task(images=8), SPACES.parse("stages")
    network = next(iter(space.portfolio.values()))
    built = space.build(network, task, filters=BASE)
    parameters = sum(p.numel() for p in built.parameters())
    shape = task.channels, task.height, task.width
    assert count_work(space, task, network) == macs(built, shape) + parameters
