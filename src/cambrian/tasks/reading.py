"""Options that override a reader's guesses: the fields of its dataclass, checked before they are used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from cambrian.errors import DataError, UsageError, did_you_mean
from cambrian.tasks.examples import Reader
from cambrian.type_words import describe_mismatch

SOURCES = ("path", "source")
"""Fields that say where the data are, not how they are read."""


def with_options(reader: Reader, options: Mapping[str, Any], settings: Iterable[str] = ()) -> Reader:
    """`reader` with `options` as its fields. Raises UsageError for an option that it does not have, or a
    value that the option does not take. `settings` are further names that may have been meant."""
    known = options_of(reader)
    for name in options:
        if name not in known:
            raise UsageError(_unknown(reader, name, known, settings))
    read = {name: _convert(reader, name, value, known[name]) for name, value in options.items()}
    # The other fields, too: a dataclass does not check the values it is made with.
    for name in known.keys() - read.keys():
        _convert(reader, name, getattr(reader, name), known[name])
    return dataclasses.replace(reader, **read) if read else reader  # type: ignore[type-var]


def options_of(reader: Reader) -> dict[str, Any]:
    """The types of the reader's options by their names."""
    if not dataclasses.is_dataclass(reader):
        return {}
    hints = get_type_hints(type(reader))
    return {f.name: hints[f.name] for f in dataclasses.fields(reader) if f.init and f.name not in SOURCES}


def refuse_options(reader: Reader, names: Iterable[str], kind: str) -> None:
    """Raises DataError where one of these options is given, which the reader does not read of data of this
    kind."""
    unread = next((name for name in names if getattr(reader, name) is not None), None)
    if unread is not None:
        raise DataError(f"{name_of(reader)}: {unread}= is not read of {kind}: leave it out")


def parse_options(texts: Iterable[str]) -> dict[str, str]:
    """Options written NAME=VALUE, as on a command line.

    >>> parse_options(["label=digit", "shape=8x8"])
    {'label': 'digit', 'shape': '8x8'}
    """
    options: dict[str, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not (name and value):
            raise UsageError(f"cannot read the option {text!r:.80}: write NAME=VALUE, such as label=digit")
        if name in options:
            raise UsageError(f"the option {name!r} is given twice: give it once")
        options[name] = value
    return options


def name_of(reader: Reader) -> str:
    """The name of its class in small letters: csv, npz, folder, ..."""
    return type(reader).__name__.lower()


def _unknown(reader: Reader, name: str, known: Iterable[str], settings: Iterable[str]) -> str:
    valid = [*known, *settings]
    if not valid:
        return f"{name_of(reader)!r} is read without options, so that {name!r} cannot be given"
    return f"the reader {name_of(reader)!r} does not have the option {name!r}{did_you_mean(name, valid)}"


def _convert(reader: Reader, name: str, value: Any, hint: Any) -> Any:
    """The value as its field has it: "3" is a number where numbers are expected, "a,b" several names."""
    # Choices are checked here, since msgspec's error does not name the nearest one.
    choices = [c for h in _branches(hint) if get_origin(h) is Literal for c in get_args(h)]
    if choices and value is not None and value not in choices:
        raise UsageError(f"{name_of(reader)}: {name}={value!r:.80} is unknown{did_you_mean(value, choices)}")
    if isinstance(value, str) and any(get_origin(h) is tuple for h in _branches(hint)):
        value = tuple(part.strip() for part in value.split(","))
    try:
        return msgspec.convert(value, hint, strict=False)
    except msgspec.ValidationError as error:
        words = describe_mismatch(error)
        raise UsageError(f"{name_of(reader)}: {name}={value!r:.80} cannot be used: {words}") from None
    except TypeError:  # an annotation that is not JSON's
        return value


def _branches(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
