"""Measures of a network against closed forms, with clocks that the tests turn."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cells import PNASNET5, cells
from torch import nn

from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.limits import read_limits
from cambrian.networks.measure import MEASURES
from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.latency import FEWEST, SETTLED, Latency, time_forwards
from cambrian.networks.measure.measure import FunctionMeasure, find_measure, is_measure
from cambrian.networks.measure.measure_network import measure_network
from cambrian.networks.measure.memory import LiveBytes, Memory, TrainingMemory
from cambrian.networks.measure.units import read_amount, write_amount
from cambrian.networks.skeletons.cell_network import cell_network

FLOAT = 4


def chain() -> nn.Sequential:
    """float[n, 3, 8, 8] -> float[n, 5], every result in memory of its own."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.Sigmoid(),
        nn.Conv2d(6, 4, 3, stride=2, padding=1, bias=False),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, 5, bias=False),
    )


@pytest.mark.parametrize("images", [1, 7])
def test_memory_of_a_chain_is_its_largest_pair(images: int) -> None:
    """Of a chain two results are alive at a time: the one read and the one written. The weights and the
    images stay, and a view is not another result."""
    weights = 6 * 3 * 9 + 4 * 6 * 9 + 5 * 64
    results = [6 * 64, 6 * 64, 4 * 16, 5]  # after each layer but the flattening
    pairs = [results[0], *(a + b for a, b in itertools.pairwise(results))]  # the first reads the images
    expected = FLOAT * (weights + images * 3 * 64 + images * max(pairs))
    batch = torch.zeros(images, 3, 8, 8)
    assert Memory(images)(chain(), batch, "cpu") == expected
    assert measure_network([f"memory(images={images})"], chain(), (3, 8, 8)) == {
        f"memory(images={images})": expected
    }


class Residual(nn.Module):
    """float[n, c, h, w] -> the same, by way of two results that wait for one another."""

    def forward(self, inputs: Any) -> Any:
        left = inputs.sigmoid()
        right = inputs.tanh()
        return left + right


def test_memory_counts_what_waits() -> None:
    """Both branches and their sum are alive beside the images; what works in place takes nothing."""
    size = FLOAT * 2 * 5 * 5
    batch = torch.zeros(1, 2, 5, 5)
    assert Memory()(Residual(), batch, "cpu") == size * (1 + 3)
    in_place = nn.Sequential(nn.Sigmoid(), nn.ReLU(inplace=True), nn.ReLU(inplace=True))
    assert Memory()(in_place, batch, "cpu") == size * (1 + 1)


@settings(max_examples=5, deadline=None)
@given(cells(), st.sampled_from([8, 9]))
def test_memory_without_weights_is_that_with_them(blocks: Any, size: int) -> None:
    """Any cell, run on the meta device and computed for real, has the same peak."""
    network = cell_network(blocks, 3, 10, skeleton="small", filters=4, cells=2).eval()
    batch = torch.zeros(1, 3, size, size)
    with torch.no_grad(), LiveBytes([*network.parameters(), *network.buffers(), batch]) as live:
        network(batch)
    assert Memory()(network, batch, "cpu") == live.peak


def test_memory_of_a_network_that_looks_at_numbers_cannot_be_counted() -> None:
    """It says so, and several measures at once leave it out."""

    class Centred(nn.Module):
        def forward(self, inputs: Any) -> Any:
            return inputs - inputs.mean().item()

    with pytest.raises(Uncountable, match="numbers"):
        Memory()(Centred(), torch.zeros(1, 3, 8, 8), "cpu")
    assert measure_network(["params", "macs", "memory"], Centred(), (3, 8, 8)) == {"params": 0.0}


def test_memory_of_a_training_step() -> None:
    """Of a linear layer the peak is where the weights' gradient appears: weights, images, targets, the
    logits, their gradient, the loss with the sum of its weights, and that gradient."""
    n, inputs, classes = 2, 48, 3
    network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes, bias=False))
    expected = FLOAT * (classes * inputs * 2 + n * inputs + n * classes * 2 + 2) + 8 * n
    assert TrainingMemory(n)(network, torch.rand(n, 3, 4, 4), "cpu") == expected


def test_training_takes_more_memory_than_a_forward() -> None:
    """And an auxiliary head is a part of it."""
    names = ["memory(images=4)", "training_memory(images=4)"]
    plain = cell_network(PNASNET5, 3, 10, skeleton="small", filters=4, cells=2)
    headed = cell_network(PNASNET5, 3, 10, skeleton="small", filters=4, cells=2, auxiliary=True)
    small, large = (measure_network(names, net, (3, 16, 16)) for net in (plain, headed))
    assert small[names[1]] > 1.5 * small[names[0]]
    assert large[names[1]] > small[names[1]]


