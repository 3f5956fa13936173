"""`search --benchmark`: a search whose trials are looked up in a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.cli.app import say
from cambrian.cli.run_search import run_search

if TYPE_CHECKING:
    from cambrian.benchmarks import Benchmark

TRIALS = "300"  # as `compare` gives each search


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

    table, limit = benchmark(name, minimize), Budget.parse(budget or TRIALS)
    search = Search(
        table.space,
        _strategy(usual(table.space, limit.trials) if strategy is None else strategy, surrogate, settings),
        table.estimator,
        budget=limit,
        seed=seed,
        fidelity=table.fidelity,
        minimize=table.minimize,
    )
    place = run or claim(table.name)
    say(_describe_search(table, f"{search.objective}", minimize), to_json=as_json)
    run_search(search, place, {}, as_json)
    best = Result.open(place).best
    if best is not None:
        # Only now, so that the search cannot have seen it.
        tested = table.test(best.architecture)
        end = "lowest" if table.test_minimize else "highest"
        say(f"test of the best: {tested:.4g} (the {end} there is: {table.optimum:.4g})", to_json=as_json)


def _describe_search(benchmark: Benchmark, objective: str, minimize: bool | None) -> str:
    """The objective; of the user's own table also the role of each column, and the option that overrides a
    direction where it is only a guess by the column's name."""
    from cambrian.problem import lower_is_better

    questions = getattr(benchmark.space, "questions", None)
    if questions is None:  # a published table
        return f"objective: {objective}"
    other = "maximize" if benchmark.minimize else "minimize"
    # Nothing to override where the user has said it, or where the name says that higher is better.
    plain = minimize is not None or lower_is_better(benchmark.estimator.objective) is False
    guessed = "" if plain else f" (--{other} says otherwise)"
    metrics = ", ".join(benchmark.estimator.metrics) or "none"
    return f"questions: {', '.join(questions)}; objective: {objective}{guessed}; further metrics: {metrics}"


def _strategy(text: str, surrogate: str, settings: dict[str, Any]) -> Any:
    """The strategy, read as `compare` reads it; plain `progressive` gets the settings that are options."""
    from cambrian.strategies import STRATEGIES

    # A text such as progressive(keep=32) has its settings already.
    if text != "progressive":
        return STRATEGIES.parse(text)
    given = {name: value for name, value in settings.items() if value is not None}
    return {"name": text, "arguments": {"surrogate": surrogate, **given}}
