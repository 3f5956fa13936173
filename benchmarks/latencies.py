"""Latencies of published devices predicted from 10 and 20 measurements: figures of RESULTS.md.

    python benchmarks/latencies.py [lat_pixel2 ...] [--cells 400] [--draws 10]

NAS-Bench-201, the devices of HELP (Lee et al., NeurIPS 2021) and a Raspberry Pi 5. Of `--cells` random cells
so many are measured as the column says, and a table is fitted to them as `cambrian latency` does; printed is
Spearman's correlation over all other cells, the mean of `--draws` choices of the measured ones and the least.
"params" ranks the cells by their number of parameters, which takes no measurement.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from cambrian.architecture import sample
from cambrian.benchmarks import benchmark
from cambrian.networks.measure.operation_totals import count_operations
from cambrian.predictors import spearman
from cambrian.search.latency.latency_fit import fit_table
from cambrian.spaces.program.function_space import Shape

TASK = Shape(3, 32, 32, 100)
MEASURED = (10, 20)


def count_cells(cells: int) -> tuple[list[dict[str, float]], np.ndarray, Any]:
    """The operations of random cells in the benchmark's own skeleton, their rows, and the table."""
    chosen = benchmark("nb201-cifar10")
    table = chosen.estimator.open()
    rng = np.random.default_rng(0)
    drawn = dict.fromkeys(sample(chosen.space, rng) for _ in range(cells))
    counts = []
    for architecture in drawn:
        with torch.device("meta"):
            network = chosen.space.build(architecture, TASK)
        counts.append(count_operations(network, (3, 32, 32)))
    return counts, np.array([table.row(chosen.space, a) for a in drawn]), table


def rank_device(counts: list[dict[str, float]], values: np.ndarray, measured: int, draws: int) -> np.ndarray:
    """Spearman's correlations over the cells that were not measured, one for each draw."""
    found = []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(counts))
        seen, others = order[:measured], order[measured:]
        table = fit_table([counts[i] for i in seen], values[seen].tolist())
        found.append(spearman([table.predict(counts[i]) for i in others], values[others].tolist()))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("devices", nargs="*", metavar="DEVICE")
    parser.add_argument("--cells", type=int, default=400)
    parser.add_argument("--draws", type=int, default=10)
    arguments = parser.parse_args()
    counts, rows, table = count_cells(arguments.cells)
    names = arguments.devices or [
        n for n in benchmark("nb201-cifar10").estimator.metrics if n.startswith("lat_")
    ]
    params = [row["params"] for row in counts]
    means: dict[Any, list[float]] = {"params": [], **{n: [] for n in MEASURED}}
    for name in names:
        values = np.asarray(table.column(name).values, float)[rows]
        alone = spearman(params, values.tolist())
        means["params"].append(alone)
        text = f"params {alone:.3f}"
        for measured in MEASURED:
            found = rank_device(counts, values, measured, arguments.draws)
            means[measured].append(float(found.mean()))
            text += f"; {measured}: {found.mean():.3f}, least {found.min():.3f}"
        print(f"{name:28} {text}", flush=True)
    print("mean over devices: " + ", ".join(f"{name} {np.mean(each):.3f}" for name, each in means.items()))


if __name__ == "__main__":
    main()
