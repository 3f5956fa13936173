"""The common parts of the programs beside this one: the space, the free evaluation, and the clock in it. Only
the standard library is imported, so that it runs in every peer's environment.

    python PROGRAM.py CASE EVALUATIONS FOLDER     prints the times of the proposals, as JSON
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

QUESTIONS = tuple(f"op{i}" for i in range(6))
OPTIONS = ("none", "skip", "conv1", "conv3", "pool")  # 5^6 = 15,625 architectures
POPULATION, SAMPLE = 50, 10


class Evaluation:
    """Gives a random number for nothing, and notes the times of proposals: those of its calls, or where
    `note_proposal` is called, of these. A library that looks repeats up evaluates fewer than it proposes."""

    def __init__(self) -> None:
        self.calls: list[Times] = []
        self.proposals: list[Times] = []
        self._rng = random.Random(0)  # the same values for every library

    def __call__(self, *architecture: object, **answers: object) -> float:
        self.calls.append(now())
        return self._rng.random()

    def note_proposal(self) -> None:
        self.proposals.append(now())


Times = tuple[float, float]


def now() -> Times:
    """Seconds on the wall, and of the processor, which another load on the machine does not lengthen."""
    return time.perf_counter(), time.process_time()


Case = Callable[[Evaluation, int, Path], None]


def main(cases: Mapping[str, Case]) -> None:
    case, evaluations, folder = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # a line per trial would be most of some libraries' time
    evaluation = Evaluation()
    cases[case](evaluation, int(evaluations), Path(folder))
    times = evaluation.proposals or evaluation.calls
    print(json.dumps({"times": times, "evaluated": len(evaluation.calls)}))
