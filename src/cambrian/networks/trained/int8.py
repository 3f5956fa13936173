"""Accuracy in 8-bit integers, as a device computes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from cambrian.networks.onnx.calibration import CALIBRATION, spread_indices
from cambrian.networks.onnx.packages import RUNNING, check_packages
from cambrian.networks.trained.parts import Parts
from cambrian.settings import COUNT, check_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.training.batches import Images


@dataclass(frozen=True)
class Int8Accuracy:
    """The accuracy of the network after static quantisation (Jacob et al., CVPR 2018, arXiv 1712.05877), run
    by ONNX Runtime; activations are calibrated on `calibration` training images."""

    calibration: Annotated[int, COUNT] = CALIBRATION

    def __post_init__(self) -> None:
        check_settings(self, "int8-accuracy")
        check_packages(RUNNING, "int8-accuracy")

    def __call__(self, network: nn.Module, parts: Parts) -> float:
        from cambrian.networks.onnx.onnx_file import write_network
        from cambrian.networks.onnx.quantised import quantise
        from cambrian.networks.onnx.session import Session
        from cambrian.networks.robustness.scoring import check_targets

        check_targets(parts.scored, "int8-accuracy")
        calibration = _read(parts.training, spread_indices(np.arange(len(parts.training)), self.calibration))
        with tempfile.TemporaryDirectory() as folder:
            exact, rounded = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            write_network(network, parts.scored.inputs(parts.scored.pixels[:2]), exact)
            quantise(exact, rounded, calibration)
            session = Session(rounded)
        predicted = session(_read(parts.scored, np.arange(len(parts.scored)))).argmax(1)
        return float(np.mean(predicted == parts.scored.targets.cpu().numpy()))


def _read(images: Images, which: NDArray[np.int64]) -> NDArray[np.float32]:
    """The network's inputs for some of the images."""
    inputs: NDArray[np.float32] = images.inputs(images.pixels[which]).contiguous().cpu().numpy()
    return inputs
