"""A comparison of strategies: played under many seeds, recorded, judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cambrian.benchmarks import Benchmark, benchmark
from cambrian.counts import seconds_text
from cambrian.errors import RunError, UsageError
from cambrian.referee.contenders import BASELINE, Contenders, contenders, find_baseline
from cambrian.referee.contest import OnBenchmark, contest_of, play_search
from cambrian.referee.contest_protocol import Contest
from cambrian.referee.curves import Curves, Lines, over_epochs, over_evaluations, over_seconds
from cambrian.referee.judgement import Judgement, judge
from cambrian.referee.line import Line
from cambrian.referee.process_pool import play_jobs
from cambrian.referee.records import Records, read_settings
from cambrian.referee.verdict import (
    describe_power,
    epochs,
    evaluations,
    join_names,
    noninferior,
    too_few,
    verdict,
)
from cambrian.referee.worker import Job
from cambrian.search.assembly import make_problem
from cambrian.search.parts.components import spec_of
from cambrian.settings import COUNT, Span, check_numbers

MARGIN = 0.05
Watch = Callable[[Line, int, int], None]
"""Called with a line that was added, the number of lines so far, and the number in the end."""


@dataclass(frozen=True)
class Comparison:
    """`lines` by strategy, in the order of seeds. `margin` is in the unit of scores, `baseline` the label of
    random search."""

    contest: Contest
    lines: Lines
    margin: float = MARGIN
    directory: Path | None = None
    remarks: dict[str, Any] = field(default_factory=dict)
    baseline: str = BASELINE

    @property
    def seeds(self) -> int:
        return len(next(iter(self.lines.values())))

    @cached_property
    def curves(self) -> Curves:
        """Over evaluations, or over epochs where the contest counts them."""
        if self.contest.epochs is not None:
            return over_epochs(self.lines, self.contest.epochs, self.contest.minimize)
        return over_evaluations(self.lines, self.contest.budget, self.contest.minimize)

    @cached_property
    def timed(self) -> Curves | None:
        """Over seconds; None where the cost of a measurement is unknown."""
        return over_seconds(self.lines, minimize=self.contest.minimize) if self.contest.timed else None

    @cached_property
    def judgement(self) -> Judgement:
        return judge(self.curves)

    @cached_property
    def timed_judgement(self) -> Judgement | None:
        return None if self.timed is None else judge(self.timed)

    @cached_property
    def verdict(self) -> list[str]:
        """Plain sentences, at equal numbers of evaluations or of epochs."""
        phrase = evaluations if self.contest.epochs is None else epochs
        return [
            *too_few(self.judgement),
            *verdict(self.judgement, phrase),
            *noninferior(self.judgement, self.margin, phrase),
        ]

    @cached_property
    def timed_verdict(self) -> list[str]:
        """Plain sentences, at equal times."""
        judgement = self.timed_judgement
        return [] if judgement is None else verdict(judgement, seconds_text)


def compare(
    contest: Contest | Benchmark | str,
    strategies: str | Iterable[str] | Mapping[str, Any],
    *,
    seeds: int = 30,
    budget: int | str = 300,
    directory: str | Path | None = None,
    workers: int = 1,
    margin: float = MARGIN,
    watch: Watch | None = None,
    tell: Callable[[str], object] | None = None,
    begin: Callable[[], object] | None = None,
) -> Comparison:
    """Search under seeds 0 to `seeds` - 1 by each of the strategies (see `contenders`) and by random
    search, for `budget` evaluations each, or epochs ("20000 epochs"). Where one of them measures at lower
    fidelities, so many evaluations are counted as the epochs that they take at the full one, and all searches
    get as many. `contest` is a benchmark or its name, or an `OnTraining`, which
    brings a budget of its own. The same call continues an interrupted comparison in `directory`, and
    one with more seeds or strategies adds to it. `tell` gets a sentence before the first search: whether so
    many seeds can decide. `begin` is called once nothing is left that could be refused.

    Raises UsageError before anything is played where a name, a setting or a space does not fit."""
    rivals = contenders(strategies)
    chosen = _count_fairly(_contest(contest, budget), rivals, tell)
    check_numbers(COUNT, seeds=seeds, workers=workers, budget=chosen.budget)
    check_numbers(Span(0), margin=margin)
    if len(rivals) < 2:
        raise UsageError(f"nothing to compare: name a strategy besides {BASELINE}")
    if tell is not None:
        tell(describe_power(len(rivals), seeds))
    # Before the directory is touched: a mistake in a name must not leave a half comparison behind.
    check(chosen, rivals)
    place = directory if directory is not None else chosen.home
    records = Records(None if place is None else Path(place).absolute())
    try:
        specs = {label: _spec(strategy) for label, strategy in rivals.items()}
        asked = {"contest": chosen.spec, "strategies": specs, "seeds": seeds, "margin": margin}
        records.agree(chosen.identity(), asked)
        chosen.ready()
        if begin is not None:
            begin()
        # Seed by seed, so that an interrupted comparison has whole blocks of seeds for all strategies.
        every = [(label, seed) for seed in range(seeds) for label in rivals]
        missing = [key for key in every if key not in records.lines]
        for line in _play(chosen, rivals, missing, workers):
            records.add(line)
            if watch is not None:
                watch(line, len(every) - len(missing) + _count_done(records, missing), len(every))
        lines = {label: [records.lines[label, seed] for seed in range(seeds)] for label in rivals}
        baseline = find_baseline(rivals) or BASELINE
        return Comparison(chosen, lines, margin, records.directory, baseline=baseline)
    finally:
        records.close()


def resume(
    directory: str | Path,
    *,
    workers: int = 1,
    watch: Watch | None = None,
    tell: Callable[[str], object] | None = None,
    begin: Callable[[], object] | None = None,
) -> Comparison:
    """The comparison in `directory`, brought to its end. Raises RunError where there is none, or where a
    part of it has no name it could be loaded by."""
    place = Path(directory).absolute()
    asked = read_settings(place)["asked"]
    unnamed = [label for label, spec in asked["strategies"].items() if "name" not in spec]
    if unnamed or asked["contest"] is None:
        raise RunError(
            f"{unnamed[0] if unnamed else 'the benchmark'} of {place} has no name it could be loaded by: "
            "continue the comparison from the program that began it"
        )
    # The directory may have been moved since: its own place counts, not the one that was written down.
    spec = dict(asked["contest"])
    if "training" in spec:
        spec["training"] = str(place)
    return compare(
        contest_of(spec),
        asked["strategies"],
        seeds=asked["seeds"],
        directory=place,
        workers=workers,
        margin=asked["margin"],
        watch=watch,
        tell=tell,
        begin=begin,
    )


def check(contest: Contest, rivals: Contenders) -> None:
    """Raises Incompatible where the space lacks something that a strategy needs, UsageError where the
    strategy cannot search the space with these settings."""
    for strategy in rivals.values():
        search = contest.search(strategy, 0)
        strategy.start(make_problem(search, None))


def _contest(contest: Contest | Benchmark | str, budget: int | str) -> Contest:
    if isinstance(contest, str):
        return OnBenchmark.of(benchmark(contest), budget, contest)
    return OnBenchmark.of(contest, budget) if isinstance(contest, Benchmark) else contest


def _count_fairly(contest: Contest, rivals: Contenders, tell: Callable[[str], object] | None) -> Contest:
    """The contest, its budget counted in epochs if a strategy measures at lower fidelities: an evaluation of
    one epoch is not worth one of a hundred."""
    lower = [label for label, strategy in rivals.items() if getattr(strategy, "axes", ())]
    if not lower or contest.epochs is not None:
        return contest
    counted = contest.in_epochs()
    if tell is not None:
        tell(
            f"{join_names(lower)} measure{'s' if len(lower) == 1 else ''} at lower fidelities: all searches"
            f" get {epochs(counted.epochs or 0)}, as many as {evaluations(contest.budget)} take"
        )
    return counted


def _play(
    contest: Contest, rivals: Contenders, keys: Sequence[tuple[str, int]], workers: int
) -> Iterator[Line]:
    # One worker plays in this process, where objects without a name can be compared too.
    if workers == 1 or len(keys) < 2:
        return (play_search(contest, label, rivals[label], seed) for label, seed in keys)
    # Other processes get specs, never pickled objects, so that every part needs a name to be loaded by.
    specs = {label: spec_of("strategy", strategy) for label, strategy in rivals.items()}
    unnamed = [label for label, spec in specs.items() if spec is None]
    if contest.spec is None or unnamed:
        raise UsageError(
            f"{unnamed[0] if unnamed else contest.title} has no name another process could load it by: "
            "define it in a module, or use one worker"
        )
    return play_jobs(contest.spec, [Job(label, specs[label] or {}, seed) for label, seed in keys], workers)


def _count_done(records: Records, keys: Sequence[tuple[str, int]]) -> int:
    return sum(key in records.lines for key in keys)


def _spec(strategy: Any) -> dict[str, Any]:
    return spec_of("strategy", strategy) or {"unnamed": type(strategy).__name__}
