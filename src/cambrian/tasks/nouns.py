"""What the examples of a data set are called in sentences: images, texts, sounds, or rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

IMAGES, TEXTS, SOUNDS, ROWS = "images", "texts", "sounds", "rows"


def name_examples(rendering: Mapping[str, Any], columns: Sequence[Any] = ()) -> str:
    """The noun of examples that became arrays in this way (see `Decoded`).

    >>> name_examples({"text": {}}), name_examples({}, ["age"]), name_examples({})
    ('texts', 'rows', 'images')
    """
    if columns:
        return ROWS
    return next((noun for key, noun in (("text", TEXTS), ("sound", SOUNDS)) if key in rendering), IMAGES)


def read_noun(facts: Mapping[str, Any]) -> str:
    """The noun of a task's examples, by its facts (`Task.facts`) or those of a network exported for it.

    >>> read_noun({"rendering": {"sound": {}}}), read_noun({"columns": ["age"]}), read_noun({})
    ('sounds', 'rows', 'images')
    """
    return name_examples(facts.get("rendering") or {}, facts.get("columns") or ())


def count_examples(count: int, noun: str, kind: str = "") -> str:
    """
    >>> count_examples(1, "texts", "training"), count_examples(2, "rows")
    ('1 training text', '2 rows')
    """
    return " ".join(part for part in (f"{count}", kind, noun if count != 1 else singular(noun)) if part)


def singular(noun: str) -> str:
    """
    >>> singular("images")
    'image'
    """
    return noun.removesuffix("s")


def one_of(noun: str) -> str:
    """
    >>> one_of("images"), one_of("rows")
    ('an image', 'a row')
    """
    return f"{'an' if noun == IMAGES else 'a'} {singular(noun)}"
