"""What searches reach by their surrogate, with and without zero-cost proxies among its features, on tables.

    python benchmarks/surrogate_values.py --out rows.jsonl
    python benchmarks/surrogate_values.py --out rows.jsonl --tables nb201-cifar10 --trials 100 --seeds 20
    python benchmarks/surrogate_values.py --out rows.jsonl --report

A run is a table, a strategy, a surrogate and a seed; its row has the test score of the incumbent, the best
score of the table, and the processor's seconds. Runs in --out are not made again: the same command goes on
where it was stopped, over as many nights as it needs. `--share 2/4` makes the second of four shares of them;
give each share an --out of its own, and join the lines. The report has each surrogate's mean distance from
the best, and its difference from gp (`--against`) over the same seeds, with its interval of 95 %. A search
that could not be made has its reason in the row, and is not made again.

After `boosting` and `forest`, `+paths` and `+proxies` are further features: naswot, synflow, layers and
multiply-accumulates of the network with 4 filters on random images, in spaces whose networks can be built.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

# Before numpy is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import t as student

from cambrian.benchmarks import Benchmark, benchmark
from cambrian.benchmarks.playing import play
from cambrian.errors import CambrianError, UsageError
from cambrian.estimators.build import build_network
from cambrian.estimators.job import Job
from cambrian.files import write_file
from cambrian.networks.measure.measure_network import measure_network
from cambrian.outcome import Fidelity
from cambrian.predictors import PREDICTORS
from cambrian.strategies.bayesian.bayes import Bayes
from cambrian.strategies.progressive import Progressive
from cambrian.testing import toy_task

TABLES = ("nb201-cifar10", "nb201-cifar100-12", "nb101-small", "nb-macro", "spikenas", "pnas-bench")
SURROGATES = (
    *("gp", "weisfeiler-lehman", "gcn", "forest", "boosting", "mlp-ensemble", "deep-ensemble"),
    *("forest+proxies", "boosting+proxies"),
)
STRATEGY: dict[str, Any] = {"bayes": Bayes, "progressive": Progressive}
PROXIES = ["naswot", "synflow", "layers", "macs"]
Row = dict[str, Any]
Run = tuple[str, str, str, int]
"""A table, a strategy, a surrogate, a seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGY, default=tuple(STRATEGY))
    parser.add_argument("--surrogates", nargs="+", default=SURROGATES)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--share", default="1/1", metavar="K/N")
    parser.add_argument("--against", default="gp")
    parser.add_argument("--report", action="store_true", help="only say what the rows say")
    asked = parser.parse_args()
    if not asked.report:
        for run in list_missing(asked):
            row = measure(*run, asked.trials)
            with asked.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
    report(read_rows(asked.out), asked.against)


def list_missing(asked: argparse.Namespace) -> Iterator[Run]:
    """The runs of the share that have no row; seeds are outermost, so that a part has all kinds of runs."""
    which, of = map(int, asked.share.split("/"))
    if not 1 <= which <= of:
        raise SystemExit(f"--share {asked.share}: expected K/N with 1 <= K <= N, such as 1/4")
    done = {key_of(row) for row in read_rows(asked.out)}
    every = itertools.product(range(asked.seeds), asked.tables, asked.strategies, asked.surrogates)
    for seed, table, strategy, surrogate in itertools.islice(every, which - 1, None, of):
        if (table, strategy, surrogate, seed, asked.trials) not in done:
            yield table, strategy, surrogate, seed


def read_rows(path: Path) -> list[Row]:
    """The rows of a file. A line that was cut off is taken out of it, and is measured again."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_file(path, whole.encode())
    return [json.loads(line) for line in whole.splitlines()]


def key_of(row: Row) -> tuple[Any, ...]:
    return row["table"], row["strategy"], row["surrogate"], row["seed"], row["trials"]


def measure(table: str, strategy: str, surrogate: str, seed: int, trials: int) -> Row:
    """One search. One that cannot be made, such as of networks that no proxy can measure, says why."""
    row: Row = {"table": table, "strategy": strategy, "surrogate": surrogate, "seed": seed, "trials": trials}
    began = time.process_time()
    try:
        opened = open_table(table)
        made = STRATEGY[strategy](surrogate=make_surrogate(surrogate))
        played = play(opened, made, trials, seed)
    except (CambrianError, FileNotFoundError) as error:
        return row | {"refused": str(error)}
    sign = -1.0 if opened.test_minimize else 1.0
    return row | {
        "test": float(played.test[-1]),
        "regret": sign * (opened.optimum - float(played.test[-1])),
        "seconds": round(time.process_time() - began, 3),
    }


@cache
def open_table(name: str) -> Benchmark:
    return benchmark(name)


def make_surrogate(text: str) -> Any:
    name, *features = text.split("+")
    if not features:
        return PREDICTORS.make(name)
    sources = {"paths": "paths", "proxies": score}
    if set(features) - set(sources):
        raise UsageError(f"surrogate {text!r}: after + expected one of {', '.join(sources)}")
    chosen = ("answers", *(sources[f] for f in features))
    return dataclasses.replace(PREDICTORS.make(name), features=chosen)


@cache
def score(space: Any, architecture: Any) -> dict[str, float]:
    """Proxies of the small network, by name."""
    size = {"filters": 4} if "filters" in space.skeleton else {}
    network = build_network(Job.of(space, architecture, Fidelity(skeleton=size), toy_task()))
    return dict(measure_network(PROXIES, network, (2, 8, 8)))


def report(rows: Iterable[Row], against: str) -> None:
    """The mean regret of each, and the paired difference from `against`."""
    regrets: dict[tuple[str, str, int], dict[str, dict[int, float]]] = {}
    for row in rows:
        if "regret" in row:
            place = regrets.setdefault((row["table"], row["strategy"], row["trials"]), {})
            place.setdefault(row["surrogate"], {})[row["seed"]] = row["regret"]
    for (table, strategy, trials), values in sorted(regrets.items()):
        print(f"\n{table}, {strategy}, {trials} trials")
        for surrogate, seeds in sorted(values.items(), key=lambda item: float(np.mean([*item[1].values()]))):
            other = values.get(against, {})
            pairs = np.array([value - other[seed] for seed, value in seeds.items() if seed in other])
            line = f"  {surrogate:20} regret {np.mean([*seeds.values()]):.3f} ({len(seeds)} seeds)"
            if surrogate != against and len(pairs) > 1:
                half = student.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / len(pairs) ** 0.5
                low, high = pairs.mean() - half, pairs.mean() + half
                line += f", {pairs.mean():+.3f} against {against} ({low:+.3f} to {high:+.3f})"
            print(line)


if __name__ == "__main__":
    main()
