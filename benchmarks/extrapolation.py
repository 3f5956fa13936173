"""Where trainings will end, from the beginnings of their curves; and what it saves to end the hopeless ones.

    python benchmarks/extrapolation.py [spikenas ec-nas stopping prior] [--models svr pfn ...] [--seeds 3]

`spikenas`: of SpikeNAS-Bench's cells that were trained for 100 epochs and learned at all, 100 random ones
are known whole; of `--curves` others the first 5, 10, 25 and 50 of 100 epochs. `ec-nas`: of EC-NAS-Bench's
91 cells that were trained for 4, 12, 36 and 108 epochs (separate trainings), half are known whole, and of
the others the first one, two or three. Prints for each model the rank correlation (Spearman) of forecasts
with the test accuracy, their mean absolute error, the share of ends within 90 % intervals, and the mean
negative logarithm of the density.

`stopping`: searches of 60 random cells on SpikeNAS-Bench, with and without an end by forecast: the epochs
saved, the difference in test accuracy of what was found, and in how many searches it was worse. `prior`: the
network and the sampler on curves of the prior.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cambrian.architecture import completions
from cambrian.benchmarks import benchmark, play
from cambrian.curves import CURVE_MODELS
from cambrian.curves.curve import Curve, Forecast
from cambrian.curves.describing import describe_architectures
from cambrian.curves.prior import LENGTH, draw_curves
from cambrian.estimators.extrapolated import Extrapolated
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.published_files import read_arrays
from cambrian.estimators.tables.spikenas import FILE
from cambrian.predictors.rank_correlation import spearman
from cambrian.randomness import stream
from cambrian.spaces.cells.spikenas import SpikingCells

KNOWN = 100
CHANCE = 0.15
"""Validation accuracy of cells on SpikeNAS-Bench that are above chance in the end."""
FAST = {
    "domhan": "domhan(steps=500, burn=250)",
    "lc-net": "lc-net(steps=3000, burn=1000, refine=300, keep=30)",
}
"""Shorter chains than the published ones, which take seconds for each forecast."""
SLOW = {"domhan": 15, "lc-net": 15}
"""Curves that are predicted by a slow model, for each seed."""
MODELS = ("last-value", "best-so-far", "mean-gain", "svr", "freeze-thaw", "pfn", "domhan", "lc-net")


@dataclass(frozen=True)
class Data:
    """Whole curves, the test accuracy of each, and the numbers of points that are seen."""

    curves: Sequence[Curve]
    test: np.ndarray
    seen: Sequence[int]
    known: int


def read_spikenas() -> Data:
    table = open_table("spikenas")
    values, test = table.column("val_acc").values / 100, table.column("test_acc").values
    space = SpikingCells()
    cells = [space.architecture(codes) for codes in sorted(table.rows, key=lambda codes: table.rows[codes])]
    described = describe_architectures(cells)
    steps = np.arange(1.0, values.shape[1] + 1)
    # 690 cells were trained for 200 epochs: what the table has of them are beginnings, whose ends it lacks.
    whole = read_arrays(FILE, "n_epochs")["n_epochs"] == len(steps)
    kept = np.flatnonzero(whole & (values[:, -1] > CHANCE))
    curves = [Curve(steps, values[row].astype(float), described[row]) for row in kept]
    return Data(curves, test[kept], (5, 10, 25, 50), KNOWN)


def read_ec_nas() -> Data:
    """The means of three repeats."""
    whole = benchmark("nb101-small")
    table = open_table("nb101")
    column = table.column("val_acc")
    rows = np.flatnonzero(np.isfinite(column.values).all(axis=1))
    cells = {table.row(whole.space, cell): cell for cell in completions(whole.space, {})}
    steps = np.array(column.epochs, float)
    described = describe_architectures([cells[row] for row in rows])
    curves = [
        Curve(steps, column.values[row].astype(float), d) for row, d in zip(rows, described, strict=True)
    ]
    test = table.column("test_acc").values[rows, -1]
    return Data(curves, test, (1, 2, 3), len(curves) // 2)


def report_forecasts(data: Data, name: str, seeds: int, count: int) -> None:
    last = float(data.curves[0].steps[-1])
    for points in data.seen:
        began, scores = time.process_time(), []
        for seed in range(seeds):
            order = stream(seed, "extrapolation").permutation(len(data.curves))
            known = [data.curves[i] for i in order[: data.known]]
            chosen = order[data.known :][: min(count, SLOW.get(name, count))]
            model = CURVE_MODELS.parse(FAST.get(name, name)).start(known, last, seed)
            forecasts = [model.predict(data.curves[i].cut(points), last) for i in chosen]
            ends = np.array([data.curves[i].values[-1] for i in chosen])
            scores.append(score_forecasts(forecasts, ends, data.test[chosen]))
        rank, error, within, loss = np.nanmean(scores, axis=0)
        each = (time.process_time() - began) / (seeds * len(chosen))
        print(
            f"  {name:12} {int(data.curves[0].steps[points - 1]):4} epochs  rho {rank:.3f}  MAE {error:.4f}"
            f"  within 90 % {within:.3f}  NLL {loss:6.2f}  {1e3 * each:7.1f} ms",
            flush=True,
        )


def score_forecasts(forecasts: Sequence[Forecast], ends: np.ndarray, test: np.ndarray) -> list[float]:
    means = np.array([forecast.mean for forecast in forecasts])
    pairs = list(zip(forecasts, ends, strict=True))
    within = [f.quantile(0.05) <= end <= f.quantile(0.95) for f, end in pairs]
    losses = [-f.log_density(end) for f, end in pairs]
    return [
        spearman(means, test),
        float(np.abs(means - ends).mean()),
        float(np.mean(within)),
        np.mean(losses),
    ]


def report_prior(seeds: int, count: int) -> None:
    _, noisy = draw_curves(count, stream(seeds, "held out"))
    steps = np.arange(1.0, LENGTH + 1)
    for points in (10, 20, 40, 80):
        texts = []
        for name in ("pfn", "domhan"):
            model = CURVE_MODELS.parse(FAST.get(name, name)).start((), float(LENGTH), 0)
            read = [Curve(steps, np.clip(v, 0, 1)).cut(points) for v in noisy]
            losses = [
                -model.predict(c, float(LENGTH)).log_density(v[-1]) for c, v in zip(read, noisy, strict=True)
            ]
            texts.append(f"{name} {np.mean(losses):.2f} (median {np.median(losses):.2f})")
        print(f"  {points} of {LENGTH} steps, {count} curves: NLL {', '.join(texts)}", flush=True)


def report_stopping(models: Sequence[str], seeds: int) -> None:
    whole = benchmark("spikenas")
    plain = [play(whole, "random", 60, seed) for seed in range(seeds)]
    for model in models:
        around = Extrapolated(whole.estimator, model)
        ended = [play(replace(whole, estimator=around), "random", 60, seed) for seed in range(seeds)]
        pairs = list(zip(plain, ended, strict=True))
        saved = np.mean([1 - e.epochs[-1] / p.epochs[-1] for p, e in pairs])
        change = np.array([e.test[-1] - p.test[-1] for p, e in pairs])
        print(
            f"  {model:28} saves {saved:.1%} of epochs; test accuracy {change.mean():+.3f}, worse in"
            f" {(change < 0).sum()} of {seeds} searches (by {-change.min(initial=0):.2f} at most)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["spikenas", "ec-nas", "stopping", "prior"])
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--curves", type=int, default=300)
    arguments = parser.parse_args()
    readers: dict[str, Callable[[], Data]] = {"spikenas": read_spikenas, "ec-nas": read_ec_nas}
    for part in arguments.parts:
        print(part, flush=True)
        if part == "prior":
            report_prior(arguments.seeds, min(arguments.curves, 30))
        elif part == "stopping":
            report_stopping(arguments.models, arguments.seeds)
        else:
            data = readers[part]()
            for name in arguments.models:
                report_forecasts(data, name, arguments.seeds, arguments.curves)


if __name__ == "__main__":
    main()
