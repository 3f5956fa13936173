"""Limits on measures: in which order they are checked, on which networks, and what a miss says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.build import Built, build_measured, build_network
from cambrian.estimators.job import Job
from cambrian.estimators.limits import (
    AGAIN,
    check_limits,
    describe_limits,
    read_limit_options,
    read_limits,
)
from cambrian.outcome import Done, Fidelity, Infeasible
from cambrian.problem import Objective
from small_training import ARCHITECTURE, SmallConv, bars, estimated

SEARCH, FINAL = Fidelity(skeleton={"times": 1}), Fidelity(skeleton={"times": 4})
SEEN: list[int] = []
READINGS: list[float] = []


def width(network: Any, batch: Any, device: str) -> float:
    """Weights of the last layer, of a network that has any; each call is noted."""
    assert device == "cpu"
    assert all(p.device.type == "cpu" for p in network.parameters())
    SEEN.append(network[-1].in_features)
    return float(network[-1].in_features)


def reading(network: Any, batch: Any, device: str) -> float:
    """The next of READINGS, as a clock would give them."""
    return READINGS.pop(0)


reading.noisy = True  # type: ignore[attr-defined]
reading.unit = "s"  # type: ignore[attr-defined]
WIDTH, READING = "test_limits_measured:width", "test_limits_measured:reading"


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()
    READINGS.clear()


def built(limits: dict[str, float], fidelity: Fidelity = SEARCH, **known: Any) -> Any:
    return build_network(job(limits, fidelity, **known))


def job(limits: dict[str, float], fidelity: Fidelity = SEARCH, **known: Any) -> Job:
    return Job.of(SmallConv(), ARCHITECTURE, fidelity, bars(), limits=limits, **known)


def test_what_can_be_counted_is_checked_first() -> None:
    """A network that is too large is never built with weights, here or in the final skeleton: no measure
    that needs them is asked."""
    assert built({WIDTH: 1e9, "params": 10.0}).reason == "limit"
    over_at_last = built({WIDTH: 1e9, "params": 5000.0}, final=FINAL)
    assert "params where at most 5,000 are allowed, in the final skeleton" in over_at_last.detail
    assert SEEN == []


def test_the_others_are_measured_on_networks_with_weights() -> None:
    """At the search's fidelity and then at the final one, once each; where both are one, once."""
    assert isinstance(built({WIDTH: 32.0}, final=FINAL), nn.Module)
    assert SEEN == [8, 32]
    SEEN.clear()
    assert isinstance(built({WIDTH: 8.0}, final=SEARCH), nn.Module)
    assert SEEN == [8]


def test_a_miss_says_where_and_by_how_much() -> None:
    """The outcome has all that was measured of the network that missed."""
    refused = built({WIDTH: 31.0}, final=FINAL)
    assert refused == Infeasible(
        "limit",
        f"32 {WIDTH} where at most 31 are allowed, in the final skeleton (times=4)",
        metrics={"params": 9764.0, "macs": refused.metrics["macs"], WIDTH: 32.0},
    )
    assert SEEN == [8, 32]


def test_a_noisy_measure_over_its_limit_is_taken_again() -> None:
    """The least of all readings counts; one that keeps the limit ends it, and so does one that is far over
    it, since an export or a slow network would be timed for nothing."""
    READINGS.extend([0.007, 0.004, 99.0])
    assert isinstance(built({READING: 0.005}), nn.Module)
    assert READINGS == [99.0]
    READINGS[:] = [0.009, 0.0062, 0.008, 99.0]
    refused = built({READING: 0.005})
    assert len(READINGS) == 4 - 1 - AGAIN
    assert refused.detail.startswith(f"a {READING} of 6.2 ms where at most 5 ms is allowed")
    assert refused.metrics[READING] == 0.0062
    READINGS[:] = [0.06, 0.001]
    assert built({READING: 0.005}).metrics[READING] == 0.06
    assert READINGS == [0.001]


