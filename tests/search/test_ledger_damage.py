"""Bits flipped in a ledger's files, and their ends cut off: found, or harmless; and mended."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from sqlite_parts import commits, records, unused

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.repair import repair
from mock_search import contents, search
from reseeding import seeded

pytestmark = pytest.mark.damage

TRIALS = 30


@pytest.fixture(scope="module")
def home():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def run(home):
    """A finished run of one file, with events and a final row's worth of facts."""
    search(trials=TRIALS, delay=0.0).run(home / "run")
    return home / "run"


@pytest.fixture(scope="module")
def interrupted(home, run):
    """A run whose process was killed, so that all it did is in the -wal; and all the states it was in."""
    whole, place = Ledger.read(run / "ledger.sqlite"), home / "interrupted"
    place.mkdir()
    ledger = Ledger.create(place / "ledger.sqlite")
    states = [everything(ledger)]
    ledger.remember(**whole.facts())
    states.append(everything(ledger))
    for row in whole.rows():
        ledger.restore([row], [])
        states.append(everything(ledger))
    for side in ("", "-wal"):
        shutil.copy(place / f"ledger.sqlite{side}", place / f"copy{side}")
    ledger.close()
    whole.close()
    for side in ("", "-wal"):
        os.replace(place / f"copy{side}", place / f"ledger.sqlite{side}")
    return place, states


def everything(ledger):
    """All that a ledger says, clocks apart."""
    return ledger.facts(), ledger.contents(), [(name, value) for _, name, value in ledger.events()]


def read(directory):
    """`everything`, or the error; no other kind of exception gets through."""
    try:
        ledger = Ledger.open(directory / "ledger.sqlite")
    except RunError as error:
        return error
    try:
        return everything(ledger)
    except RunError as error:
        return error
    finally:
        ledger.close()


def explained(error, directory):
    """The error names the file and the way out."""
    return str(directory / "ledger.sqlite") in str(error) and "cambrian doctor --repair" in str(error)


def damaged(source, target, name, damage):
    """A copy of a run, one of its files damaged."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    data = bytearray((target / name).read_bytes())
    (target / name).write_bytes(damage(data))


def repaired(directory):
    """What repair tells; None where it says that the settings are lost."""
    try:
        return repair(directory)
    except LedgerCorrupt as error:
        if "settings cannot be read" not in str(error):
            raise
        return None


def flipped(offset, bit):
    def damage(data):
        data[offset] ^= 1 << bit
        return data

    return damage


def bytes_of(run, kind):
    """The bytes that hold a trial's columns, an event's, a fact's, nothing, or what SQLite finds its way
    by."""
    path = run / "ledger.sqlite"
    held = {table: [] for table in ("trial", "event", "run")}
    for record in records(path):
        held[record.table] += record.body
    known = held | {"nothing": unused(path)}
    if kind in known:
        return known[kind]
    return sorted(set(range(path.stat().st_size)) - set().union(*known.values()))


def flips(run, kind, count, seed):
    """So many of one kind's bytes, and a bit of each."""
    rng = seeded(seed)
    return [(offset, rng.randrange(8)) for offset in rng.choices(bytes_of(run, kind), k=count)]


@pytest.mark.parametrize("kind", ["trial", "event", "run"])
def test_a_flipped_bit_of_a_row_is_noticed(kind, home, run):
    """Of any column of any row of any table: each has a checksum, or is one. Where they are is known from the
    file format, so that this holds for every bit."""
    copy = home / "copy"
    for offset, bit in flips(run, kind, 100, 0):
        damaged(run, copy, "ledger.sqlite", flipped(offset, bit))
        after = read(copy)
        assert isinstance(after, LedgerCorrupt), (offset, bit)
        assert explained(after, copy), (offset, after)


@pytest.mark.parametrize("kind", ["nothing", "structure"])
def test_a_flipped_bit_elsewhere_is_noticed_or_harmless(kind, home, run):
    """Of a byte that holds nothing it is harmless. Of those that SQLite finds its way by, some are harmless
    too (which version wrote the file last): what is opened says what it said before; else the error
    helps."""
    before, copy = read(run), home / "copy"
    for offset, bit in flips(run, kind, 100, 1):
        damaged(run, copy, "ledger.sqlite", flipped(offset, bit))
        after = read(copy)
        if isinstance(after, RunError):
            assert kind != "nothing"
            assert explained(after, copy), (offset, after)
        else:
            assert after == before, (offset, bit)