class Clock:
    """Seconds that pass only while a forward runs: as many as `durations` say, one after the other."""

    def __init__(self, durations: list[float]) -> None:
        self.now, self.durations, self.calls = 0.0, durations, 0

    def __call__(self) -> float:
        return self.now

    def forward(self) -> None:
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1


def timed(durations: list[float], warmup: int = 20, runs: int = 5, seconds: float = 1e9) -> Any:
    clock = Clock(durations)
    return time_forwards(clock.forward, clock, warmup, runs, seconds)


def test_latency_is_the_median_and_its_spread_the_quartiles_distance() -> None:
    """Of 1, 2, 4, 8, 100: the median 4, the quartiles 2 and 8; one slow forward does not count for more."""
    timing = timed([8, 1, 100, 2, 4], warmup=0)
    assert (timing.median, timing.spread, timing.runs, timing.warmup) == (4, 6, 5, 0)


def test_warming_up_ends_when_forwards_are_alike() -> None:
    """After the first SETTLED that are, or at the most that is allowed where they never are."""
    cold = [64.0, 32, 16, 8]
    timing = timed([*cold, *[4.0] * 50])
    assert (timing.warmup, timing.median) == (len(cold) + SETTLED, 4)
    assert timed([1.0, 2] * 50).warmup == 20
    assert timed([1.0, 1.09] * 50).warmup == SETTLED
    assert timed([1.0, 1.2] * 50).warmup == 20


def test_a_slow_network_is_timed_for_as_long_as_is_allowed() -> None:
    """Of `runs` as many as begin within the seconds, and FEWEST in any case; so is warming up bounded."""
    assert timed([2.0], warmup=0, runs=50, seconds=11).runs == 6
    assert timed([100.0] * 99, runs=50, seconds=10).runs == FEWEST
    assert timed([1.0, 2.0] * 50, warmup=20, seconds=3).warmup == 2
    assert timed([1.0], runs=2, seconds=10).runs == 2


def test_latency_has_a_protocol_in_words() -> None:
    """Which device, batch, threads, and how many runs."""
    assert Latency().protocol("cpu") == (
        "median of 50 forwards of 1 image on cpu, 1 thread, after up to 20 to warm up"
    )
    text = find_measure("latency(images=32, threads=2, runs=9)").protocol("cpu")
    assert text.startswith("median of 9 forwards of 32 images on cpu, 2 threads")
    assert "thread" not in Latency().protocol("cuda:0")


def test_latency_is_measured_in_evaluation_with_its_own_threads() -> None:
    """Nothing is learned, no gradient is kept, and the threads are those of the setting, then as before."""
    states = []

    class Watches(nn.Module):
        def forward(self, inputs: Any) -> Any:
            states.append((self.training, torch.is_grad_enabled(), torch.get_num_threads(), len(inputs)))
            return inputs.flatten(1)

    before = torch.get_num_threads()
    metrics = measure_network(["latency(threads=2, images=3, runs=4, warmup=1)"], Watches(), (1, 2, 2))
    assert set(states) == {(False, False, 2, 3)}
    assert len(states) == 5
    assert torch.get_num_threads() == before
    value, spread = metrics.values()
    assert value > 0
    assert spread >= 0


@pytest.mark.parametrize("setting", ["images=0", "threads=0", "runs=0", "warmup=-1", "seconds=0", "runs=1.5"])
def test_settings_that_cannot_be_are_refused(setting: str) -> None:
    """In a sentence that names the setting."""
    with pytest.raises(UsageError, match=setting.partition("=")[0]):
        find_measure(f"latency({setting})")


def test_networks_are_measured_in_the_layout_that_they_are_trained_in() -> None:
    """Channels last, or contiguous for a user's own 1x1 filters, for the network and for the images."""
    layouts = []

    class Own(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 2, size, size))

        def forward(self, inputs: Any) -> Any:
            layouts.append(inputs.is_contiguous(memory_format=torch.channels_last))
            return inputs

    for size, last in ((3, True), (1, False)):
        layouts.clear()
        measure_network(["latency(runs=1, warmup=0)"], Own(size), (2, 4, 4))
        assert layouts == [last]


def spoil(network: Any, batch: Any, device: str) -> float:
    """A careless measure of a user's: it changes weights, modes and gradients."""
    for parameter in network.train().parameters():
        parameter.data.zero_()
        parameter.requires_grad_(False)
    return float(batch.sum())


def volume(network: Any, batch: Any, device: str) -> float:
    """The images' numbers."""
    return batch.numel()


volume.images = 3  # type: ignore[attr-defined]
volume.unit = "J"  # type: ignore[attr-defined]


