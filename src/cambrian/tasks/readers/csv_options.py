"""Which options of the reader `csv` each kind of table reads: another one is refused, not passed over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.errors import DataError

PIXELS, FILES = "a table of pixels", "a table of image files"
FEATURES, TEXTS = "a table of features", "a table of texts"
READS = {
    PIXELS: ("label", "split", "ignore", "goal", "layout", "shape"),
    FILES: ("label", "split", "image", "goal"),
    FEATURES: ("target", "split", "ignore", "goal", "categories"),
    TEXTS: ("target", "split", "ignore", "goal", "text", "length"),
}
"""`header` and `separator` are read of all of them."""


def refuse_unread(path: Path, options: Mapping[str, Any], *kinds: str) -> None:
    """Raises DataError for an option with a value that a table of none of these kinds reads."""
    read = {"path", "header", "separator", *(name for kind in kinds for name in READS[kind])}
    unread = next((name for name, value in options.items() if value is not None and name not in read), None)
    if unread is None:
        return
    meant = " or ".join(kind for kind, names in READS.items() if unread in names)
    remedy = "leave it out"
    if options.get("target") is not None and unread in {*READS[PIXELS], *READS[FILES]}:
        remedy += ", or leave out target="
    elif options.get("target") is None and unread in {*READS[FEATURES], *READS[TEXTS]}:
        remedy += ", or name the column to learn with target="
    raise DataError(f"{path}: {unread}= is for {meant}, and this is read as {kinds[0]}: {remedy}")
