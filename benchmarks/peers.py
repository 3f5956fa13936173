"""Search overhead, here and in other libraries: ratios in one run.

    python benchmarks/peers.py [--evaluations 1000] [--rounds 3] [--only with_optuna ...] [--cache FOLDER]

Installs the peers from PyPI, each in an environment of its own under the cache folder (once; some minutes),
then lets all of them search the same space, 15,625 architectures of six questions with five answers, by
regularized evolution with P = 50 and S = 10 (Optuna has none: NSGA-II) and an evaluation that costs
nothing. Searches in memory are compared by the processor's seconds, durable ones by the clock, since they
wait for the disk; every round runs all, so that another load on the machine meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cambrian-peers"
WALL, PROCESSOR = 0, 1

PEERS = {
    "with_syne_tune": ("syne-tune==0.16.0",),
    "with_optuna": ("optuna==5.0.0",),
    "with_neps": ("neural-pipeline-search==0.17.0", "torch==2.13.0"),
    "with_nni": ("nni==3.0",),
}


@dataclass(frozen=True)
class Contender:
    """`goal` is the intended ratio of our rate to its rate."""

    title: str
    program: str
    case: str
    goal: float | None = None
    most: int | None = None
    """Evaluations that suffice to measure its pace: some need seconds for each."""


OURS, OURS_DURABLE = "cambrian", "cambrian, durable"
IN_MEMORY = (
    Contender(OURS, "with_cambrian", "memory"),
    Contender("Syne Tune, scheduler", "with_syne_tune", "evolution", 2),
    Contender("Optuna, NSGA-II", "with_optuna", "memory", 10),
    Contender("NePS, ask and tell", "with_neps", "memory", 10),
    Contender("NNI", "with_nni", "evolution", 10),
)
DURABLE = (
    Contender(OURS_DURABLE, "with_cambrian", "durable"),
    Contender("bare SQLite commits", "with_cambrian", "commits"),
    Contender("Optuna, journal", "with_optuna", "journal", 4, 300),
    Contender("Optuna, SQLite", "with_optuna", "sqlite", 30, 100),
    Contender("neps.run", "with_neps", "run", 30, 100),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", nargs="*", default=list(PEERS), choices=list(PEERS), help="peers")
    args = parser.parse_args()
    pythons = {"with_cambrian": Path(sys.executable)}
    for name in args.only:
        # A peer that cannot be installed leaves the others comparable.
        try:
            pythons[name] = install_peer(args.cache / name, PEERS[name])
        except subprocess.CalledProcessError:
            print(f"{', '.join(PEERS[name])} cannot be installed here, and is left out", flush=True)
    table("in memory", IN_MEMORY, PROCESSOR, pythons, args)
    table("durable", DURABLE, WALL, pythons, args)
    growth(pythons["with_cambrian"], args.rounds)


def install_peer(place: Path, requirements: tuple[str, ...]) -> Path:
    """The Python of an environment with `requirements`, which is made where there is none yet."""
    # Each in its own: their pinned dependencies exclude each other. The file is written last, so that an
    # interrupted installation is begun again.
    python, done = place / "bin" / "python", place / "requirements"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        done.write_text(wanted)
    return python


def table(
    title: str,
    contenders: tuple[Contender, ...],
    clock: int,
    pythons: dict[str, Path],
    args: argparse.Namespace,
) -> None:
    """Rates of all in every round, and medians over the rounds of ours as a multiple of theirs."""
    present = [c for c in contenders if c.program in pythons]
    rounds = []
    for _ in range(args.rounds):
        evaluations = {c.title: min(args.evaluations, c.most or args.evaluations) for c in present}
        rounds.append({c.title: pace(pythons[c.program], c, evaluations[c.title], clock) for c in present})
    unit = "a second of the processor" if clock == PROCESSOR else "a second"
    print(f"\n{title}: evaluations {unit}, and how many times that ours are (goal)")
    for c in present:
        rate = statistics.median(r[c.title] for r in rounds)
        # Of each round's own ratio: another load then weighs on both sides of it.
        ratio = statistics.median(r[present[0].title] / r[c.title] for r in rounds)
        goal = f"({c.goal:g})" if c.goal else ""
        print(f"{c.title:24} {rate:10.0f} {ratio:10.2f} {goal}", flush=True)


def pace(python: Path, contender: Contender, evaluations: int, clock: int) -> float:
    times = run_program(python, contender.program, contender.case, evaluations)
    # From the first proposal on: imports and the first set-up are no part of the pace.
    return (len(times) - 1) / (times[-1][clock] - times[0][clock])


def growth(python: Path, rounds: int, late: int = 5000, early: int = 100, around: int = 50) -> None:
    """Print the cost of a proposal around the 5,000th, in units of that around the 100th."""
    ratios = []
    for _ in range(rounds):
        times = [t[PROCESSOR] for t in run_program(python, "with_cambrian", "memory", late + around)]
        costs = [times[n + around - 1] - times[n - around] for n in (early, late)]
        ratios.append(costs[1] / costs[0])
    print(f"\nthe {late:,}th proposal costs {statistics.median(ratios):.2f} of the {early}th (goal: 2)")


def run_program(python: Path, program: str, case: str, evaluations: int) -> list[tuple[float, float]]:
    """The time of each proposal in a program's run: seconds on the wall and of the processor."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # on a disk: /tmp may be memory
        ran = subprocess.run(
            [python, PROGRAMS / f"{program}.py", case, str(evaluations), folder],
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )
    if ran.returncode:
        raise SystemExit(f"{program} {case}:\n{ran.stderr[-2000:]}")
    # The last line: libraries print above it.
    times: list[tuple[float, float]] = json.loads(ran.stdout.splitlines()[-1])["times"]
    return times


if __name__ == "__main__":
    main()
