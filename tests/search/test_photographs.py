"""A search as a user runs it: a folder of photographs of the usual size, a budget of minutes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

SIDE = 224
KINDS = ("discs", "bars", "rings")


def photograph(kind: str, seed: int) -> Image.Image:
    """A lit, noisy, softened background with a few objects of the kind, of any colour and size."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    light = np.linspace(*rng.uniform(30, 150, 2), SIDE)[:, None, None] * rng.uniform(0.6, 1.2, 3)
    noise = rng.normal(0, 12, (SIDE, SIDE, 3))
    ground = np.clip(np.broadcast_to(light, noise.shape) + noise, 0, 255).astype(np.uint8)
    image = Image.fromarray(ground)
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 5)):
        x, y, r = rng.integers(30, SIDE - 30), rng.integers(30, SIDE - 30), rng.integers(15, 40)
        colour = tuple(int(c) for c in rng.integers(120, 256, 3))
        if kind == "discs":
            pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        elif kind == "rings":
            pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=4)
        else:
            pen.rectangle((x - 5, y - 2 * r, x + 5, y + 2 * r), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(1.0))


@pytest.mark.slow
def test_a_folder_of_photographs_within_its_budget(tmp_path: Path) -> None:
    """Three kinds of forty JPEGs of 224 x 224 pixels: within eight minutes there is a trained network that
    knows them better than chance, and the command ends within its budget and what starting it takes."""
    for kind in KINDS:
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for n in range(40):
            photograph(kind, n).save(tmp_path / "photos" / kind / f"{n}.jpg", quality=90)
    command = [
        sys.executable,
        "-m",
        "cambrian",
        "search",
        "photos",
        "--budget",
        "8m",
        "--run",
        "run",
        "--json",
    ]
    began = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-1000:]
    facts = json.loads(done.stdout)
    assert facts["failed"] == 0
    assert facts["winner"]["metrics"]["test_accuracy"] > 0.5
    assert took < 8 * 60 * 1.05 + 20, f"{took:.0f} s"
