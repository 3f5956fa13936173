"""The main job against a network trained by hand in the same time: side by side, one core each.

    python benchmarks/main_job.py DATA.npz --budget 8m --seeds 5 --by-hand BY_HAND.py

For each seed, two processes start together: `cambrian search DATA.npz --budget T --workers 1`, and the script
that a competent person would write (`BY_HAND.py DATA.npz --seconds T --threads 1 ...`, which prints
`test=PERCENT` last). Each is bound to a core of its own, and the cores are swapped from seed to seed, so that
both suffer the same noise. DATA.npz holds uint8 x_train [n, h, w, c], y_train, x_test, y_test.

Without `--arch`, the network by hand is chosen first, once for the data and the time: both kinds in three
widths are trained so on four fifths of the training images, two at a time, and the best on the last fifth is
taken.

`--variant portfolio` leaves the choice out (the favourite alone is trained), `--variant random` races random
architectures instead of the portfolio: what is gained by which part. `--variant two-cores` gives the search
both cores, and trains nothing beside it.

A pair that is finished is not run again: with more --seeds, the same command goes on. Prints each pair, the
mean of the paired difference in test accuracy, and its 95 % interval by Student's t.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from cambrian.cli.numbers import seconds_of

KINDS, WIDTHS = ("resnet", "cnn"), (8, 16, 32)
VARIANTS = ("ours", "portfolio", "random", "two-cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", default="8m")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--by-hand", type=Path, required=True)
    parser.add_argument("--arch", choices=KINDS)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--no-flip", action="store_true", help="for the network by hand")
    parser.add_argument("--variant", choices=VARIANTS, default="ours")
    parser.add_argument("--out", type=Path, default=Path("runs/main_job"))
    arguments = parser.parse_args()
    place = arguments.out / f"{arguments.data.stem}-{arguments.budget}"
    if arguments.arch is None:
        arguments.arch, arguments.width = choose_by_hand(arguments, place)
    pairs = []
    for seed in range(arguments.seeds):
        pairs.append(measure_pair(arguments, place, seed))
        print(describe_pair(seed, pairs[-1]), flush=True)
    report(pairs)


def choose_by_hand(arguments: argparse.Namespace, place: Path) -> tuple[str, int]:
    """The kind and the width that are best on held-out training images, measured or read back."""
    place.mkdir(parents=True, exist_ok=True)
    held = hold_out(arguments.data, place / "held-out.npz")
    candidates = [(kind, width) for kind in KINDS for width in WIDTHS]
    for pair in zip(candidates[::2], candidates[1::2], strict=True):
        trainings = {
            file: train_by_hand(arguments, held, 0, core, kind, width)
            for core, (kind, width) in enumerate(pair)
            if not (file := place / f"choice-{kind}-{width}.txt").exists()
        }
        for file, training in trainings.items():
            file.write_text(training.communicate()[0].strip().splitlines()[-1])
    scores = {each: read_by_hand(place / f"choice-{each[0]}-{each[1]}.txt")["test"] for each in candidates}
    texts = (f"{kind} {width}: {score:.2f}" for (kind, width), score in scores.items())
    print(f"by hand, on held-out images: {', '.join(texts)}", flush=True)
    return max(scores, key=lambda each: scores[each])


def hold_out(data: Path, file: Path) -> Path:
    """The training images in two parts, of which the second, every fifth image, stands in for the test."""
    if not file.exists():
        with np.load(data) as arrays:
            images, labels = arrays["x_train"], arrays["y_train"]
        last = np.arange(len(images)) % 5 == 4
        parts = {"x_train": images[~last], "y_train": labels[~last]}
        np.savez(file, **parts, x_test=images[last], y_test=labels[last])
    return file


def measure_pair(arguments: argparse.Namespace, place: Path, seed: int) -> dict[str, Any]:
    """The outcome of both processes, measured or read back."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{arguments.variant}-{seed}.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    cores = (seed % 2, 1 - seed % 2)
    began = time.monotonic()
    searching = start_search(arguments, place, seed, cores[0])
    alone = arguments.variant == "two-cores"
    training = (
        None
        if alone
        else train_by_hand(arguments, arguments.data, seed, cores[1], arguments.arch, arguments.width)
    )
    found = searching.communicate()[0]
    wall = time.monotonic() - began
    if searching.returncode:
        raise SystemExit(f"the search of seed {seed} failed: see {place / f'{arguments.variant}-{seed}.log'}")
    by_hand = place / f"hand-{seed}.txt"
    if training is not None:
        by_hand.write_text(training.communicate()[0].strip().splitlines()[-1])
    hand = read_by_hand(by_hand)
    pair = read_search(found) | {"wall": wall, "hand": hand, "cores": cores, "load": os.getloadavg()[0]}
    file.write_text(json.dumps(pair))
    return pair


