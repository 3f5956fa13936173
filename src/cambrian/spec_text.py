"""A component as it is written on a command line: `NAME`, or `NAME(setting=value, ...)`, where `paper` may
stand before the settings (see `Registry.parse`)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from cambrian.errors import UsageError


def split_call(text: str, kind: str) -> tuple[str, str]:
    """The name, and the text between its brackets, of `NAME` or `NAME(...)`. Raises UsageError, whose
    sentence calls it a `kind`.

    >>> split_call("zen(repeats=4)", "measure")
    ('zen', 'repeats=4')
    """
    match = re.fullmatch(r"\s*([\w.:-]+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    if match is None:
        raise UsageError(
            f"cannot read the {kind} {text!r}: write NAME, NAME(paper) or NAME(setting=value, ...)"
        )
    inside = (match[2] or "").strip()
    # Else the next piece would be taken for the first one, or a setting that was forgotten for none.
    if inside and "" in _split(inside):
        raise UsageError(
            f"cannot read the {kind} {text!r}: beside a comma there is no setting: write one there, or leave"
            " out the comma"
        )
    return match[1], inside


def read_arguments(inside: str, kind: str, text: str) -> dict[str, Any]:
    """The settings of `setting=value, ...`, the part of `text` within its brackets. Values are JSON, or
    words."""
    settings = [_setting(part, kind, text) for part in parts(inside)]
    # A dict would silently keep the last of two.
    for setting, times in Counter(setting for setting, _ in settings).items():
        if times > 1:
            raise UsageError(f"{kind} {text!r} has {setting!r} {times} times: give it once")
    return dict(settings)


def parts(text: str) -> list[str]:
    """The parts of a text between commas, not counting commas inside brackets or quotes.

    >>> parts('random, evolution(population=20, sample=5)')
    ['random', 'evolution(population=20, sample=5)']
    """
    return [piece for piece in _split(text) if piece]


def _split(text: str) -> list[str]:
    """The same, with those that are empty."""
    pieces, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0 and not quoted:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces]


def _setting(part: str, kind: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        hint = ": paper stands before the settings" if part == "paper" else ": write setting=value"
        raise UsageError(f"cannot read {part!r} in the {kind} {text!r}{hint}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()
