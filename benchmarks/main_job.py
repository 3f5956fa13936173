"""The main job against a network trained by hand in the same time: side by side, one core each.

    python benchmarks/main_job.py DATA.npz --budget 8m --seeds 5
    python benchmarks/main_job.py DATA.npz --budget 8m --seeds 3 --beside portfolio
    python benchmarks/main_job.py DATA.npz --budget 8m --seeds 3 --variant two-cores

For each seed, two processes start together: `cambrian search DATA.npz --budget T --workers 1`, and the script
that a competent person would write (`by_hand.py DATA.npz --seconds T --threads 1 ...`, or another one,
`--by-hand SCRIPT`, which prints `test=PERCENT` last). Each is bound to a core of its own, and the cores are
swapped from seed to seed, so that both suffer the same noise. DATA.npz holds uint8 x_train [n, h, w, c],
y_train, x_test, y_test.

Without `--arch`, the network by hand is chosen first, once for the data and the time: the `--candidates` (by
default both kinds in three widths) are trained so on four fifths of the training images, two at a time, and
the best on the last fifth is taken.

What is gained by which part: `--beside portfolio` has the same search without the choice on the other core
(the favourite alone is trained), `--beside random` one that races random architectures instead of the
portfolio. `--variant two-cores` gives the search both cores, and is compared with the search on one core of
the same seed, which has to be measured first.

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

from cambrian.cli.options.numbers import seconds_of

KINDS, WIDTHS = ("resnet", "cnn"), (8, 16, 32)
CANDIDATES = tuple(f"{kind}-{width}" for kind in KINDS for width in WIDTHS)
BY_HAND = "by hand"
VARIANTS = {
    "ours": [],
    "portfolio": ["--entrants", "1"],
    "random": ["--entrants", "random"],
    "two-cores": [],
}
"""What is searched, with its options beside the data, the budget and the seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", default="8m")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--by-hand", type=Path, default=Path(__file__).parent / "by_hand.py")
    parser.add_argument("--arch", choices=KINDS)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument(
        "--candidates", nargs="+", choices=CANDIDATES, default=CANDIDATES, metavar="KIND-WIDTH"
    )
    parser.add_argument("--no-flip", action="store_true", help="for the network by hand")
    parser.add_argument("--variant", choices=VARIANTS, default="ours")
    parser.add_argument("--beside", choices=("portfolio", "random"), help="instead of the network by hand")
    parser.add_argument("--out", type=Path, default=Path("runs/main_job"))
    arguments = parser.parse_args()
    place = arguments.out / f"{arguments.data.stem}-{arguments.budget}"
    place.mkdir(parents=True, exist_ok=True)
    rival = "one core" if arguments.variant == "two-cores" else arguments.beside or BY_HAND
    if rival == BY_HAND and arguments.arch is None:
        arguments.arch, arguments.width = choose_by_hand(arguments, place)
    pairs = []
    for seed in range(arguments.seeds):
        pairs.append(measure_pair(arguments, place, seed, rival))
        print(describe_pair(seed, pairs[-1], rival), flush=True)
    report(pairs, rival)


def choose_by_hand(arguments: argparse.Namespace, place: Path) -> tuple[str, int]:
    """The kind and the width that are best on held-out training images, measured or read back."""
    held = hold_out(arguments.data, place / "held-out.npz")
    candidates = list(arguments.candidates)
    for start in range(0, len(candidates), 2):
        trainings = {
            file: train_by_hand(arguments, held, 0, core, candidate)
            for core, candidate in enumerate(candidates[start : start + 2])
            if not (file := place / f"choice-{candidate}.txt").exists()
        }
        for file, training in trainings.items():
            file.write_text(training.communicate()[0].strip().splitlines()[-1])
    scores = {each: read_by_hand((place / f"choice-{each}.txt").read_text())["test"] for each in candidates}
    texts = (f"{candidate}: {score:.2f}" for candidate, score in scores.items())
    print(f"by hand, on held-out images: {', '.join(texts)}", flush=True)
    kind, width = max(scores, key=lambda each: scores[each]).split("-")
    return kind, int(width)


def hold_out(data: Path, file: Path) -> Path:
    """The training images in two parts, of which the second, every fifth image, stands in for the test."""
    if not file.exists():
        with np.load(data) as arrays:
            images, labels = arrays["x_train"], arrays["y_train"]
        last = np.arange(len(images)) % 5 == 4
        parts = {"x_train": images[~last], "y_train": labels[~last]}
        np.savez(file, **parts, x_test=images[last], y_test=labels[last])
    return file


