"""Records that users make: a field that one does not have is refused with the nearest one.

msgspec's own TypeError says neither which record it was, nor which field was meant."""

from __future__ import annotations

from typing import Any

import msgspec

from cambrian.errors import UsageError, did_you_mean


class Record(msgspec.StructMeta):
    """The metaclass of such records: `class Fidelity(msgspec.Struct, metaclass=Record)`. What is read from
    JSON does not pass here: msgspec checks that itself."""

    def __call__(cls, *values: Any, **named: Any) -> Any:
        try:
            return super().__call__(*values, **named)
        except TypeError:
            _refuse(cls, values, named)
            raise  # of another cause


def _refuse(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Raise UsageError where the fields that were given are not those of the record."""
    name, fields = cls.__name__, cls.__struct_fields__
    for field in named:
        if field not in fields:
            raise UsageError(f"{name} has no field {field!r}{did_you_mean(field, fields)}")
    if len(values) > len(fields):
        raise UsageError(f"{name} has {len(fields)} fields, {', '.join(fields)}, and got {len(values)}")
    twice = [field for field in fields[: len(values)] if field in named]
    if twice:
        raise UsageError(f"{name} has {twice[0]} twice: by its place and by its name")
    needed = fields[: len(fields) - len(cls.__struct_defaults__)]
    lacking = [field for field in needed[len(values) :] if field not in named]
    if lacking:
        raise UsageError(f"{name} lacks {', '.join(lacking)}: give it, as {name}({lacking[0]}=...)")
