"""How busy two workers are when outcomes are learned as they arrive: trials of 1 to 81 units of sleep.

    python benchmarks/arrival.py [--trials 120] [--unit 0.1]

Prints the share of the workers' time in which they evaluate, in the order of arrival and in the order of
numbers, where a proposal waits for the outcomes that it has to know. Sleep, so that two workers never share
a core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cambrian.architecture import sample
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate, Proposal
from cambrian.search.engines.processes import Processes
from cambrian.search.result import Result
from cambrian.search.search import Search

RUNGS = (1, 3, 9, 27, 81)
WORKERS = 2


def sleep(architecture: Any, fidelity: Fidelity) -> float:
    time.sleep(fidelity.epochs * fidelity.fraction)
    return float(len(architecture))


@dataclass(frozen=True)
class Rungs:
    """Random architectures on random rungs, the low ones oftener, as successive halving has them."""

    needs: ClassVar[tuple[type, ...]] = ()
    unit: float = 0.1

    def start(self, problem: Problem) -> Any:
        return problem.space

    def propose(self, state: Any, pending: Sequence[Trial], rng: Any) -> Proposal:
        rung = int(rng.choice(len(RUNGS), p=[81 / 121, 27 / 121, 9 / 121, 3 / 121, 1 / 121]))
        # The function sleeps epochs times fraction: the unit travels in the fidelity.
        return Evaluate(sample(state, rng), Fidelity(RUNGS[rung], self.unit))

    def learn(self, state: Any, trial: Trial) -> Any:
        return state


def busy(result: Result) -> float:
    """The share of the workers' time that evaluations took, from the second pair of claims, when the workers
    have started, to the last claim, after which there is nothing left to hand out."""
    claims = sorted(row.claimed for row in result.rows)
    first, last = claims[WORKERS], claims[-1]
    took = 0.0
    for row in result.rows:
        if row.trial.outcome is not None and row.trial.cached is None:
            begin, end = row.claimed, row.claimed + row.trial.outcome.seconds
            took += max(0.0, min(end, last) - max(begin, first))
    return took / (WORKERS * (last - first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--unit", type=float, default=0.1)
    given = parser.parse_args()
    function = {"name": "function", "arguments": {"function": "arrival:sleep", "builds": False}}
    for order in ("arrival", "number"):
        with tempfile.TemporaryDirectory() as place:
            search = Search(
                "pnas",
                Rungs(given.unit),
                function,
                budget=given.trials,
                engine=Processes(workers=WORKERS),
                lag=WORKERS,
                order=order,
            )
            print(f"order by {order}: workers are busy {busy(search.run(Path(place))):.1%} of the time")


if __name__ == "__main__":
    main()
