"""Ranks of predictors on NAS-Bench-201 with CIFAR-10, after 200 and 400 trainings.

    python benchmarks/predictors.py [--seeds 5] [--trainings 200 400] [forest boosting+paths ...]

A predictor learns the test accuracies after 200 epochs of drawn cells; Kendall's rank correlation is that
with cells that it has not seen: 1,000 drawn ones, or, with `proxies`, the rest of those 1,216 for which
NAS-Bench-Suite-Zero has published scores. After a name, +paths and +proxies are further features of forest
and boosting; "-answers" leaves the answers out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

# Before numpy is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from proxies import codes_of

from cambrian.architecture import Architecture
from cambrian.estimators.tables.published_files import place
from cambrian.predictors import PREDICTORS, kendall
from cambrian.predictors.predictor import make_trials
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201

SPACE = NASBench201()
UNSEEN = 1000
SCORES = (
    *("flops", "params", "synflow", "grasp", "fisher", "grad_norm", "l2_norm", "plain", "nwot", "epe_nas"),
    *("jacov", "snip"),
)
DEFAULT = (
    *("ridge", "gcn", "forest", "forest+paths", "boosting", "boosting+paths", "gp", "weisfeiler-lehman"),
    *("forest+proxies", "forest+proxies-answers", "boosting+proxies", "boosting+paths+proxies"),
)


@cache
def read_published() -> dict[Architecture, dict[str, float]]:
    """The published scores of cells for CIFAR-10; one that was not computed is left out."""
    with gzip.open(place("nas_bench_suite_zero/zc_scores.csv.gz"), "rt") as file:
        rows = [r for r in csv.DictReader(file) if r["dataset"] == "cifar10"]
    cells = [r for r in rows if r["benchmark"].startswith("nasbench201")]
    return {
        SPACE.architecture(codes_of(r)): {n: float(r[n]) for n in SCORES if _is_finite(r[n])} for r in cells
    }


def _is_finite(text: str) -> bool:
    return bool(text) and math.isfinite(float(text))


def proxies_of(space: Any, architecture: Architecture) -> Mapping[str, float]:
    return read_published()[architecture]


@cache
def read_accuracies() -> dict[Architecture, float]:
    table = np.load(place("nb201/nb201_accuracy.npz"))
    cells = map(SPACE.architecture, table["ops"].tolist())
    return dict(zip(cells, table["c10_test_200"].tolist(), strict=True))


def make_predictor(text: str) -> Any:
    """The predictor of a text such as boosting+paths+proxies-answers."""
    name, *further = text.removesuffix("-answers").split("+")
    predictor = PREDICTORS.make(name)
    if not further:
        return predictor
    answers = () if text.endswith("-answers") else ("answers",)
    sources = [proxies_of if source == "proxies" else source for source in further]
    return replace(predictor, features=(*answers, *sources))


def rank(text: str, trainings: int, seed: int) -> float:
    truth = read_accuracies()
    cells: Sequence[Architecture] = list(read_published() if "proxies" in text else truth)
    order = stream(seed, "cells").permutation(len(cells))
    known, unseen = order[:trainings], order[trainings : trainings + UNSEEN]
    lessons = make_trials([cells[i] for i in known], [truth[cells[i]] for i in known])
    fitted = make_predictor(text).start(SPACE, seed).fit(lessons)
    return kendall(fitted.predict([cells[i] for i in unseen]).mean, [truth[cells[i]] for i in unseen])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("predictors", nargs="*", default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trainings", type=int, nargs="+", default=[200, 400])
    args = parser.parse_args()
    print(f"Kendall, mean +- deviation of {args.seeds} seeds")
    print(f"{'trainings':32}" + "".join(f"{n:>16}" for n in args.trainings))
    for text in args.predictors:
        line = f"{text:32}"
        for trainings in args.trainings:
            taus = [rank(text, trainings, seed) for seed in range(args.seeds)]
            line += f"{np.mean(taus):9.3f} +-{np.std(taus):5.3f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
