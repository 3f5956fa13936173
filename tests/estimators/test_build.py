"""From an architecture to a network: the shape it is given, and the limits it is held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from torch import nn

from cambrian.architecture import Architecture
from cambrian.errors import UnknownName
from cambrian.estimators.build import build_network
from cambrian.estimators.estimator import Job
from cambrian.outcome import Fidelity, Infeasible
from cambrian.spaces.space import Pick, Space
from small_training import ARCHITECTURE, SmallConv, bars

SEARCH, FINAL = Fidelity(skeleton={"times": 1}), Fidelity(skeleton={"times": 4})


def parameters(times: int) -> int:
    """Of `SmallConv` at width 8: two convolutions with bias, a batch normalisation, a linear layer."""
    w = 8 * times
    return (9 * w + w) + 2 * w + (9 * w * w + w) + (4 * w + 4)


def built_with(limits: dict[str, float], fidelity: Fidelity = SEARCH, **known: Any) -> Any:
    return build_network(Job.of(SmallConv(), ARCHITECTURE, fidelity, bars(), limits=limits, **known))


def test_a_limit_holds_for_the_final_network_too() -> None:
    """What passes in the search and would be refused in the end is refused at once, and it says where;
    without a last stage it passes, and in the last stage itself the sentence names its own skeleton."""
    limit = {"params": float(parameters(4) - 1)}
    assert isinstance(built_with(limit), nn.Module)
    refused = built_with(limit, final=FINAL)
    most = f"{parameters(4):,} params where at most {parameters(4) - 1:,} are allowed"
    assert (refused.reason, refused.detail) == ("limit", f"{most}, in the final skeleton (times=4)")
    assert refused.metrics["params"] == parameters(4)
    assert built_with(limit, FINAL, final=FINAL).detail == f"{most}, in the skeleton (times=4)"
    assert isinstance(built_with({"params": float(parameters(4))}, final=FINAL), nn.Module)


def test_the_search_network_is_named_where_it_is_too_large() -> None:
    """Beyond the limit already in the search's skeleton, that is what is told."""
    refused = built_with({"params": 10.0}, final=FINAL)
    assert (
        refused.detail == f"{parameters(1):,} params where at most 10 are allowed, in the skeleton (times=1)"
    )


def test_the_final_resolution_counts() -> None:
    """Multiply-accumulates grow with the images, the parameters do not."""
    final = Fidelity(resolution=16, skeleton={"times": 1})
    limit = {"macs": 64 * 8 * 9.0 + 16 * 8 * 8 * 9 + 8 * 4, "params": float(parameters(1))}
    assert isinstance(built_with(limit), nn.Module)
    assert built_with(limit, final=final).detail.endswith(
        "macs where at most 13,856 are allowed, in the final skeleton (times=1, resolution=16)"
    )


def test_an_unknown_limit_is_a_sentence() -> None:
    """The nearest name is proposed."""
    with pytest.raises(UnknownName, match=r"unknown limit 'parms'.*params"):
        built_with({"parms": 1.0})


@dataclass(frozen=True)
class Flat(Space):
    """A linear layer on all pixels: its size follows from the images' height and width."""

    def program(self, pick: Pick) -> None:
        pick("only", ["one"])

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        pixels = task.channels * task.height * task.width
        return nn.Sequential(nn.Flatten(), nn.Linear(pixels, task.classes))


def test_networks_are_built_for_the_images_they_will_see() -> None:
    """At a resolution of 4 a task of 8 by 8 has 16 pixels, for the network and for its limits."""
    only = Architecture({"only": "one"})
    for resolution, pixels in ((4, 16), (None, 64)):
        fidelity = Fidelity(resolution=resolution)
        limits = {"params": 4.0 * pixels + 4, "macs": 4.0 * pixels}
        network = build_network(Job.of(Flat(), only, fidelity, bars(), limits=limits))
        assert isinstance(network, nn.Sequential)
        assert network[1].in_features == pixels


@dataclass(frozen=True)
class Looking(SmallConv):
    """Networks whose forward looks at numbers."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        return nn.Sequential(Centred(), super().build(architecture, task, **skeleton))


class Centred(nn.Module):
    def forward(self, inputs: Any) -> Any:
        return inputs - inputs.mean().item()


def test_what_cannot_be_counted_is_refused_only_where_it_is_limited() -> None:
    """A limit on parameters is kept; one on multiply-accumulates cannot be, which the outcome says."""
    for limits in ({}, {"params": 1e6}):
        network = build_network(Job.of(Looking(), ARCHITECTURE, SEARCH, bars(), limits=limits))
        assert isinstance(network, nn.Module)
    refused = build_network(Job.of(Looking(), ARCHITECTURE, SEARCH, bars(), limits={"macs": 1e12}))
    assert isinstance(refused, Infeasible)
    assert refused.reason == "limit"
    assert "macs are limited and cannot be counted" in refused.detail
