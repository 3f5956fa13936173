"""The runtimes in which a forward pass can be timed: torch as it is written, torch's exported program, and
ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError, did_you_mean
from cambrian.networks.onnx.packages import RUNNING, check_packages

EAGER, EXPORTED, ONNX = "eager", "exported", "onnxruntime"
Forward = Callable[[], object]


def prepare_eager(network: nn.Module, batch: Tensor, device: str, threads: int) -> Forward:
    """A forward of `batch`, which ends when the device is done."""

    def forward() -> object:
        outputs = network(batch)
        if device.startswith("cuda"):  # a forward only queues its kernels there
            torch.cuda.synchronize(device)
        return outputs

    return forward


def prepare_exported(network: nn.Module, batch: Tensor, device: str, threads: int) -> Forward:
    """A forward of the program that `torch.export` makes of the network."""
    from cambrian.networks.exporting import export_program

    # torch.export takes a dimension of 1 for a constant.
    examples = batch.repeat(2, 1, 1, 1) if len(batch) < 2 else batch
    return prepare_eager(export_program(network, examples).module(), batch, device, threads)


def prepare_onnx(network: nn.Module, batch: Tensor, device: str, threads: int) -> Forward:
    """A forward by ONNX Runtime, from an array to an array."""
    from cambrian.networks.onnx.onnx_file import write_network
    from cambrian.networks.onnx.session import Session

    check_device(ONNX, device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_network(network, batch, path)
        session = Session(path, threads)
    images = batch.contiguous().numpy()
    return lambda: session.run_once(images)


RUNTIMES: dict[str, Callable[[nn.Module, Tensor, str, int], Forward]] = {
    EAGER: prepare_eager,
    EXPORTED: prepare_exported,
    ONNX: prepare_onnx,
}


def check_runtime(name: str) -> None:
    """Raise UsageError for a runtime that does not exist, MissingExtra for one that is not installed."""
    if name not in RUNTIMES:
        raise UsageError(f"latency has no runtime {name!r}{did_you_mean(name, RUNTIMES)}")
    if name == ONNX:
        check_packages(RUNNING, "the latency in ONNX Runtime")


def check_device(runtime: str, device: str) -> None:
    """Raise UsageError where the runtime does not run on that device."""
    if runtime == ONNX and device != "cpu":
        raise UsageError(
            f"latency(runtime={ONNX}) is measured on the CPU, and the search is on {device}: add"
            f" --device cpu, or take runtime={EXPORTED}"
        )
