"""Noise of sensors: float images [n, height, width, channels] in [0, 1], not yet clipped. The constants of
every kind are those of CIFAR-10-C, by severity."""

from __future__ import annotations

import numpy as np

from cambrian.networks.robustness.filtering import Images

GAUSSIAN = (0.04, 0.06, 0.08, 0.09, 0.10)
PHOTONS = (500, 250, 100, 75, 50)
IMPULSES = (0.01, 0.02, 0.03, 0.05, 0.07)


def add_gaussian_noise(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Low light: each number is off by a normal deviate."""
    return images + rng.normal(scale=GAUSSIAN[level], size=images.shape)


def add_shot_noise(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Light comes in photons: each number is a Poisson count."""
    noisy: Images = rng.poisson(images * PHOTONS[level]) / PHOTONS[level]
    return noisy


def add_impulse_noise(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Bit errors: some numbers are 0 or 1, as likely the one as the other."""
    hit = rng.random(images.shape) < IMPULSES[level]
    return np.where(hit, rng.integers(0, 2, images.shape).astype(images.dtype), images)
