"""Hard limits on measures of a network: reading, describing and checking them before any training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.networks.measure.measure import find_measure
from cambrian.networks.measure.units import read_amount, write_amount
from cambrian.outcome import Fidelity, Infeasible

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.measure.measure_network import Shape

SIZES = ("params", "macs")
"""The measures that are counted for every network with limits."""
AGAIN = 2
"""The number of repetitions of a noisy measure that is over its limit. The least value counts, since other
work on the device only adds to it."""
HOPELESS = 10.0
"""Times the limit, beyond which a noisy measure is not repeated: other work does not add as much."""


def read_limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Limits by the name of a measure, as numbers in its unit; texts are amounts with units. Raises
    UsageError for an unknown measure, and for a value that is not an amount of the measure.

    >>> read_limits({"latency": "5ms", "params": 1e6})
    {'latency': 0.005, 'params': 1000000.0}
    """
    return {name: _read_limit(name, most) for name, most in limits.items()}


def describe_limits(limits: Mapping[str, float], device: str) -> str:
    """The limits in words, each with the method of its measurement.

    >>> describe_limits({"params": 1e6}, "cpu")
    'params at most 1,000,000 (trainable ones, counted without building any)'
    """
    measures = {name: find_measure(name) for name in limits}
    return "; ".join(
        f"{name} at most {write_amount(most, measures[name].unit)} ({measures[name].protocol(device)})"
        for name, most in limits.items()
    )


def check_limits(
    build: Callable[[Fidelity], nn.Module],
    draft: Callable[[Fidelity], nn.Module],
    shape: Callable[[Fidelity], Shape],
    limits: Mapping[str, float],
    fidelity: Fidelity,
    final: Fidelity | None = None,
    device: str = "cpu",
) -> dict[str, float] | Infeasible:
    """The measures, by name, of the network that `build` makes at `fidelity` for images of `shape`, and
    `draft` without weights, if it keeps the limits at both `fidelity` and `final`; else Infeasible with the
    missed limit and all measures taken at that fidelity.

    Measures that can be counted come first, at both fidelities, on networks without weights, so that no
    memory is allocated. The rest is measured on networks with weights of their own, on `device`. Raises
    UnknownName for a limit on an unknown measure, and every error that `build` raises."""
    if not limits:
        return {}
    measured = {n: most for n, most in limits.items() if find_measure(n, "limit").needs_weights(device)}
    counted = {n: most for n, most in limits.items() if n not in measured}
    candidates = _list_candidates(fidelity, final)
    for candidate in candidates:
        candidate.count(draft(candidate.fidelity), shape(candidate.fidelity), counted, device)
        if candidate.excess:
            return candidate.refuse()
    for candidate in candidates if measured else ():
        network = build_weights(build, candidate.fidelity)
        candidate.measure(network, shape(candidate.fidelity), measured, device)
        if candidate.excess:
            return candidate.refuse()
    return candidates[0].metrics


@dataclass
class _Candidate:
    """A network that is held to limits. `place` says in which skeleton it is; `excess` is a sentence about
    the first limit it misses."""

    fidelity: Fidelity
    place: str
    metrics: dict[str, float] = field(default_factory=dict)
    excess: str = ""

    def count(self, draft: nn.Module, shape: Shape, limits: Mapping[str, float], device: str) -> None:
        """Holds a network without weights to limits on countable measures."""
        from cambrian.networks.measure.measure_network import measure_network

        self.metrics |= measure_network(dict.fromkeys((*SIZES, *limits)), draft, shape, device)
        self._compare(limits)

    def measure(self, network: nn.Module, shape: Shape, limits: Mapping[str, float], device: str) -> None:
        """Holds a network with weights to the other limits, one after the other."""
        # Not all at once: a measure takes seconds, and the first one missed decides.
        for name, most in limits.items():
            self.metrics |= _take_least(name, most, network, shape, device)
            self._compare({name: most})
            if self.excess:
                return

    def refuse(self) -> Infeasible:
        return Infeasible("limit", self.excess + self.place, metrics=self.metrics)

    def _compare(self, limits: Mapping[str, float]) -> None:
        phrases = (_describe_excess(name, most, self.metrics.get(name)) for name, most in limits.items())
        self.excess = next(filter(None, phrases), "")


