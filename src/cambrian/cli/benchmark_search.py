"""`search --benchmark`: a search whose trials are looked up in a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.cli.app import say
from cambrian.cli.run_search import run_search

if TYPE_CHECKING:
    from cambrian.benchmarks import Benchmark

TRIALS = "300"


def search_table(
    name: str,
    strategy: str | None,
    surrogate: str,
    budget: str | None,
    run: Path | None,
    seed: int,
    as_json: bool,
    minimize: bool | None,
    **settings: int | None,
) -> None:
    """`name` is a benchmark's or the path of a table; `settings` are those of progressive search."""
    from cambrian.benchmarks import benchmark
    from cambrian.search.components import usual
    from cambrian.search.ledger.run_directory import claim
    from cambrian.search.planning.budget import Budget
    from cambrian.search.result import Result
    from cambrian.search.search import Search

    found, limit = benchmark(name, minimize), Budget.parse(budget or TRIALS)
    search = Search(
        found.space,
        _strategy(usual(found.space, limit.trials) if strategy is None else strategy, surrogate, settings),
        found.estimator,
        budget=limit,
        seed=seed,
        fidelity=found.fidelity,
        minimize=found.minimize,
    )
    place = run or claim(found.name)
    say(_asked(found, f"{search.objective}", minimize), to_json=as_json)
    run_search(search, place, {}, as_json)
    best = Result.open(place).best
    if best is not None:
        tested = found.test(best.architecture)
        end = "lowest" if found.test_minimize else "highest"
        say(f"test of the best: {tested:.4g} (the {end} there is: {found.optimum:.4g})", to_json=as_json)


def _asked(benchmark: Benchmark, objective: str, said: bool | None) -> str:
    """The objective; of a table of one's own what each column was taken for, and what to say where a
    direction was only concluded from the column's name."""
    from cambrian.problem import lower_is_better

    asked = getattr(benchmark.space, "questions", None)
    if asked is None:
        return f"objective: {objective}"
    other = "maximize" if benchmark.minimize else "minimize"
    plain = said is not None or lower_is_better(benchmark.estimator.objective) is False
    guessed = "" if plain else f" (--{other} says otherwise)"
    metrics = ", ".join(benchmark.estimator.metrics) or "none"
    return f"questions: {', '.join(asked)}; objective: {objective}{guessed}; further metrics: {metrics}"


def _strategy(text: str, surrogate: str, settings: dict[str, Any]) -> Any:
    """As `compare` reads it; progressive search by its name has settings of its own on the command line."""
    from cambrian.strategies import STRATEGIES

    if text != "progressive":
        return STRATEGIES.parse(text)
    given = {name: value for name, value in settings.items() if value is not None}
    return {"name": text, "arguments": {"surrogate": surrogate, **given}}
