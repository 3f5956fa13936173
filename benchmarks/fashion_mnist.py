"""Progressive against random search on Fashion-MNIST: the same space, recipe, number of models, final stage.

    python benchmarks/fashion_mnist.py --out runs/fashion --seeds 5

Downscaled to an hour of two cores: 10x10 pixels, a subset of the images, two epochs a model. Each search is a
run of its own that can be stopped and started again; the same command goes on. Prints, over
the seeds: the best validation accuracy after so many models, after so many seconds of training, and after
so many multiply-accumulates of training (which no other load on the machine disturbs); the final
networks' test accuracy; PNAS's Table 1 of the four surrogates on the progressive ledgers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

import cambrian
from cambrian.outcome import Done
from cambrian.search.loop.final import Final
from cambrian.search.result import Result
from cambrian.spaces.cells.pnas import PNAS
from cambrian.strategies.progressive import Progressive

# 136 cells of one block, then the 24 best of each of two levels: progressive search's whole course.
BLOCKS, KEEP, MODELS = 3, 24, 136 + 2 * 24
SEARCH = cambrian.Fidelity(epochs=2, skeleton={"filters": 8, "cells": 2})
FINAL = cambrian.Fidelity(epochs=6, skeleton={"filters": 16, "cells": 2})
IMAGES, VALIDATION, SIZE = 2500, 1000, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/fashion"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only-report", action="store_true", help="read finished runs, train nothing")
    arguments = parser.parse_args()
    runs: dict[str, list[Result]] = {"progressive": [], "random": []}
    for seed in range(arguments.seeds):
        # Seed by seed, so that an interrupted benchmark has both strategies under the same seeds.
        for name, results in runs.items():
            place = arguments.out / f"{name}-{seed}"
            results.append(Result.open(place) if arguments.only_report else search(name, seed, place))
            print(place, results[-1].best.value, results[-1].winner.value, flush=True)
    report(runs, arguments.out)


def search(name: str, seed: int, place: Path) -> Result:
    task = cambrian.load("fashion-mnist", size=SIZE, limit=IMAGES, validation=VALIDATION, seed=seed)
    strategy = Progressive(levels=BLOCKS, keep=KEEP) if name == "progressive" else name
    planned = cambrian.Search(
        PNAS(blocks=BLOCKS),
        strategy,
        "train",
        task,
        MODELS,
        seed=seed,
        fidelity=SEARCH,
        final=Final(FINAL, top=3, baselines=()),  # the other strategy is the baseline here
        workers=2,
    )
    return planned.run(place)


def report(runs: dict[str, list[Result]], out: Path) -> None:
    summary: dict[str, object] = {}
    for axis in ("models", "seconds", "macs"):
        summary[axis] = anytime(runs, axis)
    tests = {name: [r.winner.value for r in results] for name, results in runs.items()}
    for name, values in tests.items():
        print(f"final test accuracy, {name}: {np.mean(values):.4f} +- {np.std(values, ddof=1):.4f}  {values}")
    # With three a side the least possible p-value is 0.1, with five 0.008.
    if min(map(len, tests.values())) >= 5:
        p = mannwhitneyu(tests["progressive"], tests["random"]).pvalue
        print(f"Mann-Whitney, two-sided, final test accuracy: p = {p:.3f}")
    summary["test"] = tests
    summary["table1"] = surrogates(runs["progressive"])
    (out / "summary.json").write_text(json.dumps(summary, indent=1))


def anytime(runs: dict[str, list[Result]], axis: str) -> dict[str, list[float]]:
    """Mean and standard deviation over the seeds of the best value so far, at ten costs up to the
    largest that every run reached."""
    curves = {name: [curve(r, axis) for r in results] for name, results in runs.items()}
    end = min(cost[-1] for pairs in curves.values() for cost, _ in pairs)
    grid = np.linspace(end / 10, end, 10)
    print(f"\nbest validation accuracy, mean +- sd over seeds, by {axis}")
    rows: dict[str, list[float]] = {"grid": grid.tolist()}
    for name, pairs in curves.items():
        best = np.array([[at(cost, value, g) for g in grid] for cost, value in pairs])
        rows[name], rows[f"{name} sd"] = best.mean(0).tolist(), best.std(0, ddof=1).tolist()
    for i, g in enumerate(grid):
        cells = "  ".join(f"{n} {rows[n][i]:.4f} +- {rows[f'{n} sd'][i]:.4f}" for n in curves)
        print(f"{g:14.4g}  {cells}")
    return rows


def curve(result: Result, axis: str) -> tuple[np.ndarray, np.ndarray]:
    costs = [price(t, axis) for t in result.trials]
    values = [-np.inf if t.value is None else t.value for t in result.trials]
    return np.cumsum(costs), np.maximum.accumulate(values)


def price(trial: cambrian.Trial, axis: str) -> float:
    if axis == "models":
        return 1.0
    if trial.cached is not None:
        return 0.0
    if axis == "seconds":
        return trial.outcome.seconds
    # A training step is a forward and a backward pass, of which the latter costs twice the former.
    images = SEARCH.epochs * (IMAGES - VALIDATION)
    return 3 * images * trial.outcome.metrics["macs"] if isinstance(trial.outcome, Done) else 0.0


def at(cost: np.ndarray, value: np.ndarray, limit: float) -> float:
    # A billionth more: sums of the same costs in another order must not fall short of the grid.
    done = np.searchsorted(cost, limit * (1 + 1e-9), side="right")
    return float(value[done - 1]) if done else float(np.nanmin(value))


def surrogates(results: list[Result]) -> list[dict[str, object]]:
    from cambrian.predictors.pnas_table1 import table1

    rows: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for seed, result in enumerate(results):
        levels = {b: ([], []) for b in range(1, BLOCKS + 1)}
        for trial in result.trials:
            if trial.value is not None:
                architectures, values = levels[trial.reason["level"]]
                architectures.append(trial.architecture)
                values.append(trial.value)
        for row in table1(result.space, levels, seed=seed):
            rows.setdefault((row.surrogate, row.level), []).append(
                (_number(row.spearman), _number(row.spearman_next))
            )
    print("\nPNAS's Table 1 on these ledgers: Spearman's rho on the level fitted, and one block more")
    table = []
    for (name, level), pairs in rows.items():
        same, more = (float(np.nanmean([p[k] for p in pairs])) for k in (0, 1))
        print(f"{name:14} b={level}  {same:+.3f}  {more:+.3f}")
        table.append({"surrogate": name, "level": level, "same": same, "next": more})
    return table


def _number(rho: float | None) -> float:
    return float("nan") if rho is None else rho


if __name__ == "__main__":
    main()
