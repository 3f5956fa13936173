"""Engine `ray` in a cluster that this process belongs to already passes what every engine passes. It has a
file of its own: all tests that come while it is joined find that cluster, and `test_ray.py` begins others."""

import sys

import pytest

from cambrian.search.engines.ray import Ray
from cambrian.testing.engines import ENGINE, EngineCase

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    # Ray leaves sockets and log files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def joined():
    """A cluster that this process belongs to, which engines use as it is."""
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        log_to_driver=False,
        include_dashboard=False,
        object_store_memory=80 << 20,
    )
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("check", ENGINE.checks, ids=lambda check: check.__name__)
def test_it_passes_the_suite(joined, check):
    """Each check that every engine passes."""
    check(EngineCase(lambda: Ray(workers=2), isolates=True, patience=240.0))
