"""NNI's regularized evolution on its sequential engine, in memory. Each answer is mutated with probability
1/6, one in a mutation on average; without `dedup`, which would draw most mutations again."""

from pathlib import Path
from typing import Any

import nni

# Before the other imports, which would otherwise load torch's part of NNI.
nni.set_default_framework("none")

from nni.mutable import Categorical, MutableDict  # noqa: E402
from nni.nas.evaluator import FunctionalEvaluator  # noqa: E402
from nni.nas.execution import SequentialExecutionEngine  # noqa: E402
from nni.nas.space import RawFormatModelSpace  # noqa: E402
from nni.nas.strategy import RegularizedEvolution  # noqa: E402
from stopwatch import OPTIONS, POPULATION, QUESTIONS, SAMPLE, Evaluation, main  # noqa: E402


class Answers(dict):  # type: ignore[type-arg]
    """NNI keeps a weak reference to its samples, which a plain dict does not allow."""


class Net(MutableDict):  # type: ignore[misc]
    def freeze(self, sample: Any) -> Answers:
        return Answers(super().freeze(sample))


def evolution(evaluation: Evaluation, evaluations: int, folder: Path) -> None:
    space = Net({q: Categorical(list(OPTIONS), label=q) for q in QUESTIONS})
    strategy = RegularizedEvolution(
        population_size=POPULATION,
        sample_size=SAMPLE,
        mutation_prob=1 / len(QUESTIONS),
        dedup=False,
        seed=0,
    )
    evaluator = FunctionalEvaluator(lambda answers: nni.report_final_result(evaluation(answers)))
    strategy(RawFormatModelSpace(space, evaluator), SequentialExecutionEngine(max_model_count=evaluations))


if __name__ == "__main__":
    main({"evolution": evolution})