def test_a_users_function_is_a_measure() -> None:
    """By its name; what it does to the network stays with a copy, and its attributes are heeded."""
    network = chain().eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    names = ["test_measures:spoil", "test_measures:volume", "params"]
    metrics = measure_network(names, network, (3, 8, 8))
    assert metrics["test_measures:volume"] == 3 * 3 * 64
    assert metrics["params"] == 6 * 27 + 4 * 54 + 320
    assert not network.training
    assert all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    found = find_measure("test_measures:volume")
    assert isinstance(found, FunctionMeasure)
    assert (found.unit, found.images, found.noisy, found.reads_batch) == ("J", 3, False, True)
    assert "3 images on cpu" in found.protocol("cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "1", True, [1.0], torch.zeros(2)])
def test_a_measure_that_gives_no_number_is_refused(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence with its name and what it gave."""
    import test_measures

    monkeypatch.setattr(test_measures, "volume", lambda *known: value)
    with pytest.raises(UsageError, match=r"'test_measures:volume' gave .*: expected a finite number"):
        measure_network(["test_measures:volume"], chain(), (3, 8, 8))


def test_measures_have_names() -> None:
    """An unknown one is answered with the nearest; what has a name and is no function is refused."""
    for name in MEASURES.names():
        assert is_measure(name)
        assert find_measure(name) == find_measure(f"{name}()")
    with pytest.raises(UnknownName, match=r"unknown measure 'latncy'; did you mean 'latency'"):
        find_measure("latncy")
    with pytest.raises(UsageError, match="'math:pi' is not a function"):
        find_measure("math:pi")
    with pytest.raises(UsageError, match="cannot load measure 'no_such:thing'"):
        find_measure("no_such:thing")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("5ms", "s", 0.005),
        ("0.2s", "s", 0.2),
        (" 300 us ", "s", 3e-4),
        ("300µs", "s", 3e-4),
        ("200MB", "B", 2e8),
        ("1.5GiB", "B", 1.5 * 2**30),
        ("1M", "", 1e6),
        ("2.5b", "", 2.5e9),
        ("13,856", "", 13856),
        ("1,250.5K", "", 1250500),
        ("1e6", "", 1e6),
        ("0.5", "J", 0.5),
        ("0.5 J", "J", 0.5),
    ],
)
def test_amounts_are_read_in_their_units(text: str, unit: str, expected: float) -> None:
    """As written by people, a unit in any case."""
    assert read_amount(text, unit, "x") == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *(("5", "s"), ("5m", "s"), ("5MB", "s"), ("fast", "s"), ("-5ms", "s"), ("0ms", "s"), ("", "s")),
        *(("200", "B"), ("5s", "B"), ("1M B", "B"), ("nan", ""), ("inf", ""), ("1e999", ""), ("5ms", "")),
        *(("1,5M", ""), ("0,5ms", "s"), ("0,500ms", "s"), ("1,50", ""), ("1,234,5", ""), ("1,2345", "")),
        *(("1MM", ""), ("--1", ""), ("٣", ""), ("1.2.3", "")),
    ],
)
def test_amounts_that_cannot_be_meant_are_refused(text: str, unit: str) -> None:
    """Time and memory without a unit among them: nobody guesses which was meant."""
    with pytest.raises(UsageError, match=r"the limit x="):
        read_amount(text, unit, "x")


def test_a_decimal_comma_is_refused_with_its_remedy() -> None:
    """1,5M is not 15M."""
    with pytest.raises(UsageError, match=r"x=1,5M: a comma separates thousands.*decimals with a point"):
        read_amount("1,5M", "", "x")


@given(st.floats(1e-9, 1e15), st.sampled_from(["s", "B", ""]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_amounts_are_read_as_they_are_written(number: float, unit: str) -> None:
    """To the four digits that are shown."""
    if unit == "":
        number = float(round(number) or 1)
    text = write_amount(number, unit)
    assert read_amount(text, unit, "x") == pytest.approx(number, rel=1e-3)


@dataclass(frozen=True)
class Depth(Memory):
    """Modules that are nested in one another, as another file would define it."""

    unit: ClassVar[str] = ""

    def __call__(self, network: nn.Module, batch: Any, device: str) -> float:
        return float(max(name.count(".") for name, _ in network.named_modules()))


def test_a_measure_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line in the registry it is measured and limited by its name, settings included."""
    monkeypatch.setitem(MEASURES._entries, "depth", "test_measures:Depth")
    assert read_limits({"depth(images=2)": "3K"}) == {"depth(images=2)": 3000.0}
    nested = nn.Sequential(nn.Sequential(nn.Sequential(nn.Flatten())))
    assert measure_network(["depth"], nested, (1, 2, 2))["depth"] == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_of_a_device_is_the_allocators() -> None:
    """It is at least that of the tensors alive, and the same a second time; latency waits for the device."""
    network = chain().cuda()
    batch = torch.zeros(64, 3, 8, 8, device="cuda")
    for measure in (Memory(64), TrainingMemory(64)):
        found = measure(network, batch, "cuda")
        assert found >= measure(chain(), batch.cpu(), "cpu")
        assert measure(network, batch, "cuda") == found
    assert Latency()(network, batch, "cuda") > 0
