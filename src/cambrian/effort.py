"""The effort of measurements: the axes along which fidelities are ordered, and the epochs that trials cost.

An epoch is one pass over all training data: an epoch over a tenth of them counts a tenth. Smaller networks
and images make an epoch cheaper by the clock only, so that searches along those axes are compared by seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from cambrian.outcome import ENDLESS, Done, Fidelity, Infeasible, Trial
from cambrian.weights import Continue, Shared, source_row

ANEW = "anew"
"""In the data of an outcome: why a training that was to continue another one began from the start."""
LOST = "the training that it continues is not kept any more"
"""The reason where nothing else kept it from going on."""
STOPPED = "stopped_epochs"
"""In the data of an outcome: the epochs of a training that ended early, whose value is a forecast."""
SKELETON = "skeleton"
"""The axis that stands for all settings of a network's skeleton."""
PARTS = ("epochs", "seconds", "fraction", "resolution")
"""The axes that are fields of a fidelity; every other axis is a setting of the skeleton."""


class Axis(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the fidelity that an estimator measures at several values: "epochs", "seconds", "fraction",
    "resolution", or "skeleton" for any setting of it. `values` are the only ones that can be measured, in
    ascending order; empty for an axis that is free."""

    name: str
    values: tuple[float, ...] = ()


FREE = tuple(Axis(name) for name in (*PARTS, SKELETON))
"""The axes of a training: all of them, at any value."""


def find_axis(axes: Sequence[Axis], name: str) -> Axis | None:
    """The axis of that name; for a setting of the skeleton, that of all settings."""
    wanted = name if name in PARTS else SKELETON
    return next((axis for axis in axes if axis.name == wanted), None)


def read_axis(fidelity: Fidelity, name: str) -> float | None:
    """The fidelity's value on an axis; None where it names none."""
    value = getattr(fidelity, name) if name in PARTS else fidelity.skeleton.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def set_axis(fidelity: Fidelity, name: str, value: float) -> Fidelity:
    """The fidelity with another value on one axis: a whole number where it must be one."""
    whole = name not in ("seconds", "fraction")
    changed = round(value) if whole else value
    if name in PARTS:
        return msgspec.structs.replace(fidelity, **{name: changed})
    return msgspec.structs.replace(fidelity, skeleton={**fidelity.skeleton, name: changed})


def count_epochs(fidelity: Fidelity) -> float:
    """The epochs of a training from the start."""
    return fidelity.epochs * fidelity.fraction


def find_epochs(trial: Trial) -> float | None:
    """The epochs that a trial's network was trained for, each over the part of the data that its fidelity
    says; None where it has not ended, or is not known."""
    outcome, fidelity = trial.outcome, trial.fidelity
    if isinstance(outcome, Infeasible):
        return float(outcome.curve[-1].step) if outcome.curve else None
    if not isinstance(outcome, Done):
        return None
    counted = outcome.data.get(STOPPED, outcome.metrics.get("epochs"))
    if counted is not None:
        return float(counted)
    # Where its time bounds a training, its fidelity's epochs are not those that it had.
    bounded = fidelity.seconds is not None or fidelity.epochs >= ENDLESS
    return None if bounded else float(fidelity.epochs)


def grade_fidelity(fidelity: Fidelity) -> tuple[float, float, float]:
    """The fullness of a measurement, higher for one that says more of a network: first its epochs, then the
    seconds that bound them, then the pixels of its images. An axis without a bound is the fullest.

    >>> grade_fidelity(Fidelity(4, 0.5, resolution=16)), grade_fidelity(Fidelity(9, seconds=3.0))
    ((2.0, inf, 16.0), (9.0, 3.0, inf))
    """
    # Of the skeleton nothing: networks of different sizes compete in one race, each at its own.
    seconds, pixels = (
        math.inf if bound is None else float(bound) for bound in (fidelity.seconds, fidelity.resolution)
    )
    return float(count_epochs(fidelity)), seconds, pixels


def compare_size(fidelity: Fidelity, full: Fidelity) -> float:
    """The size of images and networks as a share of that of `full`: the product over the resolution and the
    numbers in its skeleton. Axes that either fidelity does not name count as equal.

    >>> compare_size(Fidelity(9, resolution=16), Fidelity(9, resolution=32))
    0.5
    """
    share = 1.0
    for name in ("resolution", *full.skeleton):
        own, whole = read_axis(fidelity, name), read_axis(full, name)
        share *= own / whole if own and whole else 1.0
    return share


def count_paid(trial: Trial, source: Trial | None = None) -> float:
    """The epochs that a trial paid for: none for a repeat, nor for a child that a supernet's weights score,
    and only the difference where it continued the training of `source`. A failed trial paid for the points of
    its curve."""
    outcome = trial.outcome
    if trial.cached is not None or outcome is None or isinstance(trial.weights, Shared):
        return 0.0
    whole = count_trained(trial)
    if isinstance(outcome, Infeasible):
        whole = outcome.curve[-1].step * trial.fidelity.fraction if outcome.curve else 0.0
    anew = isinstance(outcome, Done) and ANEW in outcome.data
    continued = source is not None and isinstance(trial.weights, Continue) and not anew
    return max(0.0, whole - (count_trained(source) if continued and source is not None else 0.0))


def count_trained(trial: Trial) -> float:
    """The epochs of its fidelity, or those that it had where it says so: it ended early, or its time or its
    recipe bounded it."""
    whole = count_epochs(trial.fidelity)
    trained = find_epochs(trial) if isinstance(trial.outcome, Done) else None
    return whole if trained is None else min(whole, trained * trial.fidelity.fraction)


def list_paid(trials: Sequence[Trial]) -> list[float]:
    """The epochs that each trial paid for; `trials` are in the order of their numbers, without gaps."""
    rows = (source_row(trial.weights) for trial in trials)
    return [count_paid(t, None if row is None else trials[row]) for t, row in zip(trials, rows, strict=True)]
