"""Processor seconds of a search over all of its sessions, and how long a training has to be to spend so many
of them (see supernets.py)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from cambrian.files import write_file
from cambrian.outcome import Point, Trial
from cambrian.search.loop.watch import Watch


class Processor(Watch):
    """Notes in a file the seconds that this process computed for each row of a search, after every epoch and
    at the row's end; other work on the machine takes nothing from them. What a kill interrupts is counted
    when it is done again, so that the seconds of all sessions add up."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_unfinished(path)
        self._path, self._last = path, time.process_time()

    def on_warning(self, sentence: str) -> None:
        print(sentence, flush=True)

    def on_stage(self, name: str, total: int | None) -> None:
        self._last = time.process_time()  # the images are read and the modules imported

    def on_point(self, number: int, point: Point) -> None:
        self._note(number)

    def on_end(self, trial: Trial) -> None:
        self._note(trial.number)

    def _note(self, number: int) -> None:
        now = time.process_time()
        with self._path.open("a") as file:
            file.write(json.dumps([number, round(now - self._last, 4)]) + "\n")
        self._last = now


def read_seconds(path: Path) -> dict[int, float]:
    """The seconds of each row."""
    seconds: dict[int, float] = {}
    for line in path.read_text().splitlines():
        number, spent = json.loads(line)
        seconds[number] = seconds.get(number, 0.0) + spent
    return seconds


def _cut_unfinished(path: Path) -> None:
    """Cut off a last line that a kill left unfinished."""
    whole = path.read_bytes() if path.exists() else b""
    if not whole.endswith(b"\n") and whole:
        os.truncate(path, whole.rfind(b"\n") + 1)


def find_amount(
    place: Path, seconds: float, measure: Callable[[int], float], lengths: tuple[int, int]
) -> int:
    """The amount (epochs, or trials) that takes so many seconds, by a line through the seconds that two short
    searches took. What was found is kept in the file `place`, so that all seeds and all machines have the
    same; of two processes that find it at the same time, the first one's counts."""
    if not place.exists():
        few, many = lengths
        short, long = measure(few), measure(many)
        each = (long - short) / (many - few)
        if each <= 0:  # too short to tell
            each = long / many
        around = max(0.0, short - few * each)
        amount = max(few, int((seconds - around) / each))
        facts = {"amount": amount, "each": round(each, 4), "around": round(around, 3), "for": seconds}
        _write_first(place, json.dumps(facts).encode())
    amount = json.loads(place.read_bytes())["amount"]
    assert isinstance(amount, int)
    return amount


def _write_first(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    mine = place.with_name(f"{place.name}.{os.getpid()}")
    write_file(mine, data)
    try:
        os.link(mine, place)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
