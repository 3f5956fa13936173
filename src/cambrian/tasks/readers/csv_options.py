"""Which options of the reader `csv` each kind of table reads: another one is refused, not passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.errors import DataError
from cambrian.tasks.readers.csv_text import Table

OF_PIXELS, OF_FILES = "a table of pixels", "a table of image files"
OF_FEATURES, OF_TEXTS = "a table of features", "a table of texts"
READS = {
    OF_PIXELS: ("label", "split", "ignore", "goal", "layout", "shape"),
    OF_FILES: ("label", "split", "group", "order", "image", "goal"),
    OF_FEATURES: ("target", "split", "group", "order", "ignore", "goal", "decimal", "categories"),
    OF_TEXTS: ("target", "split", "group", "order", "ignore", "goal", "decimal", "text", "length"),
}
"""`header` and `separator` are read of all of them."""


def refuse_unread(table: Table, options: Mapping[str, Any], *kinds: str) -> None:
    """Raises DataError for an option with a value that a table of none of these kinds reads."""
    read = {"path", "header", "separator", *(name for kind in kinds for name in READS[kind])}
    unread = next((name for name, value in options.items() if value is not None and name not in read), None)
    if unread is None:
        return
    meant = " or ".join(kind for kind, names in READS.items() if unread in names)
    remedy = "leave it out"
    if options.get("target") is not None and unread in {*READS[OF_PIXELS], *READS[OF_FILES]}:
        remedy += ", or leave out target="
    elif options.get("target") is None and unread in {*READS[OF_FEATURES], *READS[OF_TEXTS]}:
        remedy += f", or {table.remedy}"
    raise DataError(
        f"{table.path}: {unread}= is for {meant}, and this is read as {' or '.join(kinds)}: {remedy}"
    )
