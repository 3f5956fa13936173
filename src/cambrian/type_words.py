"""A value of another type than was expected, in words for people who do not program."""

from __future__ import annotations

import re

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "names with values",
    "null": "null",
}
"""By the names of JSON's types, as msgspec writes them."""


def describe_mismatch(error: Exception) -> str:
    """The sentence of a msgspec.ValidationError, in which a type that may also be missing is named alone.

    >>> describe_mismatch(ValueError("Expected `int | null`, got `str` - at `$[0]`"))
    'expected a whole number, got a text - at $[0]'
    """
    return re.sub(r"`([^`]*)`", _name_types, str(error)).replace("Expected", "expected")


def _name_types(match: re.Match[str]) -> str:
    names = match[1].split(" | ")
    if not all(name in WORDS for name in names):
        return match[1]
    # Whoever writes a wrong value did not mean to leave it out.
    return " or ".join(WORDS[name] for name in names if name != "null" or len(names) == 1)
