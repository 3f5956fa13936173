"""A network as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.exporting import LONGEST, export_program, silence
from cambrian.networks.heads import first_head
from cambrian.networks.tensor_copies import copy_network

IMAGES, LOGITS = "images", "logits"
"""The names of the file's input and output."""


class _FirstHead(nn.Module):
    """Further heads only help to train a network, and would be dead weight on a device."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return first_head(self.network(images))


def write_network(network: nn.Module, inputs: Tensor, path: Path) -> None:
    """Write a copy of `network`, on the CPU and in evaluation mode, for batches of any size; `inputs` are an
    example batch. Raises UsageError where it cannot be exported."""
    subject = copy_network(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    inputs = inputs.to("cpu").contiguous()
    # torch.export takes a dimension of 1 for a constant.
    examples = inputs.repeat(2, 1, 1, 1) if len(inputs) < 2 else inputs
    write_program(export_program(_FirstHead(subject), examples), path)


def write_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write an exported program as one file, weights included. Raises UsageError where an operation of it
    does not exist in ONNX."""
    try:
        with silence():
            torch.onnx.export(
                program,
                (),
                path,
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=[IMAGES],
                output_names=[LOGITS],
            )
    except MemoryError:
        raise
    except Exception as error:  # torch raises what it happens to meet
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise UsageError(
            f"the network cannot be written as ONNX: {type(error).__name__}: {reason[:LONGEST]}"
        ) from error
