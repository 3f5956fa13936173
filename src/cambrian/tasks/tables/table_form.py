"""The form of the table that a task was read from, as far as another table does not say it itself: new rows
are read like those of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cambrian.errors import DataError
from cambrian.tasks.phrases import reason

FORM = "table"
"""The entry of a task's rendering that has it."""


class TableForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """`header` says whether the first row of a file names the columns, and `separator` is the sign between
    cells that the user named; None is a guess. Where columns are known by their number alone, `width` is how
    many there were, and `targets` are the numbers of those to learn, which new rows may leave out."""

    header: Literal["yes", "no"] | None = None
    separator: str | None = None
    width: int | None = None
    targets: tuple[int, ...] = ()

    def number(self, width: int, where: str) -> Sequence[int]:
        """The numbers that the columns of a table of `width` had in the training. Raises DataError where they
        are not as many.

        >>> TableForm(width=4, targets=(1,)).number(3, "new.csv")
        [0, 2, 3]
        """
        if self.width is None or self.width == width:
            return range(width)
        # A damaged record may have any width: no list of it is made.
        fits = self.width == width + len(self.targets)
        left = [n for n in range(self.width) if n not in self.targets] if fits else []
        if len(left) != width or not left:
            without = (
                f", or {self.width - len(self.targets)} without those to predict" if self.targets else ""
            )
            raise DataError(
                f"{where}: the columns are known by their number, and there are {width}: expected"
                f" {self.width}, as in the training{without}"
            )
        return left

    def record(self) -> dict[str, Any]:
        """The entry of a rendering; none where nothing is known."""
        facts = msgspec.to_builtins(self)
        return {FORM: facts} if facts else {}


UNKNOWN = TableForm()
"""Of tasks that earlier versions recorded, and of tables with named columns in memory."""


def read_form(rendering: Mapping[str, Any]) -> TableForm:
    """The form that a task or an export has recorded. Raises DataError where it is damaged."""
    try:
        return msgspec.convert(msgspec.convert(rendering, dict[str, Any]).get(FORM, {}), TableForm)
    except msgspec.ValidationError as error:
        raise DataError(f"the form of the table is damaged: {reason(error)}") from error
