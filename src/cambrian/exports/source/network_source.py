"""The source of a trained network: a file of plain torch, with the classes of the network that was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cambrian.exports.source.classes import PARTS, Classes
from cambrian.exports.source.recording import merge, record
from cambrian.exports.source.values import Ref, find_refs

_HEAD = '''"""{title}: the network in plain torch. It needs torch and safetensors alone.

    network = load()  # in evaluation mode, with the weights beside this file
    logits = network(normalise(images))  # float32 [n, {channels}, {height}, {width}], {unit}

To train it further, begin with `load().train()`: `Network()` alone has torch's first weights, and
zeros where a parameter is not of a module of torch's. Paths that were dropped at random and heads
that only helped in training are left out.
"""

{imports}

MEAN = {mean}  # of each channel
STD = {std}


def normalise(images):
    if not images.is_floating_point():
        raise TypeError(f"expected float32 images, {unit}; got {{images.dtype}}")
    mean, std = (torch.tensor(v, device=images.device).reshape(1, -1, 1, 1) for v in (MEAN, STD))
    return (images - mean) / std


def load(path=Path(__file__).with_name("weights.safetensors")):
    """The network with its trained weights."""
    network, weights = Network(), load_file(path)
    network.load_state_dict({{name: weights[name] for name in network.state_dict()}})
    return network.eval()
'''


@dataclass(frozen=True)
class NetworkSource:
    """`text` is a Python file; `tensors` are those it needs beside the network's state dict, by name."""

    text: str
    tensors: Mapping[str, Tensor]


def write_source(network: nn.Module, inputs: Tensor, facts: Mapping[str, Any], unit: str) -> NetworkSource:
    """The source of `network`, in evaluation mode, for normalised images [n, c, h, w] such as `inputs`, of
    which there are two or more. Raises Unwritable where its forward has no such form."""
    # With one image a forward may take a way of its own, so that two and three are recorded.
    first, second = (record(network, _some(inputs, count)) for count in (2, 3))
    recording = merge(first, second)
    recording.result = next(map(Ref, find_refs(recording.result)))  # further heads only help to train
    for i, number in enumerate(recording.constants):
        recording.owned[number] = f"constant_{i}"
    classes = Classes(network, recording, second.shapes)
    text = _head(classes, facts, unit) + "".join(f"\n\n{part}" for part in classes.texts)
    return NetworkSource(text, _extra_tensors(network, recording))


def _some(inputs: Tensor, count: int) -> Tensor:
    return inputs.repeat(-(-count // len(inputs)), 1, 1, 1)[:count].clone()


def _head(classes: Classes, facts: Mapping[str, Any], unit: str) -> str:
    body = "".join(classes.texts)
    imports = ["from collections import OrderedDict"] if "OrderedDict(" in body else []
    imports += ["from pathlib import Path", "", "import torch"]
    imports += ["import torch.nn.functional as F"] if "F." in body else []
    imports += ["from safetensors.torch import load_file", "from torch import nn"]
    shown = {name: facts[name] for name in ("channels", "height", "width")}
    title = " ".join(str(facts.get("name", "network")).replace("\\", "/").replace('"', "'").split())
    text = _HEAD.format(
        title=title,
        unit=unit,
        imports="\n".join(imports),
        mean=[float(v) for v in facts["mean"]],
        std=[float(v) for v in facts["std"]],
        **shown,
    )
    return text + (f"\n\n{PARTS}" if classes.uses_parts else "")


def _extra_tensors(network: nn.Module, recording: Any) -> dict[str, Tensor]:
    """Tensors that the forward reads and that no state dict holds: constants, and buffers left out of it."""
    kept = network.state_dict()
    constants = {recording.owned[n]: t.detach().clone().contiguous() for n, t in recording.constants.items()}
    buffers = {n: b.detach().clone().contiguous() for n, b in network.named_buffers() if n not in kept}
    return constants | buffers
