"""The packed table of `pnas-bench` (see pnas_bench.py), and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pnas_bench_cells import REPLICATES, SPACE, Cell, order_items

Rows = list[dict[str, Any]]


def write_table(rows: Rows, setting: dict[str, Any], target: Path) -> None:
    card = describe(rows, setting)
    arrays = make_arrays(rows, setting)
    with target.open("wb") as file:
        np.savez_compressed(file, **arrays)
    target.with_suffix(".md").write_text(card)
    print(card)
    print(f"{target}: {len(arrays['cells'])} cells, {target.stat().st_size:,} bytes")


def make_arrays(rows: Rows, setting: dict[str, Any]) -> dict[str, Any]:
    """A row for the first training of each cell, in the order of the trainings; of the further ones the curve
    and the test score in arrays of their own, with the number of the cell's row."""
    place = {item: n for n, item in enumerate(order_items())}
    # A training that several processes did is kept once: they are the same numbers.
    unique = {(row["cell"], row["replicate"]): row for row in rows}
    ordered = [unique[item] for item in sorted(unique, key=place.__getitem__)]
    first = [row for row in ordered if row["replicate"] == 0]
    number = {row["cell"]: n for n, row in enumerate(first)}
    again = [row for row in ordered if row["replicate"] and row["cell"] in number]
    cells = np.full((len(first), SPACE.blocks, 4), -1, np.int8)
    for n, row in enumerate(first):
        cells[n, : len(row["cell"])] = row["cell"]
    curves = ("train_loss", "validation", "validation_loss", "seconds")
    return {
        "cells": cells,
        **{name: np.array([row[name] for row in first], np.float32) for name in (*curves, "test")},
        **{name: np.array([row[name] for row in first], np.int32) for name in ("params", "macs")},
        "again_row": np.array([number[row["cell"]] for row in again], np.int32),
        "again_validation": np.array([r["validation"] for r in again], np.float32).reshape(
            -1, setting["epochs"]
        ),
        "again_test": np.array([row["test"] for row in again], np.float32),
        "setting": np.array(json.dumps(setting)),
    }


def describe(rows: Rows, setting: dict[str, Any]) -> str:
    """The card: the setting, the scores by the number of blocks, the noise, and the checks."""
    trainings: dict[Cell, Rows] = {}
    for row in rows:
        trainings.setdefault(row["cell"], []).append(row)
    lines = [
        "# pnas-bench: cells of PNAS, each trained",
        "",
        f"- trained: {json.dumps(setting)}",
        f"- {len(trainings)} cells, {len(rows)} trainings, {describe_seconds(rows)}",
        "",
        "| blocks | cells | validation, last epoch: mean | deviation | best | its test |",
        "|---|---|---|---|---|---|",
        *(describe_level(trainings, blocks) for blocks in range(1, SPACE.blocks + 1)),
        "",
        *describe_noise(trainings),
        *check_rows(trainings),
    ]
    return "\n".join(lines) + "\n"


def describe_seconds(rows: Rows) -> str:
    seconds = np.array([row["seconds"][-1] for row in rows])
    return f"{seconds.sum() / 3600:.1f} hours of one core, {np.median(seconds):.1f} s for the median one"


def describe_level(trainings: dict[Cell, Rows], blocks: int) -> str:
    first = [runs[0] for cell, runs in trainings.items() if len(cell) == blocks]
    if not first:
        return f"| {blocks} | 0 | | | | |"
    values = np.array([row["validation"][-1] for row in first])
    best = first[int(values.argmax())]
    spread = f"{values.std(ddof=1):.4f}" if len(values) > 1 else ""
    cells = f"{values.mean():.4f}", spread, f"{values.max():.4f}", f"{best['test']:.4f}"
    return f"| {blocks} | {len(first)} | {' | '.join(cells)} |"


def describe_noise(trainings: dict[Cell, Rows]) -> list[str]:
    """The noise ceiling: the variance of cells' true means as a share of that of single trainings is the
    expected correlation of two trainings; its root that of one training with the truth, which no predictor
    can pass."""
    repeated = {cell: runs for cell, runs in trainings.items() if len(runs) >= REPLICATES}
    if len(repeated) < 3:
        return ["- noise: not enough cells were trained three times yet"]
    larger = {cell: runs for cell, runs in repeated.items() if len(cell) > 1}
    parts = {"all": repeated, "two to five blocks": larger}
    return [describe_part(name, list(part.values())) for name, part in parts.items() if len(part) >= 3]


def describe_part(name: str, trainings: list[Rows]) -> str:
    scores = np.array([[row["validation"][-1] for row in runs[:REPLICATES]] for runs in trainings])
    within = float(scores.var(1, ddof=1).mean())
    # The variance of means of three has a third of the noise in it.
    between = max(0.0, float(scores.mean(1).var(ddof=1)) - within / REPLICATES)
    share = between / (between + within) if within else 1.0
    return (
        f"- noise ({name}, {len(scores)} cells trained three times): deviation of one training"
        f" {within**0.5:.4f}, of the cells {between**0.5:.4f}; correlation of two trainings {share:.3f},"
        f" of one with the truth {share**0.5:.3f}"
    )


def check_rows(trainings: dict[Cell, Rows]) -> list[str]:
    """The checks: each says how many rows fail it."""
    forms = {SPACE.canonical(SPACE.architecture(cell)) for cell in trainings}
    orphans = sum(len(cell) > 1 and cell[:-1] not in trainings for cell in trainings)
    sizes = sum(len({(r["params"], r["macs"]) for r in runs}) > 1 for runs in trainings.values())
    first = [runs[0] for runs in trainings.values()]
    lost = sum(not np.isfinite(row["train_loss"]).all() for row in first)
    weak = sum(row["validation"][-1] < 0.3 for row in first)
    agreement = np.corrcoef([row["validation"][-1] for row in first], [row["test"] for row in first])[0, 1]
    return [
        f"- checks: {len(trainings) - len(forms)} cells that are another one in a different order;"
        f" {orphans} whose first blocks are no row; {sizes} whose trainings differ in size; {lost} with a"
        f" loss that is not finite; {weak} below 30 %; correlation of validation and test {agreement:.3f}",
    ]
