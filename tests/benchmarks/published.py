"""What several tests of published tables share."""

from __future__ import annotations

import numpy as np

from cambrian.estimators.job import Job
from cambrian.outcome import Fidelity
from published_tables import table


def raw(name):
    """A published file as it is, read without cambrian."""
    with np.load(table(name)) as found:
        return {key: found[key] for key in found.files}


def told(found, architecture, epochs=None):
    """The outcome a strategy is told of by a benchmark, once its curve is read."""
    fidelity = Fidelity(epochs) if epochs else found.fidelity
    outcomes = []

    def evaluation():
        outcomes.append((yield from found.estimator.run(Job.of(found.space, architecture, fidelity))))

    points = list(evaluation())
    assert outcomes[0].curve == tuple(points)
    return outcomes[0]
