"""NePS's regularized evolution by ask and tell, in memory, and through `neps.run`, which keeps files."""

from pathlib import Path

import neps
from neps.optimizers.algorithms import neps_regularized_evolution
from stopwatch import OPTIONS, POPULATION, QUESTIONS, SAMPLE, Evaluation, main

SETTINGS = {
    "population_size": POPULATION,
    "tournament_size": SAMPLE,
    "mutation_type": "mutate_best",  # Real et al. 2019: the best of the sample has the child
    "n_mutations": 1,
    "ignore_fidelity": True,
}


class Cells(neps.PipelineSpace):
    """An attribute for each question: NePS reads the class body, so that no loop can make them."""

    op0 = neps.Categorical(choices=OPTIONS)
    op1 = neps.Categorical(choices=OPTIONS)
    op2 = neps.Categorical(choices=OPTIONS)
    op3 = neps.Categorical(choices=OPTIONS)
    op4 = neps.Categorical(choices=OPTIONS)
    op5 = neps.Categorical(choices=OPTIONS)


assert tuple(name for name in vars(Cells) if name.startswith("op")) == QUESTIONS


def memory(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    search = neps.AskAndTell(neps_regularized_evolution(Cells(), **SETTINGS))
    for _ in range(evaluations):
        trial = search.ask()
        search.tell(trial, evaluation(trial.config))


def run(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    neps.run(
        evaluation,
        Cells(),
        root_directory=folder / "neps",
        optimizer=("neps_regularized_evolution", SETTINGS),
        total_evaluations_to_spend=evaluations,
    )


if __name__ == "__main__":
    main({"memory": memory, "run": run})
