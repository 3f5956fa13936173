"""Regularized evolution through the whole loop, with the ledger in memory and on the disk; and as many
commits of a bare SQLite that reach the disk."""

import sqlite3
from pathlib import Path

from stopwatch import OPTIONS, POPULATION, QUESTIONS, SAMPLE, Evaluation, main

import cambrian
from cambrian.estimators.function import Function
from cambrian.outcome import Trial
from cambrian.search.loop.watch import Watch
from cambrian.strategies.evolution.regularized import Evolution


@cambrian.space
def cells(pick, task):  # type: ignore[no-untyped-def]
    for question in QUESTIONS:
        pick(question, OPTIONS)
    return lambda: None  # never called: nothing is built


class Proposals(Watch):
    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation

    def on_claim(self, trial: Trial) -> None:
        self.evaluation.note_proposal()


def search(evaluation: Evaluation, evaluations: int, place: Path | None) -> None:
    function = Function(lambda architecture, fidelity: evaluation(architecture), builds=False)
    planned = cambrian.Search(cells, Evolution(POPULATION, SAMPLE), function, budget=evaluations)
    planned.run(place, Proposals(evaluation))


def memory(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search(evaluation, evaluations, None)


def durable(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search(evaluation, evaluations, folder / "run")


def commits(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    """Commit one row after another, each of the same length."""
    db = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # as the ledger: an acknowledged row survives a power cut
    db.execute("CREATE TABLE trial (number INTEGER PRIMARY KEY, text TEXT)")
    for number in range(evaluations):
        db.execute("INSERT INTO trial VALUES (?, ?)", (number, "x" * 300))
        evaluation()


if __name__ == "__main__":
    main({"memory": memory, "durable": durable, "commits": commits})
