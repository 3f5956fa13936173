"""The numbers of a search that loggers write, by name and step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from cambrian.outcome import Done, Trial
from cambrian.search.display.tally import Tally
from cambrian.search.loop.watch import Watch

Scalar = tuple[str, float, int]
"""Name, value and step."""


class ScalarWatch(Watch):
    """A watch that writes numbers. A resumed search tells of its earlier trials first, so that the log of
    each session is whole."""

    def __init__(self) -> None:
        self._tally = Tally()

    @abstractmethod
    def write(self, scalars: list[Scalar]) -> None:
        """Write the numbers of one trial, so that they are seen at once."""

    def on_end(self, trial: Trial) -> None:
        if trial.kind == "final":
            self.write(list(_list_final(trial)))
        elif trial.kind == "supernet":  # its value is a mean over children: it competes with no trial
            self.write(list(_list_curve(f"supernet/{trial.number}", trial)))
        else:
            self._tally.add(trial)
            self.write(list(self._list_trial(trial)))

    def _list_trial(self, trial: Trial) -> Iterator[Scalar]:
        """The step is the trial's number; the best and the failures are those so far."""
        step, best = trial.number, self._tally.best
        if best is not None and best.value is not None:
            yield "search/best", best.value, step
        yield "search/failed", float(self._tally.failed), step
        if isinstance(trial.outcome, Done):
            yield "search/value", trial.outcome.value, step
            # What a repeat cost was paid once, by its original.
            if trial.cached is None:
                yield "search/seconds", trial.outcome.seconds, step
            yield from ((f"search/{name}", value, step) for name, value in trial.outcome.metrics.items())


def _list_final(trial: Trial) -> Iterator[Scalar]:
    """The learning curve of a training of the final stage, and its value."""
    name = f"final/{trial.number}-{trial.role.replace(' ', '-')}"
    yield from _list_curve(name, trial)
    if isinstance(trial.outcome, Done):
        yield f"{name}/score", trial.outcome.value, 0


def _list_curve(name: str, trial: Trial) -> Iterator[Scalar]:
    for point in getattr(trial.outcome, "curve", ()):
        yield from ((f"{name}/{metric}", value, point.step) for metric, value in point.metrics.items())
