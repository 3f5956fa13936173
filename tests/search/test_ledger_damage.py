"""Bits flipped in a ledger's files, and their ends cut off: found, or harmless; and mended."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.repair import repair
from mock_search import contents, search
from reseeding import seeded

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


def offsets(path, count, seed):
    """Half of them anywhere, half among the bytes that are not zero: most of a page may be empty."""
    data, rng = path.read_bytes(), seeded(seed)
    written = [i for i, byte in enumerate(data) if byte]
    return [rng.randrange(len(data)) for _ in range(count // 2)] + rng.choices(written, k=count - count // 2)


def test_flipped_bits_of_the_ledger(home, run):
    """200 of them: what is opened says what it said before; else the error helps. Most are noticed."""
    before, copy, rng, noticed = read(run), home / "copy", seeded(1), 0
    for offset in offsets(run / "ledger.sqlite", 200, 0):
        damaged(run, copy, "ledger.sqlite", flipped(offset, rng.randrange(8)))
        after = read(copy)
        if isinstance(after, RunError):
            noticed += 1
            assert explained(after, copy), (offset, after)
        else:
            assert after == before, offset
    assert noticed > 80


def test_truncated_ledgers(home, run):
    """Cut anywhere, the file is refused, helpfully, or says all that it said before: where the bytes that are
    lost were zeros, nothing is. Nothing at all is not taken for a new run."""
    before, copy, refused = read(run), home / "copy", 0
    size = (run / "ledger.sqlite").stat().st_size
    for length in {0, 1, 100, 4096, size - 4096, size - 1, *seeded(2).sample(range(size), 50)}:
        damaged(run, copy, "ledger.sqlite", lambda data, length=length: data[:length])
        after = read(copy)
        if isinstance(after, RunError):
            refused += 1
            assert explained(after, copy), (length, after)
        else:
            assert after == before, length
    assert refused > 30


@pytest.mark.parametrize("how", ["flip", "cut"])
def test_a_damaged_wal(how, home, interrupted):
    """The run is as it was after one of its commits, or refused; never a mixture."""
    (source, states), copy, rng = interrupted, home / "copy", seeded(3)
    wal, back = source / "ledger.sqlite-wal", []
    for offset in offsets(wal, 200 if how == "flip" else 60, 4):
        damage = flipped(offset, rng.randrange(8)) if how == "flip" else lambda data, n=offset: data[:n]
        damaged(source, copy, "ledger.sqlite-wal", damage)
        after = read(copy)
        if isinstance(after, RunError):
            assert explained(after, copy)
        else:
            assert after in states, offset
            back.append(len(states) - 1 - states.index(after))
    assert max(back) > len(states) / 2
    damaged(source, copy, "ledger.sqlite-wal", lambda data: data)
    assert read(copy) == states[-1]


def test_repair_keeps_what_can_be_read_and_the_run_goes_on(home, run):
    """Of 60 damaged ledgers that are refused: repaired, a ledger opens and holds the beginning of what was
    there; or the settings are lost, which is said. Every sixth goes on to the undisturbed end."""
    (_, before, _), copy, rng = read(run), home / "copy", seeded(5)
    refused, kept, continued = 0, [], 0
    for offset in offsets(run / "ledger.sqlite", 400, 6):
        damaged(run, copy, "ledger.sqlite", flipped(offset, rng.randrange(8)))
        if refused == 60 or not isinstance(read(copy), RunError):
            continue
        refused += 1
        told = repaired(copy)
        if told is None:
            continue
        after = read(copy)[1]
        assert after == before[: len(after)]
        assert told["kept"] == len(after)
        assert Path(told["damaged"]).exists()
        kept.append(len(after))
        if refused % 6 == 0:
            search(trials=TRIALS, delay=0.0).run(copy)
            assert contents(copy) == before
            continued += 1
    assert refused == 60
    assert continued >= 5
    assert min(kept) < TRIALS
    assert max(kept) == TRIALS


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
