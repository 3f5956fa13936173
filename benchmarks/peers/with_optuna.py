"""Optuna's NSGA-II (it has no regularized evolution), in memory and in its two storages that last."""

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from stopwatch import OPTIONS, POPULATION, QUESTIONS, Evaluation, main


def search(evaluation: Evaluation, evaluations: int, storage: BaseStorage) -> None:
    # No SAMPLE: NSGA-II draws parents by tournaments of two.
    def objective(trial: optuna.Trial) -> float:
        return evaluation(**{q: trial.suggest_categorical(q, OPTIONS) for q in QUESTIONS})

    sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=0)
    optuna.create_study(storage=storage, sampler=sampler, direction="maximize").optimize(
        objective, n_trials=evaluations
    )


def memory(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search(evaluation, evaluations, InMemoryStorage())


def journal(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search(evaluation, evaluations, JournalStorage(JournalFileBackend(str(folder / "journal.log"))))


def sqlite(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search(evaluation, evaluations, RDBStorage(f"sqlite:///{folder / 'study.db'}"))


if __name__ == "__main__":
    main({"memory": memory, "journal": journal, "sqlite": sqlite})
