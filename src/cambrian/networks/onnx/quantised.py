"""An ONNX file in 8-bit integers, by ONNX Runtime's static quantisation.

Weights are rounded channel by channel, activations to the range that they have on calibration images, both to
signed integers (Jacob et al., CVPR 2018, arXiv 1712.05877); scales stand in the file as QuantizeLinear and
DequantizeLinear, which runtimes fuse into integer kernels.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.networks.onnx.onnx_file import IMAGES

BATCH = 32


def quantise(source: Path, target: Path, calibration: NDArray[np.float32]) -> None:
    """Write `source` to `target` in integers; `calibration` are float32 images [n, c, h, w]."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quietly():
        folded = Path(folder) / "folded.onnx"
        # Normalisation is folded into convolutions first, which would be rounded twice otherwise.
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(target),
            _reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            # Weights of seven bits: processors without integer dot products (AVX2) add two products in 16
            # bits, which those of eight overflow. A file is run on other machines than the one that wrote it.
            reduce_range=True,
        )


def _reader(images: NDArray[np.float32]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The batches, one at a time."""

        def __init__(self) -> None:
            self._batches = iter(images[n : n + BATCH] for n in range(0, len(images), BATCH))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {IMAGES: batch}

    return Reader()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the advice that the library logs at each call."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
