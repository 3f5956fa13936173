"""`search --benchmark`: a search whose trials are looked up in a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from cambrian.cli.app import say
from cambrian.cli.options.estimators import wrap_table
from cambrian.cli.options.given import list_given, refuse_others, refuse_these
from cambrian.cli.options.objectives import read_objectives
from cambrian.cli.run_search import run_search
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.benchmarks import Benchmark

TRIALS = "300"  # as `compare` gives each search


READ = (
    *("benchmark", "strategy", "budget", "run", "seed", "as_json"),
    *(
        "minimize",
        "objectives",
        "choose",
        "questions",
        "depth",
        "replicates",
        "estimator",
        "log",
        "begin_with",
    ),
)
"""The parameters of `search` that a search on a table reads, besides the settings of progressive search."""
PROGRESSIVE = ("surrogate", "levels", "keep")


class TableOptions(NamedTuple):
    """The options that say which table is searched, and how it is read."""

    name: str
    minimize: bool | None
    questions: str | None
    depth: str | None
    replicates: str | None

    def read_columns(self) -> dict[str, Any]:
        """Those of the options that say how a table of the user's own is read. Raises UsageError."""
        questions = tuple(name.strip() for name in (self.questions or "").split(",") if name.strip())
        if self.questions is not None and not questions:
            raise UsageError("--questions names no column: write it as --questions op1,op2,width")
        columns = {"questions": questions, "depth": self.depth, "replicates": self.replicates}
        return {name: value for name, value in columns.items() if value}

    def open(self) -> Benchmark:
        """The benchmark. Raises UsageError for an option that it cannot use."""
        from cambrian.benchmarks import benchmark

        return benchmark(self.name, self.minimize, **self.read_columns())


def search_table(
    context: typer.Context,
    options: TableOptions,
    strategy: str | None,
    budget: str | None,
    run: Path | None,
    seed: int,
    as_json: bool,
    objectives: str | None = None,
    estimator: str | None = None,
    choose: str | None = None,
    logs: list[str] | None = None,
    begin_with: Path | None = None,
) -> None:
    """Search the table of the options. Whatever else was given on the command line is refused: it would train
    networks."""
    from cambrian.search.display.shares import find_shares
    from cambrian.search.display.tally import number_text
    from cambrian.search.ledger.run_directory import choose_place
    from cambrian.search.parts.components import SEVERAL, climbs_table, usual
    from cambrian.search.planning.budget import Budget
    from cambrian.search.result import Result
    from cambrian.search.search import Search
    from cambrian.strategies.remeasured import FEWEST, remeasure_best

    refuse_others(context, (*READ, *PROGRESSIVE), "for training networks, which --benchmark does not build")
    table, limit = options.open(), Budget.parse(budget or TRIALS)
    columns = getattr(table.estimator, "metrics", ())
    others = read_objectives(objectives, getattr(table.estimator, "objective", "value"), columns)
    climbs = climbs_table(limit, table.estimator, table.fidelity)
    usually = SEVERAL if others else usual(table.space, limit.trials, climbs)
    chosen = _strategy(usually if strategy is None else strategy, context)
    again = options.replicates == "seed" and not others and (limit.trials or 0) >= FEWEST
    search = Search(
        table.space,
        remeasure_best(chosen) if again else chosen,
        wrap_table(estimator, table.estimator),
        budget=limit,
        seed=seed,
        fidelity=table.fidelity,
        minimize=table.minimize,
        objectives=others,
        choose=choose,
        begin_with=begin_with,
    )
    say(_describe_search(table, "; ".join(map(str, search.objectives)), options.minimize), to_json=as_json)
    if again:
        say("the best two are measured once more, and the higher mean is recommended", to_json=as_json)
    with choose_place(run, table.name) as place:
        run_search(search, place, {}, as_json, logs=logs)
    best = Result.open(place).best
    if best is not None:
        # Only now, so that the search cannot have seen it.
        tested, optimum = (
            number_text(value, bool(find_shares(search)) and not table.test_minimize)
            for value in (table.test(best.architecture), table.optimum)
        )
        end = "lowest" if table.test_minimize else "highest"
        say(f"test of the best: {tested} (the {end} there is: {optimum})", to_json=as_json)


def _describe_search(benchmark: Benchmark, objective: str, minimize: bool | None) -> str:
    """The number of rows and the objective; of the user's own table also the role of each column, and the
    option that overrides a direction where it is only a guess by the column's name."""
    from cambrian.problem import lower_is_better

    rows = _count_rows(benchmark)
    questions = getattr(benchmark.space, "questions", None)
    if questions is None:  # a published table
        return f"{rows}objective: {objective}"
    other = "maximize" if benchmark.minimize else "minimize"
    # Nothing to override where the user has said it, or where the name says that higher is better.
    plain = minimize is not None or lower_is_better(benchmark.estimator.objective) is False
    guessed = "" if plain else f" (--{other} says otherwise)"
    costs = benchmark.estimator.seconds
    metrics = ", ".join(name for name in benchmark.estimator.metrics if name != costs) or "none"
    asked = ", ".join(_name_questions(benchmark))
    cost = f"; cost of a measurement: {costs}" if costs else ""
    return f"{rows}questions: {asked}; objective: {objective}{guessed}{cost}; further metrics: {metrics}"


def _name_questions(benchmark: Benchmark) -> list[str]:
    """The questions of a user's table; those of a column of graphs by its name alone."""
    questions = benchmark.space.questions  # type: ignore[attr-defined]  # a user's table: see above
    graphs = benchmark.estimator.open().graphs
    column_of = {question: column for column, parts in graphs.items() for question in parts}
    names = dict.fromkeys(column_of.get(question, question) for question in questions)
    most = {column: sum(question.endswith("/operation") for question in graphs[column]) for column in graphs}
    return [f"{name} (graphs of up to {most[name]} nodes)" if name in most else name for name in names]


def _count_rows(benchmark: Benchmark) -> str:
    """The number of architectures in the table, of those that could not be measured, and of repeated rows;
    nothing where there is no table."""
    from cambrian.estimators.tabular import Tabular

    if not isinstance(benchmark.estimator, Tabular):
        return ""
    table = benchmark.estimator.open()
    counts = [f"{len(table.rows):,} rows"]
    if table.groups:
        counts = [f"{sum(map(len, table.groups)):,} rows of {len(table.groups):,} architectures"]
    values = table.column(benchmark.estimator.objective).values
    # A learning curve is unknown where its last value is.
    missing = int((values != values).reshape(len(values), -1)[:, -1].sum())
    if missing:
        counts.append(f"{missing:,} without a {benchmark.estimator.objective} count as failures")
    return f"{', '.join(counts)}; "


def _strategy(text: str, context: typer.Context) -> Any:
    """The strategy, read as `compare` reads it; plain `progressive` gets the settings that are options, and
    any other refuses them."""
    from cambrian.search.planning.asked_settings import point_to_surrogate
    from cambrian.strategies import STRATEGIES

    if text == "progressive":
        given = list_given(context)
        named = {name: context.params[name] for name in PROGRESSIVE if name in given}
        return {"name": text, "arguments": {"surrogate": "mlp-ensemble", **named}}
    # A text such as progressive(keep=32) has its settings already.
    strategy = STRATEGIES.parse(text)
    other = point_to_surrogate(strategy, context.params["surrogate"]) or f"the strategy is {text}"
    refuse_these(context, PROGRESSIVE, f"for --strategy progressive, and {other}")
    return strategy
