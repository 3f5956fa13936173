"""Refuse questions that sampling never asks, since it neither makes nor runs modules."""

from __future__ import annotations

from cambrian.architecture import Decide
from cambrian.choices import Answer, Choice
from cambrian.errors import SpaceError


class TimelyDecide:
    """Decides as long as questions may be asked; later ones are a mistake of the program's author."""

    def __init__(self, decide: Decide, name: str, reading: object) -> None:
        self._decide, self._name, self._reading = decide, name, reading
        self.late: str | None = None

    def __call__(self, choice: Choice) -> Answer:
        making = getattr(self._reading, "making", None)
        if making is not None:
            raise SpaceError(
                f"question {choice.path!r} is asked while {making} is made, which sampling never does: give "
                f"the candidate a first argument called pick, and let it return a function that makes it"
            )
        if self.late is not None:
            raise SpaceError(
                f"question {choice.path!r} is asked {self.late}: ask it in {self._name}, before anything is "
                f"made, and give the module the answer"
            )
        return self._decide(choice)
