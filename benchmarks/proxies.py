"""Ranks of zero-cost proxies, and of their combinations, on NAS-Bench-201 with CIFAR-10.

    python benchmarks/proxies.py [--cells 300] [--file proxies.jsonl] [synflow jacob_cov "zen(repeats=4)" ...]

Scores networks in the published size (16 filters, 5 cells a stage, dead edges included) on CIFAR-10's
training images, and compares with the test accuracy after 200 epochs: Kendall's and Spearman's rank
correlation, and Spearman's with the published scores of NAS-Bench-Suite-Zero (`published`). The cells are
those of that suite, in a drawn order. Every cell is a line of the file: a run that is stopped goes on
where it was, and one with further proxies adds them. Without proxies it scores all of them; `--cells 0`
only prints.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Before numpy is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from cambrian.estimators.tables.published_files import place
from cambrian.estimators.training_data import training_images
from cambrian.networks.measure import MEASURES
from cambrian.networks.measure.measure import find_measure
from cambrian.networks.measure.measure_network import measure_network
from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy
from cambrian.outcome import Fidelity
from cambrian.predictors import kendall, spearman
from cambrian.predictors.rank_sum import sum_log_ranks
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.program.function_space import Shape
from cambrian.tasks import load

SIZES = ("params", "macs", "layers")
PUBLISHED_OPERATIONS = (1, 0, 3, 2, 4)
"""By the suite's code of an operation, its place in the space: the suite counts skip, none, conv3x3, conv1x1,
pool."""
PUBLISHED_EDGES = (0, 1, 3, 2, 4, 5)
"""By the place of an edge in the space, its place in the suite, which orders edges by their source."""
PUBLISHED = {
    **{
        n: n
        for n in ("params", "synflow", "grasp", "fisher", "grad_norm", "l2_norm", "plain", "snip", "epe_nas")
    },
    **{"macs": "flops", "naswot": "nwot", "jacob_cov": "jacov"},
}
"""The names of our measures' scores in the suite."""
COMBINATIONS = {
    "AZ-NAS": ("expressivity", "progressivity", "trainability", "macs"),
    "VKDNW_agg": ("vkdnw", "jacob_cov", "expressivity", "trainability", "macs"),
    "TE-NAS": ("ntk", "linear_regions"),
    # Chosen by the first 70 of these cells, unlike those above.
    "macs + jacob_cov": ("macs", "jacob_cov"),
    "macs + naswot + jacob_cov + progressivity": ("macs", "naswot", "jacob_cov", "progressivity"),
}


def read_cells() -> list[dict[str, str]]:
    """The cells of the suite with their scores for CIFAR-10, in a drawn order."""
    with gzip.open(place("nas_bench_suite_zero/zc_scores.csv.gz"), "rt") as file:
        rows = [
            r for r in csv.DictReader(file) if (r["benchmark"], r["dataset"]) == ("nasbench201", "cifar10")
        ]
    return [rows[i] for i in stream(0, "proxies").permutation(len(rows))]


def codes_of(row: Mapping[str, str]) -> tuple[int, ...]:
    """The operations of a cell, in the space's order."""
    published = json.loads(row["arch"].replace("(", "[").replace(")", "]"))
    return tuple(PUBLISHED_OPERATIONS[published[edge]] for edge in PUBLISHED_EDGES)


def read_accuracies() -> dict[tuple[int, ...], float]:
    table = np.load(place("nb201/nb201_accuracy.npz"))
    order = [tuple(map(int, ops)) for ops in table["ops"]]
    return dict(zip(order, table["c10_test_200"].tolist(), strict=True))


def draw_batches(proxies: Sequence[str]) -> dict[str, Batch]:
    """The labelled images for each proxy: the first of the training part, the same for all cells."""
    task = load(place("cifar10_jpeg/cifar10_train.npz").parent, limit=1000)
    images = training_images(task, Fidelity(), "search", 0, "cpu")
    order = torch.from_numpy(stream(0, "batch").permutation(len(images)))

    def draw(count: int) -> Batch:
        chosen = order[:count]
        return Batch(images.inputs(images.pixels[chosen]).contiguous(), images.targets[chosen])

    return {name: draw(find_measure(name).images) for name in proxies}


