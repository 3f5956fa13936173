"""One training for all who ask, whoever asks, however many at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from referee_cases import ONE, Counted, run

from cambrian.architecture import Architecture
from cambrian.effort import ANEW, FREE, LOST, Axis, list_paid
from cambrian.outcome import Done, Fidelity, Point
from cambrian.randomness import stream
from cambrian.referee.outcome_cache import Cached
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.testing import ESTIMATOR, EstimatorCase

SAME = Architecture({"layers": 2, "layer1/operation": "skip", "layer2/operation": "skip"})
OTHER = Architecture({"layers": 1, "layer1/operation": "max3x3"})
ASK = """
import sys
from cambrian.randomness import stream
from cambrian.referee.outcome_cache import Cached
from referee_cases import ONE, run
print(repr(run(Cached({"name": "referee_cases:Counted", "arguments": {"place": sys.argv[1], "seconds": 0.3}},
                      sys.argv[2]), ONE, number=int(sys.argv[3]))[0].value))
"""


@pytest.fixture
def counted(tmp_path):
    place = tmp_path / "counts"
    place.mkdir()
    spec = {"name": "referee_cases:Counted", "arguments": {"place": str(place), "seconds": 0.01}}
    return Cached(spec, str(tmp_path / "outcomes")), place


def test_the_second_is_told_what_the_first_found(counted):
    """Value, metrics and cost, whatever search and trial they are of; nothing is measured again."""
    cached, place = counted
    first, _ = run(cached, ONE, seed=1, number=5)
    second, _ = run(cached, ONE, seed=2, number=9)
    assert isinstance(first, Done)
    assert first == second
    assert first.seconds >= 0.01
    assert len(list(place.iterdir())) == 1


def test_what_is_measured_does_not_depend_on_who_asks_first(counted, tmp_path):
    """Randomness derives from what is measured alone."""
    cached, _ = counted
    elsewhere = Cached(cached.estimator, str(tmp_path / "others"))
    assert run(cached, ONE, seed=1, number=5)[0].value == run(elsewhere, ONE, seed=2, number=9)[0].value


def test_what_counts_as_the_same(counted):
    """Chains that are one function are; other chains, replicates, limits and stages are not."""
    cached, place = counted
    asked = [(ONE, {}), (SAME, {}), (OTHER, {}), (ONE, {"replicate": 1}), (ONE, {"limits": {"params": 9.0}})]
    found = [run(cached, architecture, **context)[0] for architecture, context in asked]
    assert found[0] == found[1]
    # A limit makes another measurement, not other numbers: three values, of four measurements.
    assert len({outcome.value for outcome in found}) == 3
    assert len(list(place.iterdir())) == 4


def test_processes_that_ask_at_once_wait_for_one(tmp_path):
    """Four processes, one measurement, one answer."""
    counts, outcomes = tmp_path / "counts", tmp_path / "outcomes"
    counts.mkdir()

    def ask(n):
        command = [sys.executable, "-c", ASK, str(counts), str(outcomes), str(n)]
        env = {"PYTHONPATH": str(Path(__file__).parent)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))
    assert len(answers) == 1
    assert len(list(counts.iterdir())) == 1


def test_what_a_kill_left_half_written_is_measured_again(counted):
    """Cut anywhere, the outcome comes out as it was."""
    cached, place = counted
    first, _ = run(cached, ONE)
    (file,) = Path(cached.directory).iterdir()
    data = file.read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        assert run(cached, ONE)[0].value == first.value
    assert len(list(place.iterdir())) == 5


def test_crashes_are_not_kept(tmp_path):
    """An estimator that is mended is asked again."""
    spec = {"name": "function", "arguments": {"function": "nowhere:nothing", "builds": False}}
    for _ in range(2):
        with pytest.raises(Exception, match="nowhere"):
            run(Cached(spec, str(tmp_path)), ONE)
    worth = {"name": "function", "arguments": {"function": "referee_cases:worth", "builds": False}}
    assert run(Cached(worth, str(tmp_path)), ONE)[0].value == 0.0


def test_the_curve_is_told_again(tmp_path):
    """Whoever asks later sees the points as well."""
    spec = {"name": "function", "arguments": {"function": "test_cached:curve", "builds": False}}
    first, points = run(Cached(spec, str(tmp_path)), ONE)
    again, same = run(Cached(spec, str(tmp_path)), ONE)
    assert [p.metrics for p in points] == [{"value": 0.25}, {"value": 0.5}]
    assert same == list(first.curve) == list(again.curve)
    assert isinstance(same[0], Point)


@dataclass(frozen=True)
class Lasting:
    """A training in name: an epoch takes a second, and it goes on from the state of a shorter one."""

    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = False
    axes: ClassVar[tuple[Axis, ...]] = FREE

    def run(self, job):
        goes_on = "training" in job.artifacts
        first, last = job.begun.epochs if goes_on else 0, job.fidelity.epochs
        value = float(stream(0, TinyChain().canonical(job.architecture)).random())
        points = [Point(e, {"value": value}, float(max(0, e - first))) for e in range(1, last + 1)]
        yield from points
        if job.keep is not None:
            (job.keep / "training.json").write_text("{}")
        lost = {ANEW: LOST} if job.begun is not None and not goes_on else {}
        return Done(value, curve=tuple(points), seconds=float(last - first), data=lost)


def pay(strategies, place):
    """What each search pays for its trials, in seconds and epochs, when they run in this order."""
    paid = {}
    for strategy in strategies:
        estimator = Cached({"name": "test_cached:Lasting", "arguments": {}}, str(place / "outcomes"))
        search = Search(
            TinyChain(), strategy, estimator, budget=20, engine="serial", fidelity=Fidelity(9), seed=3
        )
        trials = search.run(place / strategy, quiet=True).trials
        paid[strategy] = [
            (t.architecture, 0.0 if t.cached is not None else t.outcome.seconds, epochs)
            for t, epochs in zip(trials, list_paid(trials), strict=True)
        ]
    return paid


def test_what_a_search_pays_does_not_depend_on_who_came_first(tmp_path):
    """A promotion pays for what it adds, in seconds as in epochs, whoever trained that network before: in
    full, or only the shorter training, whose state this search does not have."""
    strategies = ("random", "hyperband", "asha")
    paid = pay(strategies, tmp_path / "one")
    assert paid == pay(strategies[::-1], tmp_path / "other")
    assert all(seconds == epochs for trials in paid.values() for _, seconds, epochs in trials)


def curve(architecture, fidelity):
    yield from (0.25, 0.5)


@pytest.mark.parametrize("check", ESTIMATOR.checks)
def test_it_is_an_estimator(check, tmp_path):
    """The suite of every estimator, around a function of the architecture."""
    worth = {"name": "function", "arguments": {"function": "referee_cases:worth", "builds": False}}
    check(EstimatorCase(Cached(worth, str(tmp_path)), TinyChain(), builds=False, noisy=False))


def test_counted_counts(tmp_path):
    """The estimator these tests stand on leaves a file a time."""
    for _ in range(3):
        run(Counted(str(tmp_path)), ONE)
    assert len(list(tmp_path.iterdir())) == 3
