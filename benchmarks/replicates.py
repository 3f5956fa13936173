"""Measuring the best few again before one is recommended, where validation is quiet and where it is noisy.

    python benchmarks/replicates.py [--seeds 1500]

A random search has so many measurements. The rule "best" recommends the highest of them; "K again" spends the
last K on a second measurement of the K best so far and recommends the highest mean of two. The table has the
mean difference of the test scores, in points, with its 95 % interval; for "K, second alone" the second
measurement decides by itself.

Validation is the table's own ("exact": a second measurement gives the same, so that the rule only costs), or
has the sampling error of a validation part of so many images besides, sqrt(p (1 - p) / n), anew each time.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from cambrian.estimators.tables import open_table
from cambrian.randomness import stream

NB201 = (("cifar10", "c10", 200), ("cifar10-12", "c10", 12), ("cifar100-12", "c100", 12))
BUDGETS = (20, 50, 100, 150, 300)
IMAGES = (None, 200, 500, 2_000)
COUNTS = (2, 3, 5)
Values = np.ndarray[Any, np.dtype[np.float64]]


def read_tables() -> dict[str, tuple[Values, Values]]:
    """Of each table the validation accuracies, as fractions, and the test accuracies, in percent."""
    nb201, macro, spikes = open_table("nb201"), open_table("nb-macro"), open_table("spikenas")
    pairs = {
        f"nb201-{name}": (column(nb201, f"{data}_val", epochs), column(nb201, f"{data}_test_200"))
        for name, data, epochs in NB201
    }
    first = column(macro, "first_acc")
    # The other two trainings: the mean of three has the noise of the first in it.
    pairs["nb-macro"] = (first, (3 * column(macro, "mean_acc") - first) / 2)
    pairs["spikenas"] = (column(spikes, "val_acc", 100), column(spikes, "test_acc"))
    # Held out: the rule was chosen without this one.
    nb101 = open_table("nb101")
    pairs["nb101-4"] = (100 * column(nb101, "val_acc", 4), 100 * column(nb101, "test_acc", 4))
    return {name: (valid / 100, test) for name, (valid, test) in pairs.items()}


def column(table: Any, name: str, epochs: int = 0) -> Values:
    """float[rows]: after so many epochs, where the column has several."""
    found = table.column(name)
    values = found.values[:, found.epochs.index(epochs)] if found.epochs else found.values
    return np.asarray(values, np.float64)


def draw_errors(valid: Values, images: int | None, rng: np.random.Generator) -> Values:
    """The errors of one measurement of each."""
    if images is None:
        return np.zeros_like(valid)
    return np.sqrt(np.clip(valid * (1 - valid), 0, None) / images) * rng.standard_normal(valid.shape)


def gain(valid: Values, test: Values, images: int | None, rng: np.random.Generator) -> dict[str, float]:
    """The test score of each rule's choice over that of the best measured, for one search of architectures
    with the accuracies `valid` and `test`, float[n]."""
    values = valid + draw_errors(valid, images, rng)
    second = valid + draw_errors(valid, images, rng)
    best, gains = test[np.argmax(values)], {}
    for count in COUNTS:
        # The last measurements of the budget are the second ones.
        top = np.argsort(-values[: len(values) - count], kind="stable")[:count]
        for name, worth in ((f"{count} again", values + second), (f"{count}, second alone", second)):
            gains[name] = float(test[top[np.argmax(worth[top])]] - best)
    return gains


def write_row(gains: list[dict[str, float]]) -> str:
    cells = []
    for name in gains[0]:
        each = np.array([g[name] for g in gains])
        half = 1.96 * each.std(ddof=1) / np.sqrt(len(each))
        cells.append(write_cell(name, f"{each.mean():+.3f} +-{half:.3f}"))
    return "  ".join(cells)


def write_cell(name: str, text: str) -> str:
    return text.center(max(len(name), 14))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1500)
    seeds = range(parser.parse_args().seeds)
    names = [f"{count}{rule}" for count in COUNTS for rule in (" again", ", second alone")]
    heads = "  ".join(write_cell(name, name) for name in names)
    print(f"{'table':18} {'images':>6} {'n':>4}  {heads}")
    for table, (valid, test) in read_tables().items():
        for images in IMAGES:
            for budget in BUDGETS:
                gains = []
                for seed in seeds:
                    rng = stream(seed, "replicates", table, str(images), budget)
                    rows = rng.choice(len(valid), budget, replace=False)
                    gains.append(gain(valid[rows], test[rows], images, rng))
                print(f"{table:18} {images or 'exact':>6} {budget:4}  {write_row(gains)}", flush=True)


if __name__ == "__main__":
    main()