def name_settings(fidelity: Fidelity) -> str:
    """The settings that a network's sizes depend on besides architecture and task, as a text in brackets:
    " (cells=2, filters=8)"."""
    settings = sorted(fidelity.skeleton.items())
    if fidelity.resolution:
        settings.append(("resolution", fidelity.resolution))
    return f" ({', '.join(f'{k}={v}' for k, v in settings)})" if settings else ""


def _list_candidates(fidelity: Fidelity, final: Fidelity | None) -> list[_Candidate]:
    """The network to be trained, and that of the final stage if it differs."""
    settings = name_settings(fidelity)
    candidates = [_Candidate(fidelity, f", in the skeleton{settings}" if settings else "")]
    if final is not None and name_settings(final) != settings:
        candidates.append(_Candidate(final, f", in the final skeleton{name_settings(final)}"))
    return candidates


def build_weights(build: Callable[[Fidelity], nn.Module], fidelity: Fidelity) -> nn.Module:
    """The network with arbitrary weights; the weights for training come from a stream of their own."""
    import torch

    from cambrian.networks.pointwise import avoid_strided_pointwise

    with torch.random.fork_rng(devices=[]):  # measuring must not move the caller's generator
        torch.manual_seed(0)
        network = build(fidelity)
    avoid_strided_pointwise(network)
    return network


def _take_least(name: str, most: float, network: nn.Module, shape: Shape, device: str) -> dict[str, float]:
    """The measure with its spread; a noisy one over the limit is measured again."""
    from cambrian.networks.measure.measure_network import measure_network

    metrics = measure_network([name], network, shape, device)
    for _ in range(AGAIN if find_measure(name).noisy else 0):
        if not most < metrics[name] <= HOPELESS * most:
            break
        metrics = min(metrics, measure_network([name], network, shape, device), key=lambda m: m[name])
    return metrics


def _describe_excess(name: str, most: float, value: float | None) -> str:
    """A sentence about a missed limit; empty if the measure keeps it."""
    if value is None:  # the forward pass needs real tensors, so that MACs cannot be counted on "meta"
        if find_measure(name).needs_weights("cpu"):
            return f"its {name} is limited and not defined for this network"
        return f"its {name} are limited and cannot be counted, since its forward looks at numbers"
    if value <= most:
        return ""
    unit = find_measure(name).unit
    amount, allowed = write_amount(value, unit), write_amount(most, unit)
    if unit:
        return f"a {name} of {amount} where at most {allowed} is allowed"
    return f"{amount} {name} where at most {allowed} are allowed"


def _read_limit(name: str, most: Any) -> Any:
    unit = find_measure(name, "limit").unit
    if isinstance(most, str):
        return read_amount(most, unit, name)
    if isinstance(most, Real) and not isinstance(most, bool) and 0 < float(most) < math.inf:
        return most
    raise UsageError(f"the limit on {name} is a number above 0 or a text such as 5ms or 1M, got {most!r}")


def read_limit_options(texts: Iterable[str]) -> dict[str, float]:
    """Limits from a command line, each written NAME=AMOUNT. Raises UsageError for any other text, and for a
    measure with two limits.

    >>> read_limit_options(["latency=5ms", "params=1M"])
    {'latency': 0.005, 'params': 1000000.0}
    """
    limits: dict[str, float] = {}
    for text in texts:
        # The last "=": settings of a measure have theirs before it, as latency(threads=2)=5ms.
        name, equals, amount = (part.strip() for part in text.rpartition("="))
        if not equals or not name or not amount:
            raise UsageError(f"cannot read the limit {text!r}: write MEASURE=AMOUNT, such as latency=5ms")
        if name in limits:
            raise UsageError(f"{name} is limited twice: give it once")
        limits[name] = _read_limit(name, amount)
    return limits
