"""Overhead of the ledger and of processes: random search with a free evaluation, in memory, durable, and on
processes.

    python benchmarks/overhead.py [--trials 3000]

Prints evaluations per second, as ratios to the search in memory; and the cost of the last trials in
units of the first's, which is 1 where nothing grows with a run's length. Interleaved, so that another load on
the machine meets all of them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from cambrian.outcome import Trial
from cambrian.search.loop.watch import Watch
from cambrian.search.search import Search


def free(architecture: object, fidelity: object) -> float:
    return 0.5


class Clock(Watch):
    """Notes the time at which each trial is claimed."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_claim(self, trial: Trial) -> None:
        self.times.append(time.perf_counter())


def time_search(trials: int, directory: Path | None, **engine: object) -> tuple[float, float]:
    """Trials per second, and the last fifth's cost in units of the first's."""
    from cambrian.estimators.function import Function

    clock, function = Clock(), Function("overhead:free", builds=False)
    Search("pnas", "random", function, budget=trials, **engine).run(directory, clock)  # type: ignore[arg-type]
    steps = [b - a for a, b in zip(clock.times, clock.times[1:])]
    # Medians of fifths: single steps wait for the disk or for another program.
    fifth = len(steps) // 5
    grown = statistics.median(steps[-fifth:]) / statistics.median(steps[:fifth])
    return len(steps) / (clock.times[-1] - clock.times[0]), grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=3000)
    trials = parser.parse_args().trials
    # Three rounds of all, so that a ratio is of neighbours in time.
    rounds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as place:
            rounds.append(
                {
                    "in memory": time_search(trials, None),
                    "durable": time_search(trials, Path(place) / "serial"),
                    # Fewer: a message to a process takes longer than a free evaluation.
                    "two processes": time_search(trials // 4, Path(place) / "processes", workers=2),
                }
            )
    base = statistics.median(r["in memory"][0] for r in rounds)
    print(f"in memory: {base:.0f} evaluations a second on this machine, under its present load")
    for name in rounds[0]:
        rate = statistics.median(r[name][0] / r["in memory"][0] for r in rounds)
        grown = statistics.median(r[name][1] for r in rounds)
        print(f"{name:>14}  {rate:5.2f} of that; the last trials cost {grown:.2f} of the first")


if __name__ == "__main__":
    main()
