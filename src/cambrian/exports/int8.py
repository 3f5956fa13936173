"""An export in 8-bit integers: the file, and the accuracy that it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import UsageError
from cambrian.exports.onnx_card import INT8, ONNX, add_card, measure_file
from cambrian.networks.onnx.calibration import CALIBRATION, spread_indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.tasks.task import Task


def add_int8(directory: Path, task: Task, resolution: int | None = None) -> Path:
    """Write the ONNX file in `directory`, an export of a network for `task`, in 8-bit integers beside itself,
    and into `model.json` its accuracy on the test part beside that of 32 bits, its bytes and its latency.
    Activations are calibrated on training images. Raises UsageError where the task has no classes of
    images."""
    from cambrian.networks.onnx.quantised import quantise
    from cambrian.networks.onnx.session import Session

    check_classes(task)
    calibration, _ = _read_part(task, spread_indices(task.train, CALIBRATION), resolution)
    quantise(directory / ONNX, directory / INT8, calibration)
    inputs, targets = _read_part(task, task.test, resolution)
    scores = [float(np.mean(Session(directory / name)(inputs).argmax(1) == targets)) for name in (INT8, ONNX)]
    card: dict[str, Any] = {
        "file": INT8,
        "accuracy": scores[0],
        "float_accuracy": scores[1],
        "images": len(targets),
        "quantisation": f"static, weights by channel, calibrated on {len(calibration)} training {task.noun}",
    }
    add_card(directory, "int8", card | measure_file(directory, INT8))
    return directory / INT8


def check_classes(task: Task) -> None:
    """Raise UsageError unless each image of the task has one class, so that right answers can be counted."""
    targets = task.targets
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise UsageError(
            "int8 counts the classes that 8 bits cost, and these data have other targets: leave out --int8"
        )


def _read_part(
    task: Task, which: NDArray[np.int64], resolution: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The program's inputs and the targets of a part of the data."""
    from cambrian.networks.normalisation import as_inputs
    from cambrian.networks.training.batches import images

    part = images(task.inputs[which], task.targets[which], task.mean, task.std, "cpu", resolution)
    return as_inputs(part.pixels.numpy()).numpy(), part.targets.numpy()
