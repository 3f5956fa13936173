"""An evaluation that is ended by whoever reads its curve."""

from __future__ import annotations

from cambrian.estimators.estimator import Enough, Estimate
from cambrian.outcome import Outcome


def end_early(estimate: Estimate) -> Outcome | None:
    """The outcome of an evaluation as far as it has come; None of one that cannot end before its fidelity,
    which is closed."""
    try:
        estimate.throw(Enough())
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    except Enough:
        return None
    estimate.close()  # it went on, and nobody reads it any more
    return None
