"""The class of each pixel: the default of a time against what it was before, and against a U-Net by hand.

    python benchmarks/segmentation.py --out runs/segmentation --budget 12m --seeds 2 --core 0

For each data set and seed, three processes start together, on one core that they share, so that each gets as
much processor time as the others, whatever else the machine does (it is measured and printed):

    default   cambrian search DATA --budget T
    before    the same with --space fabric --strategy bayes --augment-strength 0, the default of earlier versions
    by-hand   the same with --entrants unet: the U-Net of the portfolio alone, trained by the same recipe

Two data sets are made, and nobody labelled either: `shapes` are discs, squares, triangles and rings on noise,
which may cover each other, all of any colour; `clothes` are one or two items of Fashion-MNIST, tinted, scaled
and pasted on photographs (--photographs, any data of images, such as a part of CIFAR-10), where an item's class
is that of its pixels above a threshold. Both have 48 pixels a side.

Finished runs are not run again. Prints the test part's mean intersection over union of each, and for each pair
the mean difference.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cambrian

SIDE = 48
PARTS = {"shapes": (800, 400), "clothes": (2400, 800)}
"""Images of the training and of the test part."""
VARIANTS = {
    "default": [],
    "before": ["--space", "fabric", "--strategy", "bayes", "--augment-strength", "0"],
    "by-hand": ["--entrants", "unet"],
}
SHAPES = ("ground", "disc", "square", "triangle", "ring")
Array = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--photographs", type=Path, default=Path("cifar10"))
    parser.add_argument("--budget", default="12m")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--core", default="0")
    parser.add_argument("--out", type=Path, default=Path("runs/segmentation"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.data:
        file = arguments.out / f"{name}.npz"
        if not file.exists():
            make_data(name, arguments.photographs, file)
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        rows = [run_beside(file, seed, arguments) for seed in seeds]
        report(name, rows)


def run_beside(file: Path, seed: int, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The outcomes of all variants; measured or read back."""
    results: dict[str, dict[str, float]] = {}
    place = arguments.out / f"{file.stem}-{arguments.budget}"
    place.mkdir(exist_ok=True)
    running = {}
    for variant, options in VARIANTS.items():
        known = place / f"{variant}-{seed}.json"
        if known.exists():
            results[variant] = json.loads(known.read_text())
            continue
        command = ["taskset", "-c", arguments.core, sys.executable, "-m", "cambrian", "search", str(file)]
        command += ["--budget", arguments.budget, "--workers", "1", "--seed", str(seed), "--json"]
        command += ["--run", str(place / f"{variant}-{seed}"), *options]
        output, log = (known.with_suffix(end).open("w") for end in (".out", ".log"))
        running[variant] = subprocess.Popen(command, stdout=output, stderr=log)
    while running:
        pid, status, usage = os.wait4(-1, 0)
        variant = next(name for name, process in running.items() if process.pid == pid)
        known = place / f"{variant}-{seed}.json"
        running.pop(variant).returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"the search failed: its messages are in {known.with_suffix('.log')}")
        metrics = json.loads(known.with_suffix(".out").read_text())["winner"]["metrics"]
        spent = usage.ru_utime + usage.ru_stime  # of the process and those that it waited for
        results[variant] = {"miou": 100 * metrics["test_miou"], "params": metrics["params"], "cpu": spent}
        known.write_text(json.dumps(results[variant]) + "\n")
    return {variant: results[variant] for variant in VARIANTS}


def report(name: str, rows: list[dict[str, dict[str, float]]]) -> None:
    for variant in VARIANTS:
        each = [row[variant] for row in rows]
        values = ", ".join(f"{r['miou']:.2f} ({r['params']:,.0f} parameters, {r['cpu']:.0f} s)" for r in each)
        print(f"{name}: {variant:8} {statistics.mean(r['miou'] for r in each):.2f}: {values}")
    for other in ("before", "by-hand"):
        differences = [row["default"]["miou"] - row[other]["miou"] for row in rows]
        print(f"{name}: default less {other} {statistics.mean(differences):+.2f}: {differences}", flush=True)


def make_data(name: str, photographs: Path, file: Path) -> None:
    parts = {}
    for seed, (part, count) in enumerate(zip(("train", "test"), PARTS[name], strict=True)):
        rng = np.random.default_rng(seed)
        if name == "shapes":
            images, masks = draw_shapes(count, rng)
            names: tuple[str, ...] = SHAPES
        else:
            images, masks, names = compose_clothes(count, rng, part, photographs)
        parts |= {f"x_{part}": images, f"y_{part}": masks}
    np.savez(file, **parts, names=np.array(names))


def draw_shapes(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """[count, SIDE, SIDE, 3] and the classes of the pixels."""
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    for n in range(count):
        picture = rng.uniform(40, 215, 3) + 12 * rng.standard_normal((SIDE, SIDE, 1))
        for _ in range(rng.integers(1, 4)):
            radius, kind = rng.uniform(5, 11), int(rng.integers(1, 5))
            dy, dx = (axis - rng.uniform(radius, SIDE - radius) for axis in (y, x))
            distance = np.hypot(dy, dx)
            inside = {
                1: distance < radius,
                2: np.maximum(abs(dy), abs(dx)) < 0.85 * radius,
                3: (dy < 0.7 * radius) & (2 * abs(dx) < dy + radius),
                4: (distance < radius) & (distance > 0.55 * radius),
            }[kind]
            picture[inside] = rng.uniform(20, 235, 3)
            masks[n][inside] = kind
        noisy = picture + 18 * rng.standard_normal((SIDE, SIDE, 3))
        images[n] = np.clip(noisy, 0, 255)
    return images, masks


def compose_clothes(
    count: int, rng: np.random.Generator, part: str, photographs: Path
) -> tuple[Array, Array, tuple[str, ...]]:
    """The same of clothes, of the `part` of Fashion-MNIST, on photographs."""
    task = cambrian.load("fashion-mnist")
    items = task.test if part == "test" else task.train
    grounds = cambrian.load(photographs).inputs
    # The two parts have different photographs, too.
    grounds = grounds[len(grounds) // 2 :] if part == "test" else grounds[: len(grounds) // 2]
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for n in range(count):
        picture = resize(grounds[rng.integers(len(grounds))], SIDE).astype(float)
        for _ in range(rng.integers(1, 3)):
            which, side = int(rng.choice(items)), int(rng.integers(20, 34))
            item = resize(task.inputs[which][..., 0], side).astype(float)
            top, left = rng.integers(0, SIDE - side + 1, 2)
            place = (slice(top, top + side), slice(left, left + side))
            inside = item > 30
            picture[place][inside] = item[inside, None] * rng.uniform(0.5, 1.0, 3)
            masks[n][place][inside] = 1 + task.targets[which]
        images[n] = np.clip(picture, 0, 255)
    return images, masks, ("ground", *task.labels)


def resize(image: Array, side: int) -> Array:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
