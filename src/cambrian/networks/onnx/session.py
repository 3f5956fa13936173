"""ONNX Runtime on one file, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 256
"""Images of a run: activations of thousands at once would not fit into memory."""


class Session:
    """A file that is ready to run with `threads` threads: float32 images [n, c, h, w] to logits [n, classes],
    in pieces of BATCH."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # its warnings are about the graph's style, and go to standard error
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input: str = self._session.get_inputs()[0].name

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, max(1, len(images)), BATCH)
        return np.concatenate([self.run_once(images[start : start + BATCH]) for start in starts])

    def run_once(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """All images in one run."""
        logits: NDArray[np.float32] = self._session.run(None, {self._input: images})[0]
        return logits
