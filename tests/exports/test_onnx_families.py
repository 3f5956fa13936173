"""Every family of networks goes to ONNX: what a space builds can be taken to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cambrian.architecture import sample
from cambrian.errors import Unbuildable
from cambrian.networks.heads import first_head
from cambrian.networks.onnx.onnx_file import write_network
from cambrian.networks.onnx.session import Session
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.testing import toy_task

NETWORKS = 2
SMALL = {"filters": 4, "cells": 2, "modules": 1, "width": 0.1, "features": 8, "hidden": 8, "patch": 4}
"""Settings of skeletons, where a space has them: the operations are those of its large networks."""
QUICK = ("tiny-chain",)
"""The others take two to twenty seconds each."""


def build_some(name: str) -> list[Any]:
    """Networks of the space, with running statistics that are not the initial ones."""
    task, networks = toy_task(), []
    space: Any = SPACES.make(name)
    space = space.for_task(task) if hasattr(space, "for_task") else space
    small = {name: value for name, value in SMALL.items() if name in space.skeleton}
    for n in range(20):
        try:
            torch.manual_seed(n)
            network = space.build(sample(space, stream(n, "onnx")), task, **small)
        except Unbuildable:
            continue
        network.train()(torch.randn(4, task.channels, task.height, task.width))
        networks.append(network.eval())
        if len(networks) == NETWORKS:
            break
    return networks


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SPACES.names()]
)
def test_networks_of_every_space_give_the_same_outputs_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    """Two networks of each, for 1 and for 3 images, within 1e-4 of torch's outputs, or of their last bits
    where outputs are large."""
    task, networks = toy_task(), build_some(name)
    assert networks
    for network in networks:
        images = torch.rand(3, task.channels, task.height, task.width)
        write_network(network, images, tmp_path / "network.onnx")
        session = Session(tmp_path / "network.onnx")
        for count in (1, 3):
            with torch.inference_mode():
                expected = first_head(network(images[:count])).numpy()
            np.testing.assert_allclose(session(images[:count].numpy()), expected, atol=1e-4, rtol=1e-4)