def test_truncated_ledgers(home, run):
    """Cut anywhere, the file is refused, helpfully, where anything of a row is lost that is not a zero.
    Where all that is lost are zeros it may say all that it said before. Nothing at all is not taken for a
    new run."""
    before, copy, data = read(run), home / "copy", (run / "ledger.sqlite").read_bytes()
    size = len(data)
    written = sorted(at for record in records(run / "ledger.sqlite") for at in record.body if data[at])
    for length in {0, 1, 100, 4096, size - 4096, size - 1, *seeded(2).sample(range(size), 50)}:
        damaged(run, copy, "ledger.sqlite", lambda data, length=length: data[:length])
        after = read(copy)
        if isinstance(after, RunError):
            assert explained(after, copy), (length, after)
        else:
            assert length > written[-1], length
            assert after == before, length


@pytest.mark.parametrize("how", ["flip", "cut"])
def test_a_damaged_wal(how, home, interrupted):
    """The run is as it was after the last commit before the damage, whichever byte of the WAL it is: each
    frame's checksum goes on from that of the frame before."""
    (source, states), copy, rng = interrupted, home / "copy", seeded(3)
    wal = (source / "ledger.sqlite-wal").read_bytes()
    ends = commits(wal)
    assert len(ends) == len(states) - 1
    for offset in rng.sample(range(ends[-1]), 200 if how == "flip" else 60):
        damage = flipped(offset, rng.randrange(8)) if how == "flip" else lambda data, n=offset: data[:n]
        damaged(source, copy, "ledger.sqlite-wal", damage)
        whole = sum(end <= offset for end in ends)
        assert read(copy) == states[whole], offset
    damaged(source, copy, "ledger.sqlite-wal", lambda data: data)
    assert read(copy) == states[-1]


@pytest.mark.parametrize("kind", ["trial", "event", "run", "structure"])
def test_repair_keeps_what_can_be_read_and_the_run_goes_on(kind, home, run):
    """A ledger that is refused, and repaired, opens and holds the rows before the first that is lost: those
    before the damaged one; all of them, where an event is; where a fact is, the settings are lost, which is
    said. Where SQLite has lost its way it is the beginning of what was there, or the settings are. Some go
    on to the undisturbed end."""
    (_, before, _), copy = read(run), home / "copy"
    rows = {at: record.number for record in records(run / "ledger.sqlite") for at in record.body}
    for n, (offset, bit) in enumerate(flips(run, kind, 30, 5)):
        damaged(run, copy, "ledger.sqlite", flipped(offset, bit))
        if not isinstance(read(copy), RunError):
            assert kind == "structure"
            continue
        told = repaired(copy)
        if told is None:
            assert kind in ("run", "structure")
            continue
        after = read(copy)[1]
        assert after == before[: len(after)]
        assert told["kept"] == len(after)
        assert Path(told["damaged"]).exists()
        assert told["lost"] != 0 or len(after) == TRIALS, (offset, bit)
        if kind != "structure":
            assert len(after) == {"trial": rows[offset], "event": TRIALS}[kind], (offset, bit)
        if n % 10 == 0:
            search(trials=TRIALS, delay=0.0).run(copy)
            assert contents(copy) == before


def test_repair_takes_what_the_wal_holds(home, interrupted):
    """A flip in the file, under a WAL that is whole, loses nothing the WAL has."""
    (source, states), copy = interrupted, home / "copy"
    damaged(source, copy, "ledger.sqlite", flipped(40, 0))
    repair(copy)
    assert read(copy)[1] == states[-1][1]


def test_every_bit_of_a_row_counts(home, run):
    """A flip in any text of a row, its key, state and numbers among them, is found by its checksum alone."""
    copy = home / "copy"
    data = (run / "ledger.sqlite").read_bytes()
    at = data.index(b'{"number":7,')
    for offset in range(at - 45, at + 60):
        damaged(run, copy, "ledger.sqlite", flipped(offset, 0))
        assert isinstance(read(copy), RunError), data[offset : offset + 1]


def test_a_second_repair_within_a_second_keeps_the_first_damaged_file(home, run, monkeypatch):
    """Which alone has the rows that the repaired ledger lacks."""
    copy = home / "twice"
    shutil.copytree(run, copy)
    db = sqlite3.connect(copy / "ledger.sqlite")
    (rows,) = db.execute("SELECT count(*) FROM trial").fetchone()
    db.execute("UPDATE trial SET key = 'x' WHERE number = 3")
    db.commit()
    db.close()
    monkeypatch.setattr("cambrian.search.ledger.repair.time.time", lambda: 1e9)
    first, second = repair(copy), repair(copy)
    assert (first["kept"], second["kept"]) == (3, 3)
    assert first["damaged"] != second["damaged"]
    db = sqlite3.connect(first["damaged"])
    assert db.execute("SELECT count(*) FROM trial").fetchone() == (rows,)
    db.close()
