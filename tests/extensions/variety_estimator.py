"""An estimator: how many different answers an architecture has, without building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cambrian.outcome import Done, Point


@dataclass(frozen=True)
class Variety:
    """Each different answer is worth `worth`."""

    worth: float = 1.0
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job):
        value = self.worth * len({repr(answer) for answer in job.architecture.values()})
        yield Point(1, {"value": value})
        return Done(value)
