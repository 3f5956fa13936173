"""The callbacks by which others follow a run while it happens: displays, loggers, a caller's own."""

from __future__ import annotations

import warnings

from cambrian.outcome import Point, Trial


class Watch:
    """Callbacks for the events of a run as they happen; a subclass overrides those that it needs."""

    def on_warning(self, sentence: str) -> None:
        warnings.warn(sentence, stacklevel=2)

    def on_stage(self, name: str, total: int | None) -> None: ...
    def on_claim(self, trial: Trial) -> None: ...
    def on_point(self, number: int, point: Point) -> None: ...
    def on_end(self, trial: Trial) -> None: ...

    def on_recommend(self, trial: Trial) -> None:
        """The search is to stop, and recommends this trial first."""

    def on_stop(self, reason: str) -> None: ...
