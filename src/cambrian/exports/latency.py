"""The latency of a run's winner: as the run itself measured it, else as limits on `latency` measure it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from cambrian.estimators.limits import AGAIN, name_settings
from cambrian.networks.measure.units import write_amount
from cambrian.outcome import Done, Trial
from cambrian.search.display.progress import find_end, read_progress

if TYPE_CHECKING:
    from cambrian.search.result import Result

MEASURE = "latency"
MEASURES = (MEASURE, "predicted_latency")
"""The measures that are printed, whatever their settings are."""
SPREAD = "_spread"
"""What the spread of a latency has after its name (as in `measure_network`, which imports torch)."""
PATIENCE = 0.5
"""Seconds of forwards to warm up, and as many that are timed: the user waits for them."""
LATE, GRACE = 1.05, 10.0
"""A run that has spent more than LATE times its budget of time and GRACE seconds is late, and nothing more is
measured."""


class Latency(msgspec.Struct, frozen=True):
    """Seconds of a forward by the measure `name`, such as `latency(threads=2)`, and how they are measured:
    the least of so many `measurements`, as other work on the device only adds to it."""

    name: str
    seconds: float
    measurements: int
    protocol: str

    def __str__(self) -> str:
        least = f", the least of {self.measurements} measurements" if self.measurements > 1 else ""
        return f"{self.name}: {write_amount(self.seconds, 's')} ({self.protocol}{least})"


def list_latencies(result: Result) -> list[Latency]:
    """The winner's latencies on the run's device. What was a limit or an objective is read from the run, so
    that it does not contradict the limit that the network kept. Where that is no latency of this device, it
    is measured, unless the run is late."""
    winner = result.winner
    if winner is None or result.task is None:
        return []
    measured = _read_measured(result, winner)
    if any(_find_head(each.name) == MEASURE for each in measured) or _is_late(result):
        return measured
    return [*measured, *_measure(result, winner)]


def _read_measured(result: Result, winner: Trial) -> list[Latency]:
    from cambrian.networks.measure.measure import find_measure

    # The same network may have been a trial and a finalist before. A smaller one of the same architecture,
    # as trials in a cheap skeleton are, is another network.
    readings: dict[str, list[float]] = {}
    for trial in (*result.trials, *result.finals):
        alike = name_settings(trial.fidelity) == name_settings(winner.fidelity)
        if trial.architecture != winner.architecture or not alike or not isinstance(trial.outcome, Done):
            continue
        metrics = trial.outcome.metrics
        for name in filter(partial(_is_measured, metrics), metrics):
            readings.setdefault(name, []).append(metrics[name])
    device = _read_device(result)
    return [Latency(n, min(r), len(r), find_measure(n).protocol(device)) for n, r in readings.items()]


def _measure(result: Result, winner: Trial) -> list[Latency]:
    from cambrian.estimators.build import signature
    from cambrian.networks.measure.latency import Latency as Measure
    from cambrian.networks.measure.measure_network import measure_network

    assert result.task is not None
    seen, device = signature(result.task, winner.fidelity), _read_device(result)
    network, shape = result.model().network, (seen.channels, seen.height, seen.width)
    short, began, readings = f"{MEASURE}(seconds={PATIENCE})", time.monotonic(), list[float]()
    # As often as for a limit, and of a slow network once: five forwards of it take long.
    while len(readings) <= AGAIN and (not readings or time.monotonic() - began < PATIENCE):
        readings.append(measure_network([short], network, shape, device)[short])
    return [Latency(MEASURE, min(readings), len(readings), Measure().protocol(device))]


def _is_late(result: Result) -> bool:
    seconds = (result.facts.get("budget") or {}).get("seconds")
    if seconds is None:
        return False
    return read_progress(result).elapsed > LATE * find_end(result, seconds) + GRACE


def _is_measured(metrics: Mapping[str, float], name: str) -> bool:
    """Whether the metric is a latency by a measure of ours."""
    # A user's function may return a metric called latency too, which has no spread beside it.
    return _find_head(name) in MEASURES and (_find_head(name) != MEASURE or name + SPREAD in metrics)


def _find_head(name: str) -> str:
    """The name of a measure without its settings."""
    return name.partition("(")[0]


def _read_device(result: Result) -> str:
    return str(result.facts.get("device", "cpu"))
