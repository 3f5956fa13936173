"""One search on a benchmark, from the first trial to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.effort import list_paid
from cambrian.errors import NothingSucceeded
from cambrian.outcome import Trial
from cambrian.recommendation import find_incumbents
from cambrian.search.search import Search

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Played:
    """The course of a search, trial by trial in their order; each array is float[trials]. The incumbent
    is the best so far (see `cambrian.recommendation.find_incumbents`); before there is one, everything is
    NaN."""

    benchmark: Benchmark
    trials: Sequence[Trial]
    thinking: float
    """Seconds of the strategy's own work, by the clock."""

    @cached_property
    def value(self) -> NDArray[np.float64]:
        """The incumbent's value: the objective."""
        return np.array([np.nan if t is None else t.value for t in self._best], np.float64)

    @cached_property
    def test(self) -> NDArray[np.float64]:
        """The incumbent's test score, which the search never saw."""
        # Each incumbent is looked up once: a search of thousands of trials has a dozen.
        incumbents = {t.number: t.architecture for t in self._best if t is not None}
        scores = {number: self.benchmark.test(architecture) for number, architecture in incumbents.items()}
        return np.array([np.nan if t is None else scores[t.number] for t in self._best], np.float64)

    @cached_property
    def _best(self) -> list[Trial | None]:
        return list(find_incumbents(self.trials))

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """The cost of the trials so far, by the table; a repeated proposal costs nothing. NaN where the
        benchmark does not have times."""
        if not self.benchmark.timed:
            return np.full(len(self.trials), np.nan)
        spent = [0.0 if t.cached is not None or t.outcome is None else t.outcome.seconds for t in self.trials]
        return np.cumsum(np.array(spent, np.float64))

    @cached_property
    def epochs(self) -> NDArray[np.float64]:
        """The epochs that the trials so far paid for (see `cambrian.effort`)."""
        return np.cumsum(np.array(list_paid(self.trials), np.float64))


def play(benchmark: Benchmark | str, strategy: Any, budget: Any, seed: int = 0) -> Played:
    """Search `benchmark`, or that of the name, by `strategy` (an object, a name or a spec) for a budget of
    trials or epochs, or until the strategy stops: in memory and serially, by the loop every search runs
    by."""
    if isinstance(benchmark, str):
        from cambrian.benchmarks import benchmark as find

        benchmark = find(benchmark)
    search = Search(
        benchmark.space,
        strategy,
        benchmark.estimator,
        budget=budget,
        seed=seed,
        fidelity=benchmark.fidelity,
        minimize=benchmark.minimize,
        engine="serial",
    )
    try:
        result = search.run(quiet=True)
    except NothingSucceeded as error:  # a strategy that meets failures only has played, too
        result = error.result
    return Played(benchmark, result.trials, result.seconds()["strategy"])