def start_search(arguments: argparse.Namespace, place: Path, seed: int, core: int) -> subprocess.Popen[str]:
    cores, workers = ("0,1", "2") if arguments.variant == "two-cores" else (str(core), "1")
    run = place / f"{arguments.variant}-run-{seed}"
    command = ["taskset", "-c", cores, sys.executable, "-m", "cambrian", "search", str(arguments.data)]
    command += ["--budget", arguments.budget, "--workers", workers, "--seed", str(seed), "--json"]
    command += ["--run", str(run), *list_variant_options(arguments.variant)]
    log = (place / f"{arguments.variant}-{seed}.log").open("w")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)


def list_variant_options(variant: str) -> list[str]:
    return {"portfolio": ["--entrants", "1"], "random": ["--entrants", "random"]}.get(variant, [])


def train_by_hand(
    arguments: argparse.Namespace, data: Path, seed: int, core: int, kind: str, width: int
) -> subprocess.Popen[str]:
    command = ["taskset", "-c", str(core), sys.executable, str(arguments.by_hand), str(data)]
    command += ["--seconds", str(seconds_of(arguments.budget)), "--threads", "1", "--seed", str(seed)]
    command += ["--arch", kind, "--width", str(width)]
    command += ["--no-flip"] if arguments.no_flip else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_by_hand(file: Path) -> dict[str, Any]:
    line = file.read_text()
    match = re.search(r"test=([\d.]+)", line)
    if match is None:
        raise SystemExit(f"the script by hand printed no test=PERCENT: {line!r}")
    return {"test": float(match[1]), "line": line}


def read_search(text: str) -> dict[str, Any]:
    found = json.loads(text)
    metrics = found["winner"]["metrics"]
    trials = found["trials"]
    names = ("test_accuracy", "params", "macs", "epochs", "steps")
    return {"test": 100 * metrics["test_accuracy"], "trials": trials} | {
        name: metrics[name] for name in names if name in metrics
    }


def describe_pair(seed: int, pair: dict[str, Any]) -> str:
    found, hand = pair["test"], pair["hand"]["test"]
    network = f"{pair['params']:,.0f} parameters, {pair['trials']} trials, {pair['wall']:.0f} s"
    return f"seed {seed}: found {found:.2f} ({network}), by hand {hand:.2f}: {found - hand:+.2f}"


def report(pairs: list[dict[str, Any]]) -> None:
    """The paired difference, with its interval where there are two pairs or more."""
    differences = [pair["test"] - pair["hand"]["test"] for pair in pairs]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        print(f"difference {mean:+.2f}; one pair has no interval")
        return
    error = statistics.stdev(differences) / len(differences) ** 0.5
    half = float(student.ppf(0.975, len(differences) - 1)) * error
    found, hand = (statistics.mean(each) for each in zip(*((p["test"], p["hand"]["test"]) for p in pairs)))
    interval = f"95 % from {mean - half:+.2f} to {mean + half:+.2f}"
    print(f"found {found:.2f}, by hand {hand:.2f}: {mean:+.2f}, {interval}")


if __name__ == "__main__":
    main()
