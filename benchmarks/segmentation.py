"""The class of each pixel: the default of a time against what it was before, and against a U-Net by hand.

    python benchmarks/segmentation.py --budget 4m --seeds 2 --photographs cifar10_test.npz

For each data set and seed a search of each of these, one after the other, on one core:

    default   cambrian search DATA --budget T
    before    with --space fabric --strategy bayes --augment-strength 0, the default of earlier versions
    sgd       with --optimiser sgd, the default's until it was muon
    by-hand   with --entrants unet: the U-Net of the portfolio alone, trained by the same recipe

The clock of each is the processor time of its own process, so that all get the same, whatever else the
machine does.

Two data sets are made, and nobody labelled either: `shapes` are discs, squares, triangles and rings on noise,
which may cover each other, all of any colour; `clothes` are one or two items of Fashion-MNIST, tinted, scaled
and pasted on photographs (--photographs, any data of images, such as a part of CIFAR-10), where an item's
class is that of its pixels above a threshold. Both have 48 pixels a side.

One is real: `nuclei` are 64 tiles of 64 pixels a side of a fluorescence micrograph of cells (2018 Data
Science Bowl, Caicedo et al. 2019), in which people have drawn 125 nuclei; their pixels are of the class
`edge` where another one or the ground begins. A quarter of the tiles, the right side of the picture, is the
test part. The picture lies in stardist's wheel, of which nothing else is used (--nuclei, got by
`pip download --no-deps stardist==0.9.2`).

Finished searches are not run again. Prints the test part's mean intersection over union of each, and the mean
differences over the seeds for which there are both.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cambrian
from cambrian.search.planning.preset import cost
from cambrian.search.planning.race import speed as race_speed

SIDE = 48
PARTS = {"shapes": (800, 400), "clothes": (2400, 800)}
"""Images of the training and of the test part."""
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "by-hand": {"changes": {"entrants": "unet"}},
    "sgd": {"recipe": {"optimiser": "sgd"}},
    "before": {"space": "fabric", "strategy": "bayes", "recipe": {"augment_strength": 0.0}},
}
MADE = tuple(PARTS)
NUCLEI, TILE = ("ground", "nucleus", "edge"), 64
SHAPES = ("ground", "disc", "square", "triangle", "ring")
Array = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=[*MADE, "nuclei"], default=list(MADE))
    parser.add_argument("--photographs", type=Path, default=Path("cifar10_test.npz"))
    parser.add_argument("--nuclei", type=Path, help="stardist's wheel")
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("runs/segmentation"))
    parser.add_argument("--one", nargs=3, metavar=("FILE", "VARIANT", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        search(*arguments.one, arguments.budget)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.data:
        file = arguments.out / f"{name}.npz"
        if not file.exists() and name == "nuclei":
            if arguments.nuclei is None:
                parser.error("--nuclei WHEEL is needed: pip download --no-deps stardist==0.9.2")
            np.savez(file, **cut_nuclei(arguments.nuclei))
        elif not file.exists():
            make_data(name, arguments.photographs, file)
    results = [
        (name, variant, read_or_search(arguments, name, variant, seed))
        for seed in range(arguments.seeds)
        for name in arguments.data
        for variant in arguments.variants
    ]
    for name in arguments.data:
        report(name, {v: [r for n, w, r in results if (n, w) == (name, v)] for v in arguments.variants})


def read_or_search(arguments: argparse.Namespace, name: str, variant: str, seed: int) -> dict[str, float]:
    """The outcome of one search, in a process of its own; measured or read back."""
    known = arguments.out / f"{name}-{arguments.budget}-{variant}-{seed}.json"
    if not known.exists():
        file = str(arguments.out / f"{name}.npz")
        command = [sys.executable, __file__, "--budget", arguments.budget, "--one", file, variant, str(seed)]
        known.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    outcome: dict[str, float] = json.loads(known.read_text().strip().rpartition("\n")[2])
    print(known.stem, outcome, flush=True)
    return outcome


def search(file: str, variant: str, seed: str, budget: str) -> None:
    """One search by the clock of its process; prints its outcome."""
    time.monotonic = time.perf_counter = time.process_time
    # Speeds are measured in children, whose time would not count before they end.
    race_speed.call_each = cost.call_each = lambda jobs, at_once, seconds: [job() for job in jobs]
    planned = cambrian.plan(
        cambrian.load(file),
        budget,
        workers=1,
        device="cpu",
        seed=int(seed),
        baselines=(),
        **VARIANTS[variant],
    )
    for label, text in planned.rows:
        print(label, text)
    with tempfile.TemporaryDirectory() as place:
        winner = planned.run(place, quiet=True).winner
        assert winner is not None
        assert isinstance(winner.outcome, cambrian.Done)
        metrics = winner.outcome.metrics
    names = ("test_miou", "test_pixel_accuracy", "params", "steps")
    outcome = {name: metrics[name] for name in names if name in metrics}
    print(json.dumps({**outcome, "seconds": time.process_time()}))


def report(name: str, results: dict[str, list[dict[str, float]]]) -> None:
    values = {variant: [100 * each["test_miou"] for each in rows] for variant, rows in results.items()}
    for variant, each in values.items():
        print(f"{name}: {variant:8} {statistics.mean(each):6.2f}: {', '.join(f'{v:.2f}' for v in each)}")
    for other in values.keys() - {"default"} if "default" in values else ():
        differences = [a - b for a, b in zip(values["default"], values[other], strict=True)]
        print(f"{name}: default less {other}: {statistics.mean(differences):+.2f}")


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


def cut_nuclei(wheel: Path) -> dict[str, Array]:
    """The tiles of the micrograph and the classes of their pixels; the right quarter is the test part."""
    with zipfile.ZipFile(wheel) as files:
        picture, drawn = (
            np.asarray(Image.open(io.BytesIO(files.read(f"stardist/data/images/{name}.tif"))))
            for name in ("img2d", "mask2d")
        )
    masks = (drawn > 0).astype(np.uint8)
    around = np.pad(drawn, 1, mode="edge")
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = around[dy : dy + drawn.shape[0], dx : dx + drawn.shape[1]]
        masks[(drawn > 0) & (beside != drawn)] = 2
    tiles = [cut_tiles(picture.astype(np.uint8)), cut_tiles(masks)]  # its values are below 256
    column = np.arange(len(tiles[0])) % (picture.shape[1] // TILE)
    right = column >= 3 * picture.shape[1] // TILE // 4
    parts = {"x_train": tiles[0][~right, ..., None], "y_train": tiles[1][~right]}
    return parts | {
        "x_test": tiles[0][right, ..., None],
        "y_test": tiles[1][right],
        "names": np.array(NUCLEI),
    }


def cut_tiles(picture: Array) -> Array:
    """[n, TILE, TILE], row by row."""
    rows, columns = (side // TILE for side in picture.shape)
    cut = picture.reshape(rows, TILE, columns, TILE).swapaxes(1, 2)
    return cut.reshape(rows * columns, TILE, TILE)


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
