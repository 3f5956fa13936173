"""Weather and light, with the constants of CIFAR-10-C."""

from __future__ import annotations

import numpy as np

from cambrian.networks.robustness.filtering import Images, blur_along, draw_plasma, scale_of, zoom_in

SNOW = (
    (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
    (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)
"""Mean and deviation of flakes, their size, the least bright one, radius and sigma of their fall, and the
share of the image that is not whitened."""
FROST = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
FOG = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))
BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)
CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)
GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the brightness that the eye sees (ITU-R BT.601)."""


def add_snow(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Flakes that fall, and an image that is whiter and greyer."""
    mean, deviation, size, least, radius, sigma, kept = SNOW[level]
    flakes = zoom_in(rng.normal(mean, deviation, (*images.shape[:3], 1)), size)
    flakes = np.where(flakes < least, 0.0, np.clip(flakes, 0, 1))
    scale = scale_of(images)
    flakes = blur_along(flakes, radius * scale, sigma * scale, rng.uniform(-135, -45))
    grey = images @ GREY if images.shape[-1] == 3 else images.mean(-1)
    white = np.maximum(images, grey[..., None] * 1.5 + 0.5)
    snowy: Images = kept * images + (1 - kept) * white + flakes + np.rot90(flakes, 2, (1, 2))
    return snowy


def add_frost(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Crystals on a window. The published ones are parts of six photographs; these are drawn: the ridges of
    clouds, which branch as crystals do, so that figures are not those of CIFAR-10-C."""
    kept, share = FROST[level]
    clouds = draw_plasma(len(images), images.shape[1:3], 1.6, rng)
    crystals = 1 - np.abs(2 * clouds - 1)
    frosted: Images = kept * images + share * crystals[..., None]
    return frosted


def add_fog(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Clouds before the image, by the diamond-square method."""
    amount, decay = FOG[level]
    brightest = images.max((1, 2, 3), keepdims=True)
    # The published program multiplies noise of a size by that size again: it decays by the square.
    clouds = draw_plasma(len(images), images.shape[1:3], decay**2, rng)[..., None]
    foggy: Images = (images + amount * clouds) * brightest / (brightest + amount)
    return foggy


def brighten(images: Images, level: int, rng: np.random.Generator) -> Images:
    """More light: the value of a colour, the largest of its channels, grows, and its hue stays."""
    value = images.max(-1, keepdims=True)
    brighter = np.clip(value + BRIGHTNESS[level], 0, 1)
    # Black has no hue: it becomes grey.
    scaled = images * brighter / np.where(value > 0, value, 1)
    result: Images = np.where(value > 0, scaled, brighter)
    return result


def lower_contrast(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Less light: each channel is nearer to its mean."""
    mean = images.mean((1, 2), keepdims=True)
    lowered: Images = (images - mean) * CONTRAST[level] + mean
    return lowered