def score_cell(codes: Sequence[int], batches: Mapping[str, Batch]) -> dict[str, tuple[float | None, float]]:
    """By proxy the score, None where it is not defined, and its seconds of this process."""
    space, shape = NASBench201(), Shape(3, 32, 32, 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = space.build(space.architecture(codes), shape, filters=16, cells=5, whole=True)
    scores: dict[str, tuple[float | None, float]] = {
        name: (value, 0.0) for name, value in measure_network(SIZES, network, (3, 32, 32)).items()
    }
    for name, batch in batches.items():
        proxy, started = find_measure(name), time.process_time()
        assert isinstance(proxy, Proxy)
        try:
            value: float | None = proxy.measure_labelled(network, batch)
        except Undefined:
            value = None
        scores[name] = (value, time.process_time() - started)
    return scores


def read_scores(path: Path) -> dict[tuple[int, ...], dict[str, Any]]:
    """The scored cells; a line that was cut off is left out, and its cell scored again."""
    cells: dict[tuple[int, ...], dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        cells.setdefault(tuple(entry["codes"]), {}).update(entry["scores"])
    return cells


def score_cells(cells: Sequence[Mapping[str, str]], proxies: Sequence[str], path: Path) -> None:
    known, batches = read_scores(path), draw_batches(proxies)
    with path.open("a") as file:
        for row in cells:
            codes = codes_of(row)
            missing = {n: b for n, b in batches.items() if n not in known.get(codes, {})}
            if missing:
                entry = {"codes": codes, "scores": score_cell(codes, missing)}
                print(json.dumps(entry), file=file, flush=True)


def print_ranks(cells: Mapping[tuple[int, ...], Mapping[str, Any]]) -> None:
    truth = read_accuracies()
    published = {codes_of(row): row for row in read_cells()}
    print(f"{len(cells)} cells\n{'':44} {'cells':>5} {'tau':>6} {'rho':>6} {'published':>9} {'s':>6}")
    names = dict.fromkeys(name for scores in cells.values() for name in scores)
    for name in names:
        own = [c for c in cells if name in cells[c]]
        column = _column(cells, own, name)
        line = _describe(name, column, [truth[c] for c in own])
        reference = PUBLISHED.get(name)
        theirs = [float(published[c][reference] or "nan") for c in own] if reference else []
        agree = f"{_agreement(column, theirs):9.3f}" if reference else " " * 9
        print(f"{line} {agree} {np.mean([cells[c][name][1] for c in own]):6.2f}")
    for title, parts in COMBINATIONS.items():
        own = [c for c in cells if all(p in cells[c] for p in parts)]
        if len(own) > 1:
            total = sum_log_ranks([_column(cells, own, p) for p in parts])
            print(_describe(title, total, [truth[c] for c in own]))


def _column(cells: Mapping[Any, Mapping[str, Any]], codes: Sequence[Any], name: str) -> Any:
    """The scores of a proxy; where it is not defined, they are the worst."""
    values = np.array([cells[c][name][0] for c in codes], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nanmin(values) - 1)


def _describe(name: str, column: Any, truth: Sequence[float]) -> str:
    return f"{name:44} {len(truth):5} {kendall(column, truth):6.3f} {spearman(column, truth):6.3f}"


def _agreement(ours: Any, theirs: Sequence[float]) -> float:
    both = np.isfinite(theirs)
    return spearman(ours[both], np.array(theirs)[both])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    every = [n for n in MEASURES.names() if isinstance(find_measure(n), Proxy)]
    parser.add_argument("proxies", nargs="*", default=every)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--file", type=Path, default=Path("proxies.jsonl"))
    args = parser.parse_args()
    score_cells(read_cells()[: args.cells], args.proxies, args.file)
    print_ranks(read_scores(args.file))


if __name__ == "__main__":
    main()
