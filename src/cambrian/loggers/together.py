"""Several watches as one."""

from __future__ import annotations

from cambrian.outcome import Point, Trial
from cambrian.search.loop.watch import Watch


class Together(Watch):
    """Tells each of `watches`; a warning goes to the first alone, since people need it once."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def on_warning(self, sentence: str) -> None:
        for watch in self._watches[:1]:
            watch.on_warning(sentence)

    def on_stage(self, name: str, total: int | None) -> None:
        for watch in self._watches:
            watch.on_stage(name, total)

    def on_claim(self, trial: Trial) -> None:
        for watch in self._watches:
            watch.on_claim(trial)

    def on_point(self, number: int, point: Point) -> None:
        for watch in self._watches:
            watch.on_point(number, point)

    def on_end(self, trial: Trial) -> None:
        for watch in self._watches:
            watch.on_end(trial)

    def on_recommend(self, trial: Trial) -> None:
        for watch in self._watches:
            watch.on_recommend(trial)

    def on_stop(self, reason: str) -> None:
        for watch in self._watches:
            watch.on_stop(reason)
