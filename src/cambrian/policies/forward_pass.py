"""A forward pass of the controller over walks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cambrian.policies.lstm import Floats, Tape


@dataclass(frozen=True)
class Read:
    """A forward pass over walks. `rows` [n, steps, options] are the rows of the options, `logs` the
    logarithms of their probabilities, `taken` [n, steps] the options taken. `before` [n, steps] are the
    rows read at each step, `outputs` [n, steps, hidden] the outputs of the LSTM. `slopes` [n, steps, options]
    are the derivatives of the logits by what the LSTM says. `members` [n, steps] marks decisions on options
    of subsets, of which there are `subsets` [n]."""

    rows: NDArray[np.int64]
    taken: NDArray[np.int64]
    before: NDArray[np.int64]
    logs: Floats
    outputs: Floats
    tapes: list[Tape]
    slopes: Floats
    members: NDArray[np.bool_]
    subsets: NDArray[np.int64]

    def log_probability(self) -> Floats:
        """The log-probability [n] of each walk: the sum over its decisions."""
        chosen: Floats = np.take_along_axis(self.logs, self.taken[:, :, None], 2).sum(axis=(1, 2))
        return chosen

    def entropies(self) -> Floats:
        """The entropy [n, steps] of the softmax at each step."""
        entropies: Floats = -(np.exp(self.logs) * self.logs).sum(axis=2)
        return entropies
