"""PNAS's comparison by real training: progressive search against reinforcement learning, evolution, Bayesian
optimisation and random search on Fashion-MNIST, in cells of up to three blocks.

    python benchmarks/pnas_live.py --out runs/pnas-live --epochs 10 --images 10000 --size 14 --processes 2
    python benchmarks/pnas_live.py --out runs/toy --epochs 1 --images 600 --size 7 --trials 8 --seeds 2

A cell that two searches ask for is trained once, whatever their strategies and seeds: its outcome is a
function of the cell. So the cost of many seeds is less than their number. Every search and every outcome is
kept in `--out`: the same command goes on after a kill, and one with more `--seeds` adds to what is there.
At most `--processes` trainings run at a time, each on one thread. `--rows FILE` carries what was trained to
another machine or a later night: a line for each outcome, of whose curve only the end is kept; outcomes of
the file that `--out` lacks are taken from there, and new ones are appended whenever a search has ended.

Prints the best validation accuracy of each search as it ends, seed by seed; then how noisy one training is,
from `--again` cells trained a second time under other randomness (the best quarter of all that were
trained, and others drawn evenly below), and how well a second training of all cells would rank them as the
first did; then the verdict of the referee. Of each strategy it tells how many models progressive search
needs for the same best value, and what the best cell of each search has when it is trained a second time:
that value had no part in its choice, while the first is the luckiest of all that the search saw.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np

import cambrian
from cambrian.architecture import Architecture
from cambrian.audits.noise import estimate_ceiling
from cambrian.codec import decode, encode
from cambrian.estimators.job import Job
from cambrian.files import write_file
from cambrian.outcome import Done, Fidelity, Outcome
from cambrian.referee import Comparison, OnTraining, compare
from cambrian.referee.efficiency import match, top_means
from cambrian.referee.line import Line
from cambrian.referee.outcome_cache import Cached
from cambrian.search.result import Result

BLOCKS = 3
SPACE = {"name": "pnas", "arguments": {"blocks": BLOCKS}}
RIVALS = ("progressive", "reinforce", "evolution", "bayes")  # beside random search
VALIDATION = 5000


class Row(msgspec.Struct, frozen=True):
    """An outcome, and the name of its file: a digest of all that it depends on."""

    key: str
    outcome: Outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/pnas-live"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=10_000, help="trained on; as many as half are scored")
    parser.add_argument("--size", type=int, default=14, help="pixels a side")
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--trials", type=int, default=250, help="of every search")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--again", type=int, default=40, help="cells that are trained twice")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="a file of outcomes, read and appended to")
    parser.add_argument("--strategies", nargs="*", default=list(RIVALS))
    args = parser.parse_args()
    scored = min(VALIDATION, max(100, args.images // 2))
    task = cambrian.load(
        "fashion-mnist", size=args.size, limit=args.images + scored, validation=scored, seed=0
    )
    fidelity = Fidelity(args.epochs, skeleton={"filters": args.filters, "cells": args.cells})
    contest = OnTraining(task, args.trials, args.out, fidelity, SPACE)
    print(
        f"{len(task.train)} images, {len(task.validation)} scored; {args.trials} trials a search", flush=True
    )
    outcomes = args.out / "outcomes"
    if args.rows is not None:
        unpack_outcomes(args.rows, outcomes)

    def watch(line: Line, done: int, total: int) -> None:
        report_search(line, done, total)
        if args.rows is not None:
            pack_outcomes(outcomes, args.rows)

    comparison = compare(
        contest,
        args.strategies,
        seeds=args.seeds,
        directory=args.out,
        workers=args.processes,
        watch=watch,
        tell=partial(print, flush=True),
    )
    report_noise(contest, comparison, args.again, args.processes)
    winners = retrain_winners(contest, comparison, args.processes)
    if args.rows is not None:
        pack_outcomes(outcomes, args.rows)
    report_verdict(comparison, winners)
    report_models(contest, comparison, args.strategies)


def unpack_outcomes(rows: Path, outcomes: Path) -> None:
    """Make the files of outcomes that are not there."""
    outcomes.mkdir(parents=True, exist_ok=True)
    for row in read_rows(rows):
        file = outcomes / row.key
        if not file.exists() or not file.stat().st_size:
            file.write_bytes(encode(row.outcome))


def pack_outcomes(outcomes: Path, rows: Path) -> None:
    """Add the outcomes that the file lacks: a new file takes its place, which no kill leaves half written."""
    known = read_rows(rows)
    keys, new = {row.key for row in known}, []
    for path in sorted(outcomes.iterdir()):
        text = path.read_bytes()
        if path.name not in keys and text:  # empty: in training
            new.append(Row(path.name, keep_end(decode(text, Outcome))))
    rows.parent.mkdir(parents=True, exist_ok=True)
    write_file(rows, b"".join(encode(row) + b"\n" for row in (*known, *new)))


def read_rows(rows: Path) -> list[Row]:
    return [decode(line, Row) for line in rows.read_bytes().splitlines()] if rows.exists() else []


def keep_end(outcome: Outcome) -> Outcome:
    return (
        msgspec.structs.replace(outcome, curve=outcome.curve[-1:]) if isinstance(outcome, Done) else outcome
    )


def report_search(line: Line, done: int, total: int) -> None:
    hours = sum(line.cost) / 3600
    best = f"{line.incumbents[-1].score:.2f} %" if line.incumbents else "nothing"
    search = f"{line.strategy}, seed {line.seed}"
    print(f"{done} of {total}: {search}: {best} by {line.trials} trials ({hours:.2f} h)", flush=True)


def report_noise(contest: OnTraining, comparison: Comparison, again: int, processes: int) -> None:
    """The noise of one training and the ceiling that it puts on every ranking."""
    measured = collect_values(contest, comparison)
    chosen = choose_cells(measured, again)
    seconds = list(train_again(contest, chosen, processes))
    pairs = [
        (measured[cell], outcome.value)
        for cell, outcome in zip(chosen, seconds, strict=True)
        if isinstance(outcome, Done)
    ]
    values = 100 * np.array(list(measured.values()))
    ceiling = estimate_ceiling(values, 100 * np.array(pairs)) if len(pairs) > 1 else None
    if ceiling is None:
        print("the noise of a training cannot be told: too few cells differ when they are trained again")
        return
    print(
        f"{len(measured)} cells, {values.min():.2f} to {values.max():.2f} %: one training has a noise of"
        f" {ceiling.noise:.2f} points (standard deviation, from {ceiling.pairs} pairs); a second training of"
        f" all would rank them by Kendall's {ceiling.kendall:.2f} and Spearman's {ceiling.spearman:.2f} as"
        f" the first did, and its best would be {ceiling.regret:.2f} points below the best"
    )


def collect_values(contest: OnTraining, comparison: Comparison) -> dict[Architecture, float]:
    """The validation accuracy of every cell that some search trained, in the order of searches."""
    values: dict[Architecture, float] = {}
    for label, lines in comparison.lines.items():
        for line in lines:
            values |= dict(read_trials(contest, label, line.seed))
    return values


def read_trials(contest: OnTraining, label: str, seed: int) -> list[tuple[Architecture, float]]:
    """The cells of one search that were measured, in their order."""
    place = contest.place(label, seed)
    assert place is not None
    return [(t.architecture, t.value) for t in Result.open(place).trials if t.value is not None]


def retrain_winners(contest: OnTraining, comparison: Comparison, processes: int) -> dict[str, list[float]]:
    """Of each strategy the second values of the best cells of its searches, in percent."""
    winners = {
        (label, line.seed): max(read_trials(contest, label, line.seed), key=lambda trial: trial[1])[0]
        for label, lines in comparison.lines.items()
        for line in lines
    }
    cells = list(dict.fromkeys(winners.values()))
    seconds = dict(zip(cells, train_again(contest, cells, processes), strict=True))
    values: dict[str, list[float]] = {}
    for (label, _), cell in winners.items():
        outcome = seconds[cell]
        values.setdefault(label, []).append(100 * outcome.value if isinstance(outcome, Done) else np.nan)
    return values


def choose_cells(measured: dict[Architecture, float], count: int) -> list[Architecture]:
    """Half of them are the first of the best quarter, where searches choose; the others lie evenly below."""
    ranked = sorted(measured, key=lambda cell: -measured[cell])
    top = ranked[: max(1, len(ranked) // 4)][: -(-count // 2)]
    rest = ranked[len(top) :]
    places = np.linspace(0, len(rest) - 1, min(count - len(top), len(rest))).round().astype(int)
    return [*top, *(rest[place] for place in dict.fromkeys(places.tolist()))]


def train_again(contest: OnTraining, cells: Sequence[Architecture], processes: int) -> Iterator[Outcome]:
    """The outcomes of second trainings, each of which is kept beside those of the searches."""
    jobs = [(contest, dict(cell)) for cell in cells]
    # Started anew, since a fork of a process that has used torch's threads may hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(train_once_more, jobs)


def train_once_more(job: tuple[OnTraining, dict[str, object]]) -> Outcome:
    contest, answers = job
    estimator = Cached(contest.estimator, str((contest.home / "outcomes").absolute()))
    cell = Architecture(answers)  # type: ignore[arg-type]
    estimate = estimator.run(Job.of(contest.space, cell, contest.fidelity, contest.task, replicate=1))
    while True:
        try:
            next(estimate)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome


def report_verdict(comparison: Comparison, winners: dict[str, list[float]]) -> None:
    for label, lines in comparison.lines.items():
        ends = np.array([line.incumbents[-1].score if line.incumbents else np.nan for line in lines])
        again = np.array(winners[label])
        print(
            f"{label:12} {describe_ends(ends)} over {len(ends)} seeds; its cells trained once more"
            f" {describe_ends(again)}: {', '.join(f'{value:.2f}' for value in again)}"
        )
    for sentence in comparison.verdict:
        print(sentence)


def describe_ends(values: np.ndarray) -> str:
    spread = f" +- {values.std(ddof=1):.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{spread} %"


def report_models(contest: OnTraining, comparison: Comparison, strategies: Sequence[str]) -> None:
    """The models until progressive search, or else the first strategy, has what another has at its end."""
    ours = "progressive" if "progressive" in strategies else strategies[0]

    def draw_curves(label: str, top: int) -> np.ndarray:
        searches = [read_trials(contest, label, line.seed) for line in comparison.lines[label]]
        length = max(map(len, searches))
        curves = [top_means(np.array([value for _, value in search]), top) for search in searches]
        return np.array([np.pad(curve, (0, length - len(curve)), mode="edge") for curve in curves])

    for top in (1, 5):
        for label in comparison.lines:
            if label != ours:
                target = draw_curves(label, top)[:, -1]
                found = match(draw_curves(ours, top), target)
                count, low, high = (
                    f"{models:.0f}" if np.isfinite(models) else "never"
                    for models in (found.models, found.low, found.high)
                )
                print(
                    f"the best {top}: {ours} has the {100 * target.mean():.2f} % of {label}'s end after"
                    f" {count} models (95 %: {low} to {high})"
                )


if __name__ == "__main__":
    main()
