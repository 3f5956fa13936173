"""Which bytes of an SQLite file hold what, read by the file format (sqlite.org/fileformat2.html), not by
SQLite: so that it is known beforehand what a damage does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = 4096
TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF = 13, 5, 10
WAL_HEADER, FRAME_HEADER = 32, 24


class Record(NamedTuple):
    """A row, by the bytes that its columns' values take."""

    table: str
    number: int
    body: range


def number(data: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(data[at : at + size], "big")


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(a number of one to eight groups of seven bits, where the next thing begins)."""
    value = 0
    while True:
        value, more, at = value << 7 | data[at] & 0x7F, data[at] & 0x80, at + 1
        if not more:
            return value, at


def cells(data: bytes, page: int) -> tuple[int, list[int], range]:
    """(the page's kind, where its cells begin, the bytes between its pointers to them and the first of them,
    which hold nothing)."""
    base = (page - 1) * PAGE
    head = base + (100 if page == 1 else 0)
    kind, count = data[head], number(data, head + 3)
    pointers = head + (12 if kind == TABLE_INTERIOR else 8)
    starts = [base + number(data, pointers + 2 * i) for i in range(count)]
    return kind, starts, range(pointers + 2 * count, base + number(data, head + 5))


def leaves(data: bytes, page: int) -> Iterator[int]:
    """The pages of a table that hold its rows, in order."""
    kind, starts, _ = cells(data, page)
    if kind == TABLE_LEAF:
        yield page
        return
    assert kind == TABLE_INTERIOR
    for child in (*(number(data, start, 4) for start in starts), number(data, (page - 1) * PAGE + 8, 4)):
        yield from leaves(data, child)


def records(path: Path) -> list[Record]:
    """All rows of all tables. None of them is so long that it goes on in other pages."""
    data = path.read_bytes()
    with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as db:
        tables = db.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'").fetchall()
    db.close()
    found = []
    for table, root in tables:
        for leaf in leaves(data, root):
            for start in cells(data, leaf)[1]:
                size, at = varint(data, start)
                row, at = varint(data, at)
                assert size <= PAGE - 35
                found.append(Record(table, row, range(at + varint(data, at)[0], at + size)))
    return found


def unused(path: Path) -> list[int]:
    """The bytes of all pages that hold nothing."""
    data = path.read_bytes()
    assert number(data, 36, 4) == 0  # no page is on the list of free ones
    return [at for page in range(1, len(data) // PAGE + 1) for at in cells(data, page)[2]]


def commits(wal: bytes) -> list[int]:
    """Where each commit of a WAL ends: with the frame that says how many pages the file has now."""
    frames = range(WAL_HEADER, len(wal) - FRAME_HEADER, FRAME_HEADER + PAGE)
    return [start + FRAME_HEADER + PAGE for start in frames if number(wal, start + 4, 4)]