def measure_pair(arguments: argparse.Namespace, place: Path, seed: int, rival: str) -> dict[str, Any]:
    """The outcome of the search and of what ran beside it, `beside`; measured or read back."""
    name = arguments.variant if rival in (BY_HAND, "one core") else f"{arguments.variant}-beside-{rival}"
    file = place / f"{name}-{seed}.json"
    if file.exists():
        return read_pair(arguments, file, rival)
    one_core = read_one_core(place, seed) if rival == "one core" else None
    core = seed % 2
    cores = "0,1" if one_core else str(core)
    began = time.monotonic()
    searching = start_search(arguments, place / f"{name}-{seed}", seed, cores, arguments.variant)
    other = None
    if rival == BY_HAND:
        other = train_by_hand(
            arguments, arguments.data, seed, 1 - core, f"{arguments.arch}-{arguments.width}"
        )
    elif one_core is None:
        other = start_search(arguments, place / f"{name}-{seed}-{rival}", seed, str(1 - core), rival)
    pair = read_search(searching) | {"wall": time.monotonic() - began, "cores": cores}
    if other is None:
        pair["beside"] = one_core
    else:
        pair["beside"] = read_by_hand(other.communicate()[0]) if rival == BY_HAND else read_search(other)
    pair["load"] = os.getloadavg()[0]
    file.write_text(json.dumps(pair) + "\n")
    return pair


def read_pair(arguments: argparse.Namespace, file: Path, rival: str) -> dict[str, Any]:
    """A pair that was measured before, beside the same network by hand."""
    pair = dict(json.loads(file.read_text()))
    asked = f"{arguments.arch} width={arguments.width} "
    if rival == BY_HAND and not pair["beside"]["line"].startswith(asked):
        raise SystemExit(f"{file} was measured beside another network by hand: {pair['beside']['line']!r}")
    return pair


def read_one_core(place: Path, seed: int) -> dict[str, Any]:
    """The search on one core, whatever it was measured beside."""
    names = ("ours", "ours-beside-portfolio", "ours-beside-random")
    files = [place / f"{name}-{seed}.json" for name in names]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise SystemExit(
            f"two cores are compared with one: measure seed {seed} on one core first, in {place}"
        )
    return {"test": json.loads(file.read_text())["test"]}


def start_search(
    arguments: argparse.Namespace, run: Path, seed: int, cores: str, variant: str
) -> subprocess.Popen[str]:
    workers = str(len(cores.split(",")))
    command = ["taskset", "-c", cores, sys.executable, "-m", "cambrian", "search", str(arguments.data)]
    command += ["--budget", arguments.budget, "--workers", workers, "--seed", str(seed), "--json"]
    command += ["--run", str(run), *VARIANTS[variant]]
    log = run.with_suffix(".log").open("w")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)


def train_by_hand(
    arguments: argparse.Namespace, data: Path, seed: int, core: int, candidate: str
) -> subprocess.Popen[str]:
    kind, width = candidate.split("-")
    command = ["taskset", "-c", str(core), sys.executable, str(arguments.by_hand), str(data)]
    command += ["--seconds", str(seconds_of(arguments.budget)), "--threads", "1", "--seed", str(seed)]
    command += ["--arch", kind, "--width", width]
    command += ["--no-flip"] if arguments.no_flip else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_by_hand(text: str) -> dict[str, Any]:
    line = text.strip().rpartition("\n")[2]
    match = re.search(r"test=([\d.]+)", line)
    if match is None:
        raise SystemExit(f"the script by hand printed no test=PERCENT: {line!r}")
    return {"test": float(match[1]), "line": line}


def read_search(searching: subprocess.Popen[str]) -> dict[str, Any]:
    text = searching.communicate()[0]
    if searching.returncode:
        raise SystemExit(f"the search failed: {searching.args!r}; its messages are in its .log")
    found = json.loads(text)
    metrics = found["winner"]["metrics"]
    names = ("params", "macs", "epochs", "steps")
    return {"test": 100 * metrics["test_accuracy"], "trials": found["trials"]} | {
        name: metrics[name] for name in names if name in metrics
    }


def describe_pair(seed: int, pair: dict[str, Any], rival: str) -> str:
    found, beside = pair["test"], pair["beside"]["test"]
    network = f"{pair['params']:,.0f} parameters, {pair['trials']} trials, {pair['wall']:.0f} s"
    return f"seed {seed}: found {found:.2f} ({network}), {rival} {beside:.2f}: {found - beside:+.2f}"


def report(pairs: list[dict[str, Any]], rival: str) -> None:
    """The paired difference, with its interval where there are two pairs or more."""
    differences = [pair["test"] - pair["beside"]["test"] for pair in pairs]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        print(f"difference {mean:+.2f}; one pair has no interval")
        return
    error = statistics.stdev(differences) / len(differences) ** 0.5
    half = float(student.ppf(0.975, len(differences) - 1)) * error
    found, beside = (
        statistics.mean(each) for each in zip(*((p["test"], p["beside"]["test"]) for p in pairs))
    )
    interval = f"95 % from {mean - half:+.2f} to {mean + half:+.2f}"
    print(f"found {found:.2f}, {rival} {beside:.2f}: {mean:+.2f}, {interval}")


if __name__ == "__main__":
    main()
