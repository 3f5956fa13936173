"""What several tests of published tables share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cambrian.outcome import Fidelity

FOLDER = os.environ.get("CAMBRIAN_DATA", "")
needs_tables = pytest.mark.skipif(
    not (Path(FOLDER) / "nb201").is_dir(), reason="set CAMBRIAN_DATA to the folder of published tables"
)


def raw(name):
    """A published file as it is, read without cambrian."""
    with np.load(Path(FOLDER) / name) as found:
        return {key: found[key] for key in found.files}


def told(found, architecture, epochs=None):
    """The outcome a strategy is told of by a benchmark, once its curve is read."""
    fidelity = Fidelity(epochs) if epochs else found.fidelity
    outcomes = []

    def evaluation():
        outcomes.append(
            (yield from found.estimator.estimate(found.space, architecture, fidelity, None, None))
        )

    points = list(evaluation())
    assert outcomes[0].curve == tuple(points)
    return outcomes[0]