def test_a_clock_does_not_refuse_at_the_end_what_it_let_pass() -> None:
    """A network to be delivered is held to what can be counted, and its noisy measures are noted."""
    READINGS.extend([99.0])
    found = build_measured(job({READING: 0.005, "params": 1e6}, stage="deliver"))
    assert isinstance(found, Built)
    assert found.metrics[READING] == 99.0
    assert built({READING: 0.005, "params": 10.0}, stage="deliver").reason == "limit"


def test_measuring_changes_nothing_that_is_trained() -> None:
    """With a limit that is kept, the training has the same numbers; the outcome has the measure besides."""
    points, free = estimated()
    again, held = estimated(limits={WIDTH: 1e9, "latency": 1e9, "memory": 1e12})
    assert isinstance(free, Done)
    assert isinstance(held, Done)
    assert [p.metrics for p in again] == [p.metrics for p in points]
    more = {k: v for k, v in held.metrics.items() if k not in free.metrics}
    assert {k: held.metrics[k] for k in free.metrics} == free.metrics
    assert more.keys() == {WIDTH, "latency", "latency_spread", "memory"}
    assert more[WIDTH] == 8


def test_objectives_are_measured_too() -> None:
    """Once, on a copy of the network that will be trained; metrics that are not measures are left alone."""
    objectives = tuple(Objective(name) for name in ("accuracy", WIDTH, "memory", "loss"))
    plain = job({})
    wanted = replace(plain, problem=replace(plain.problem, objectives=objectives))
    found = build_measured(wanted)
    assert isinstance(found, Built)
    assert found.metrics.keys() == {"params", "macs", WIDTH, "memory"}
    assert SEEN == [8]
    assert build_measured(wanted, always=()).metrics.keys() == {WIDTH, "memory"}
    plain = built({})
    same = zip(plain.state_dict().values(), found.network.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_nothing_is_built_where_nothing_is_limited() -> None:
    """No limit, no network."""

    def build(fidelity: Fidelity) -> nn.Module:
        raise AssertionError("built")

    assert check_limits(build, build, lambda fidelity: (1, 8, 8), {}, SEARCH, FINAL, "cpu") == {}


def test_limits_are_numbers_or_amounts_with_units() -> None:
    """What is neither is refused in a sentence with the limit's name."""
    assert read_limits({"latency": "5ms", "params": 10, "memory": 2e8}) == {
        "latency": 0.005,
        "params": 10,
        "memory": 2e8,
    }
    for wrong in (0, -1, float("nan"), float("inf"), True, None, [1], "5"):
        with pytest.raises(UsageError, match="latency"):
            read_limits({"latency": wrong})
    with pytest.raises(UnknownName, match=r"unknown limit 'latncy'; did you mean 'latency'"):
        read_limits({"latncy": 1.0})


def test_limits_of_a_command_line() -> None:
    """NAME=AMOUNT, the name with settings of its own; a measure can be limited in two ways, not twice."""
    texts = ["latency=5ms", "latency(threads=2)=4ms", "params=1M", f"{WIDTH}=3"]
    assert read_limit_options(texts) == {
        "latency": 0.005,
        "latency(threads=2)": 0.004,
        "params": 1e6,
        WIDTH: 3.0,
    }
    for wrong, words in [
        (["latency"], "MEASURE=AMOUNT"),
        (["=5ms"], "MEASURE=AMOUNT"),
        (["params="], "MEASURE=AMOUNT"),
        (["params=1M", "params=2M"], "params is limited twice"),
    ]:
        with pytest.raises(UsageError, match=words):
            read_limit_options(wrong)


def test_limits_are_described_with_their_protocols() -> None:
    """As a plan prints them."""
    text = describe_limits({"latency": 0.005, "memory": 2e8}, "cpu")
    assert text == (
        "latency at most 5 ms (median of 50 forwards of 1 image on cpu, 1 thread, after up to 20 to warm up);"
        " memory at most 200 MB (peak of a forward of 1 image, by the tensors alive)"
    )
