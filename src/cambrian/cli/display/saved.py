"""The sentence on trainings that ended early by a forecast of their curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cambrian.effort import STOPPED
from cambrian.outcome import Done, Trial


def describe_saved(trials: Sequence[Trial]) -> Iterator[str]:
    """How many trainings ended early, and what they saved at their own pace; nothing where none did.

    >>> from cambrian.architecture import Architecture
    >>> from cambrian.outcome import Fidelity
    >>> early = Done(0.5, seconds=20.0, data={STOPPED: 4})
    >>> list(describe_saved([Trial(0, Architecture({}), Fidelity(10), outcome=early)]))
    ['1 of 1 trainings ended early by a forecast: 6 of 10 epochs saved, about 30 s']
    """
    measured = [trial for trial in trials if isinstance(trial.outcome, Done) and trial.cached is None]
    pairs = [(t, int(t.outcome.data.get(STOPPED, 0))) for t in measured if isinstance(t.outcome, Done)]
    early = [(trial.fidelity.epochs - epochs, epochs, trial) for trial, epochs in pairs if epochs]
    if not early:
        return
    saved, whole = sum(left for left, _, _ in early), sum(t.fidelity.epochs for t in measured)
    seconds = sum(
        left / epochs * t.outcome.seconds for left, epochs, t in early if isinstance(t.outcome, Done)
    )
    count = f"{len(early)} of {len(measured)} trainings ended early by a forecast"
    yield f"{count}: {saved:,} of {whole:,} epochs saved, about {seconds:,.0f} s"
