"""Tables of the rows of supernets.py."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supernet_ranking import Field, find_taus, make_field, measure_rivals, read_truth
from supernet_subjects import NB201, RANDOM, Size, look_up

Row = dict[str, Any]
PUBLISHED = {
    "random-shared": "87.66 ± 1.69",
    "darts": "54.30",
    "darts(second_order=true)": "54.30",
    "gdas": "93.61 ± .09",
    "enas": "53.89 ± .58",
    "snas": "92.77 ± .83",
    "pc-darts": "93.41 ± .30",
    "fairnas": "93.23 ± .18",
    "drnas": "94.36",
    "beta-darts": "94.36",
    "darts-pt": "88.11",
    "darts-pt(blank=true)": "93.80",
    RANDOM: "93.70 ± .36",
}
"""Test accuracies on CIFAR-10 of searches at full size: Dong & Yang (ICLR 2020) and the methods' papers."""
COLLAPSED = 75.0
"""The test accuracy below which a derived cell has collapsed."""


def print_report(out: Path) -> None:
    rows = [json.loads(path.read_bytes()) for path in sorted((out / "rows").glob("*.json"))]
    if not rows:
        raise SystemExit(f"{out} has no rows: `train --out {out}` makes them")
    setting = json.loads((out / "setting.json").read_bytes())
    size = Size(**setting)
    print("setting:", ", ".join(f"{name} {value}" for name, value in setting.items()))
    parts = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row)
    if parts["search"]:
        print_searches(parts["search"])
    for space in dict.fromkeys(row["space"] for row in parts["own"]):
        print_own(space, [row for row in parts["own"] if row["space"] == space])
    if parts["rank"]:
        print_ranking(make_field("nb201", size), parts["rank"])
    if parts["pnas"]:
        print_pnas(make_field("pnas", size), parts["pnas"])


def print_searches(rows: Sequence[Row]) -> None:
    """By the mean test accuracy of what was derived, with the spread over seeds."""
    print("\nNAS-Bench-201 on CIFAR-10: test accuracy of the derived cell after 200 epochs, by the table")
    columns = f"{'mean':>6} {'spread':>6} {'worst':>6} seeds skips  flagged  epochs seconds  published"
    print(f"{'method':28} {columns}")
    groups = group_by_method(rows)
    for method, own in sorted(groups.items(), key=lambda item: -mean(r["test"] for r in item[1])):
        tests = [r["test"] for r in own]
        fallen = [r for r in own if r["test"] < COLLAPSED]
        flagged = sum("collapse" in r for r in own)
        print(
            f"{method:28} {mean(tests):6.2f} {spread(tests):6.2f} {min(tests):6.2f} {len(own):5}"
            f" {mean(r['skips'] for r in own):5.1f}  {describe_flags(flagged, fallen, own):8}"
            f" {mean(r['amount'] for r in own):6.0f} {mean(r['seconds'] for r in own):7.0f}"
            f"  {PUBLISHED.get(method, '–')}"
        )
    print("published: of searches at full size, by their papers")
    largest = look_up(NB201.architecture((3,) * 6))
    print(f"{'the most MACs':28} {largest:6.2f}   without a training: 3x3 convolutions on all edges")
    rivals = groups.get(RANDOM, [])
    if rivals:
        bar = mean(r["test"] for r in rivals)
        better = [m for m, own in groups.items() if m != RANDOM and mean(r["test"] for r in own) > bar]
        print(f"better than random search on average: {', '.join(better) or 'none'}")


def describe_flags(flagged: int, fallen: Sequence[Row], rows: Sequence[Row]) -> str:
    """Of how many seeds a collapse was flagged, and how many collapses were not."""
    missed = sum("collapse" not in r for r in fallen)
    return f"{flagged}/{len(rows)}" + (f" ({missed} missed)" if missed else "")


def print_own(space: str, rows: Sequence[Row]) -> None:
    print(f"\n{space}: validation accuracy of what was chosen, with shared weights and trained alone")
    for method, own in group_by_method(rows).items():
        alone = [r["alone"] for r in own if r["alone"] is not None]
        shared = [r["shared"] for r in own if r.get("shared") is not None]
        spent = f"{mean(r['seconds'] for r in own):.0f} s, amount {mean(r['amount'] for r in own):.0f}"
        by_shared = f"{mean(shared):.4f}" if shared else "–     "
        print(
            f"{method:28} shared {by_shared}  alone {mean(alone):.4f} ± {spread(alone):.4f}"
            f"  {len(own)} seeds, {spent}"
        )


def print_ranking(field: Field, rows: Sequence[Row]) -> None:
    print(f"\nKendall's tau against the test accuracies of {field.count} cells of NAS-Bench-201")
    print_taus(field, rows, read_truth(field))


def print_pnas(field: Field, rows: Sequence[Row]) -> None:
    alone = sorted((r for r in rows if r["method"] == "alone"), key=lambda r: r["seed"])
    ranked = [r for r in rows if r["method"] != "alone"]
    print(f"\nPNAS's space on Fashion-MNIST: {len(alone)} of {field.count} cells are trained alone")
    if len(alone) == field.count and ranked:
        print("Kendall's tau against their test accuracies")
        print_taus(field, ranked, [r["test"] for r in alone])


def print_taus(field: Field, rows: Sequence[Row], truth: Sequence[float]) -> None:
    rivals = find_taus(measure_rivals(field), truth)
    for name, tau in rivals.items():
        print(f"{name:36} {tau:+.3f}")
    for row in rows:
        taus = find_taus(row["scores"], truth)
        best = max(taus[name] for name in row["scores"])
        said = ", ".join(f"{name} {tau:+.3f}" for name, tau in taus.items())
        worth = "" if best > rivals["macs"] else ": below MACs alone, of no use for choosing"
        spent = f"{row['epochs']} epochs, {row['seconds']:.0f} s"
        print(f"{row['method']:14} seed {row['seed']}, {spent}: {said}{worth}")


def group_by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: r["seed"]):
        groups.setdefault(row["method"], []).append(row)
    return groups


def mean(values: Any) -> float:
    found = list(values)
    return statistics.fmean(found) if found else float("nan")


def spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
