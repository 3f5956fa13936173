"""The cost of being watched, to the search: `python benchmarks/watching.py [--pairs 8] [--trials 200]`.

The same search runs in a process of its own, in turn with a page of `cambrian watch` open on it and without,
and its processor seconds are compared: those of the page itself are not the search's. The order changes from
pair to pair, so that another load on the machine meets both; the ratio is the median over the pairs. Goal:
less than 1.02.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SIDE = 300
"""Rows of the matrices whose product is a trial's work: some ten milliseconds."""


def work(architecture: object, fidelity: object) -> Iterator[float]:
    """A curve of three points, and as much computing before each."""
    matrix = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    for epoch in range(3):
        for _ in range(4):
            matrix = matrix @ matrix / np.linalg.norm(matrix)
        yield (epoch + len(str(architecture)) % 7) / 10


def search(place: Path, trials: int) -> None:
    """Random search in this process."""
    from cambrian.estimators.function import Function
    from cambrian.search.search import Search

    function = Function("watching:work", builds=False)
    Search("pnas", "random", function, budget=trials).run(place, quiet=True)


def measure(place: Path, trials: int) -> float:
    """The processor seconds of a search in a process of its own, its start included."""
    command = [sys.executable, __file__, "--search", str(place), "--trials", str(trials)]
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the search ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


@contextmanager
def watch(place: Path, parts: list[str]) -> Iterator[None]:
    """`cambrian watch` with a page open, whose parts are added to `parts` as they come."""
    command = [sys.executable, "-m", "cambrian", "watch", str(place), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = next(
        found for line in server.stdout if (found := re.search(r"http://(\S+)/\?token=(\S+)", line))
    )
    line = http.client.HTTPConnection(address[1], timeout=600)
    line.request("GET", f"/events?token={address[2]}")
    answer = line.getresponse()
    reader = threading.Thread(
        target=lambda: parts.extend(x.decode() for x in answer if x.startswith(b"data"))
    )
    reader.start()
    try:
        yield
    finally:
        server.terminate()  # which ends the stream, and so the reader
        server.wait()
        reader.join()
        line.close()


def compare(trials: int, watched_first: bool) -> tuple[float, float, int]:
    """Processor seconds unwatched and watched, and the parts that the page was sent."""
    seconds, parts = {}, list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for watched in (watched_first, not watched_first):
            place = Path(folder) / f"run-{watched}"
            if watched:
                with watch(place, parts):
                    seconds[watched] = measure(place, trials)
            else:
                seconds[watched] = measure(place, trials)
    return seconds[False], seconds[True], len(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.search is not None:
        search(options.search, options.trials)
        return
    pairs = [compare(options.trials, bool(n % 2)) for n in range(options.pairs)]
    ratios = sorted(watched / alone for alone, watched, _ in pairs)
    alone = statistics.median(pair[0] for pair in pairs)
    print(f"a search takes {alone:.2f} s of the processor alone; a page gets {pairs[0][2]} parts meanwhile")
    spread = f"{ratios[0]:.4f} to {ratios[-1]:.4f} in {len(pairs)} pairs"
    print(f"watched: {statistics.median(ratios):.4f} of that ({spread})")


if __name__ == "__main__":
    main()
