"""Syne Tune's scheduler by itself, in memory: no back end, no tuner."""

from pathlib import Path

from stopwatch import OPTIONS, POPULATION, QUESTIONS, SAMPLE, Evaluation, main
from syne_tune.config_space import choice
from syne_tune.optimizer.baselines import REA
from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler


def evolution(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    space = {question: choice(list(OPTIONS)) for question in QUESTIONS}
    scheduler = AskTellScheduler(
        REA(space, metric="score", population_size=POPULATION, sample_size=SAMPLE, random_seed=0)
    )
    # Ask and tell, so that no worker process is timed.
    for _ in range(evaluations):
        trial = scheduler.ask()
        scheduler.tell(trial, {"score": evaluation(**trial.config)})


if __name__ == "__main__":
    main({"evolution": evolution})
