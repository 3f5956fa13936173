"""Searches by supernets on real images, and how well supernets rank: one command for several nights.

    CAMBRIAN_DATA=... python benchmarks/supernets.py train --out runs/supernets [--share 1/2] [--hours 8]
        [--parts search rank ...] [--only darts gdas ...] [--toy]
    python benchmarks/supernets.py report runs/supernets

Parts, each of which is done for a first seed before any is for a second one:
  search  NAS-Bench-201's space on CIFAR-10 (JPEG-coded; 16 pixels, 4,000 images, 8 filters, a cell a
          stage) by every strategy that trains a supernet of it and by random search, all for the same
          processor seconds (600); the derived cell's test accuracy after 200 epochs is looked up in the table
  own     the same on the spaces of fabrics, SMASH, once-for-all, ENAS macro and MaskConnect, and on a user's
          function with `pick.module`: what is chosen is trained alone, beside random search
  rank    Kendall's tau of supernets of NAS-Bench-201 (3,600 s) on 500 cells, by three kinds of statistics
  pnas    50 cells of PNAS's space trained alone on Fashion-MNIST, and ranked by supernets

Each item leaves a small JSON file in OUT/rows when it is done, and is not done again: commit these, with
OUT/pace and OUT/setting.json, and go on elsewhere. Killed at any time, the same command goes on from the last
checkpoint in OUT/runs, which may be removed afterwards. `--share 2/3` does every third item from the second
on, so that processes and machines divide the work. How many epochs take the seconds is measured once for each
method, by two short searches, and kept in OUT/pace; rows say what was spent. What fails is told at the end,
kept in OUT/failed, and tried again the next time. `--toy` does everything in the smallest sizes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pnas_bench import read_share
from supernet_figures import print_report
from supernet_ranking import METHODS, make_field, rank, train_pnas_cell
from supernet_seconds import Processor, find_amount, read_seconds
from supernet_subjects import (
    RANDOM,
    TOY,
    Size,
    Subject,
    count_searching,
    list_subjects,
    make_search,
    train_alone,
)

from cambrian.errors import RunBusy
from cambrian.files import write_file
from cambrian.outcome import Done, Trial
from cambrian.search.result import Result

PARTS = ("search", "rank", "own", "pnas")
PACE_SEED = 1000
"""Of the searches that measure how long an epoch takes."""


@dataclass(frozen=True)
class Item:
    """A piece of work, whose row is what `run(out)` returns."""

    part: str
    space: str
    method: str
    seed: int
    run: Callable[[Path], dict[str, Any]]

    @property
    def name(self) -> str:
        return re.sub(r"[^\w.-]+", "-", f"{self.part}_{self.space}_{self.method}_{self.seed}").replace(
            "-_", "_"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.add_argument("--out", type=Path, default=Path("runs/supernets"))
    train.add_argument("--share", type=read_share, default=(0, 1), metavar="K/N")
    train.add_argument("--hours", type=float, default=float("inf"), help="begin no item after so long")
    train.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    train.add_argument("--only", nargs="+", help="methods, as darts, or spaces, as ofa")
    train.add_argument("--toy", action="store_true")
    for field in dataclasses.fields(Size):
        if field.name != "lengths":
            kind = float if "seconds" in field.name else int
            train.add_argument(f"--{field.name.replace('_', '-')}", type=kind)
    train.set_defaults(run=run_items)
    reporting = commands.add_parser("report")
    reporting.add_argument("out", type=Path)
    reporting.set_defaults(run=lambda asked: print_report(asked.out))
    asked = parser.parse_args()
    asked.run(asked)


def run_items(asked: argparse.Namespace) -> None:
    size = read_size(asked)
    hold_setting(asked.out, size)
    share, shares = asked.share
    items = [item for item in list_items(size) if item.part in asked.parts]
    if asked.only:
        items = [item for item in items if item.method in asked.only or item.space in asked.only]
    mine = items[share::shares]
    left = [item for item in mine if not place_row(asked.out, item).exists()]
    print(f"{len(mine) - len(left)} of {len(mine)} items are done", flush=True)
    began, failed = time.monotonic(), []
    for item in left:
        if time.monotonic() - began > 3600 * asked.hours:
            break
        if place_row(asked.out, item).exists():  # another process has done it since
            continue
        try:
            do_item(asked.out, item)
        except RunBusy:
            print(f"{item.name}: another process is at it", flush=True)
        except Exception:  # a night's other items are worth more than an early end
            failed.append(item.name)
            keep_failure(asked.out, item.name)
    if failed:
        raise SystemExit(f"failed, with reasons in {asked.out / 'failed'}: {', '.join(failed)}")


def read_size(asked: argparse.Namespace) -> Size:
    size = TOY if asked.toy else Size()
    given = {f.name: getattr(asked, f.name, None) for f in dataclasses.fields(Size)}
    return dataclasses.replace(size, **{name: value for name, value in given.items() if value is not None})


def hold_setting(out: Path, size: Size) -> None:
    """Every row of a folder is of one setting. How many seeds there are may change."""
    place, setting = out / "setting.json", dataclasses.asdict(size)
    for name in ("seeds", "ranking_seeds", "lengths"):
        del setting[name]
    if not place.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_file(place, json.dumps(setting, indent=1).encode())
    known = json.loads(place.read_bytes())
    other = [name for name in setting if known.get(name) != setting[name]]
    if other:
        raise SystemExit(f"{out} has rows of another setting ({', '.join(other)}): give another folder")


def list_items(size: Size) -> list[Item]:
    """All items in their order: seeds outside, so that what is cut short has something of everything."""
    items: list[Item] = []
    for seed in range(max(size.seeds, size.ranking_seeds)):
        if seed < size.seeds:
            items += list_searches("search", list_subjects(size)[:1], seed, size)
        if seed < size.ranking_seeds:
            items += list_rankings("rank", "nb201", seed, size)
        if seed < size.seeds:
            items += list_searches("own", list_subjects(size)[1:], seed, size)
        if seed == 0:
            alone = lambda number, out: train_pnas_cell(number, size)  # noqa: E731
            items += [Item("pnas", "pnas", "alone", n, partial(alone, n)) for n in range(size.pnas_cells)]
        if seed < size.ranking_seeds:
            items += list_rankings("pnas", "pnas", seed, size)
    return items


def list_searches(part: str, subjects: Sequence[Subject], seed: int, size: Size) -> Iterator[Item]:
    for subject in subjects:
        for method in subject.methods:
            run = partial(run_search, subject, method, seed, size)
            yield Item(part, subject.name, method, seed, run)


def list_rankings(part: str, field: str, seed: int, size: Size) -> Iterator[Item]:
    for method in METHODS:
        run = partial(run_ranking, f"{part}_{field}_{method}_{seed}", field, method, seed, size)
        yield Item(part, field, method, seed, run)


def place_row(out: Path, item: Item) -> Path:
    return out / "rows" / f"{item.name}.json"


def do_item(out: Path, item: Item) -> None:
    began = time.monotonic()
    about = {"part": item.part, "space": item.space, "method": item.method, "seed": item.seed}
    row = about | item.run(out) | {"wall": round(time.monotonic() - began, 1)}
    place = place_row(out, item)
    place.parent.mkdir(exist_ok=True)
    write_file(place, json.dumps(row).encode())
    (out / "failed" / f"{item.name}.txt").unlink(missing_ok=True)
    shown = {k: v for k, v in row.items() if k in ("test", "shared", "alone", "amount", "seconds", "epochs")}
    print(item.name, json.dumps(shown), flush=True)


def keep_failure(out: Path, name: str) -> None:
    text = traceback.format_exc()
    print(f"{name} failed: {text.splitlines()[-1]}", flush=True)
    (out / "failed").mkdir(exist_ok=True)
    write_file(out / "failed" / f"{name}.txt", text.encode())


# The searches


def run_search(subject: Subject, method: str, seed: int, size: Size, out: Path) -> dict[str, Any]:
    label = re.sub(r"[^\w.-]+", "-", f"{subject.name}-{method}").strip("-")
    lengths = (2, 4) if method == RANDOM else size.lengths
    measure = partial(measure_search, subject, method, size)
    amount = find_amount(out / "pace" / f"{label}.json", size.seconds, measure, lengths)
    result, seconds = search(subject, method, seed, amount, size, out / "runs" / f"{label}-{seed}")
    return {"amount": amount, "seconds": round(seconds, 1), **describe_choice(subject, result, seed, size)}


def search(
    subject: Subject, method: str, seed: int, amount: int, size: Size, run: Path
) -> tuple[Result, float]:
    """The finished run, and the processor seconds until an architecture was chosen."""
    watch = Processor(run / "processor.jsonl")
    result = make_search(subject, method, seed, amount, size).run(run, watch)
    return result, count_searching(result, read_seconds(run / "processor.jsonl"))


def measure_search(subject: Subject, method: str, size: Size, amount: int) -> float:
    with TemporaryDirectory() as place:
        return search(subject, method, PACE_SEED, amount, size, Path(place) / "run")[1]


def describe_choice(subject: Subject, result: Result, seed: int, size: Size) -> dict[str, Any]:
    """What the search chose: by its gates, or by the best score."""
    supernets = [t for t in result.trials if t.kind == "supernet" and isinstance(t.outcome, Done)]
    derived = [t for t in result.trials if "shared" in t.reason]
    scored = [t for t in result.trials if t.kind == "trial" and t.value is not None]
    chosen: Trial = derived[-1] if derived else max(scored, key=lambda t: (t.value or 0.0, -t.number))
    row: dict[str, Any] = {"chosen": dict(chosen.architecture), "scored": len(scored)}
    if derived:
        row |= {"shared": chosen.reason["shared"], "alone": chosen.value}
    elif supernets:
        row |= {"shared": chosen.value, "alone": train_alone(subject, chosen.architecture, seed, size)}
    else:
        row |= {"alone": chosen.value}
    if supernets:
        row |= describe_supernet(supernets[-1])
    if subject.truth is not None:
        answers = list(chosen.architecture.values())
        row |= {"test": subject.truth(chosen.architecture), "skips": answers.count("skip_connect")}
    return row


def describe_supernet(supernet: Trial) -> dict[str, Any]:
    """How long its training was, and whether it collapsed."""
    assert isinstance(supernet.outcome, Done)
    facts: dict[str, Any] = {"epochs": supernet.outcome.metrics.get("epochs", supernet.fidelity.epochs)}
    collapse = supernet.outcome.data.get("collapse")
    return facts | ({"collapse": collapse} if collapse else {})


# The rankings


def run_ranking(name: str, field: str, method: str, seed: int, size: Size, out: Path) -> dict[str, Any]:
    return rank(make_field(field, size), method, seed, size, out, out / "runs" / name)


if __name__ == "__main__":
    main()
