"""Common corruptions of images (Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019, arXiv 1903.12261, Sec. 3): 15 kinds in five severities, with the
constants of CIFAR-10-C.

Lengths in pixels grow with the image's side, but for the flakes of snow and the squares of JPEG. Noise,
flakes and waves are drawn from the seed, the kind and the severity. Three kinds are near the published ones
and not the same: frost is drawn and no photograph, motion is a blur along a line instead of ImageMagick's,
and behind glass pixels are exchanged, as the paper says, where the published program copies one over the
other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.networks.robustness import blurs, digital, noise, weather
from cambrian.randomness import stream

SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTIONS: dict[str, Callable[[Any, int, np.random.Generator], NDArray[Any]]] = {
    "gaussian-noise": noise.add_gaussian_noise,
    "shot-noise": noise.add_shot_noise,
    "impulse-noise": noise.add_impulse_noise,
    "defocus-blur": blurs.defocus,
    "glass-blur": blurs.blur_behind_glass,
    "motion-blur": blurs.blur_by_motion,
    "zoom-blur": blurs.blur_by_zoom,
    "snow": weather.add_snow,
    "frost": weather.add_frost,
    "fog": weather.add_fog,
    "brightness": weather.brighten,
    "contrast": weather.lower_contrast,
    "elastic": digital.stretch,
    "pixelate": digital.pixelate,
    "jpeg": digital.compress,
}


def corrupt(images: NDArray[np.uint8], kind: str, severity: int, seed: int = 0) -> NDArray[np.uint8]:
    """The images uint8[n, height, width, channels] under a corruption of one severity, from 1 to 5."""
    rng = stream(seed, "corruption", kind, severity)
    worse = CORRUPTIONS[kind](images.astype(np.float64) / 255, severity - 1, rng)
    corrupted: NDArray[np.uint8] = np.rint(np.clip(worse, 0, 1) * 255).astype(np.uint8)
    return corrupted
