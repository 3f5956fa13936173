"""Blurs of lenses and of motion; lengths in pixels are those of CIFAR-10-C for images of 32 pixels a side,
and grow with the side."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from cambrian.networks.robustness.filtering import Images, blur, blur_along, convolve, scale_of, zoom_in

DEFOCUS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
"""Radius of the disk, and the blur of its edge."""
GLASS = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
"""Sigma, the longest exchange, rounds."""
MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
"""Radius and sigma."""
ZOOM = (1.06, 1.11, 1.16, 1.21, 1.26)
"""The last factor of zooming in by steps of 0.01."""


def defocus(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Out of focus: every point becomes a disk."""
    radius, edge = (scale_of(images) * number for number in DEFOCUS[level])
    # Of images of 32 pixels as published; a larger disk, with its soft edge, must not become a square.
    most = max(8, math.ceil(radius + 4 * edge))
    reach = np.arange(-most, most + 1)
    disk = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.float64)
    return convolve(images, ndimage.gaussian_filter(disk / disk.sum(), edge))


def blur_behind_glass(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Frosted glass: neighbours are exchanged at random between two small blurs, the same ones in every
    image, so that all are exchanged at once."""
    sigma, reach, rounds = GLASS[level]
    sigma, (height, width) = sigma * scale_of(images), images.shape[1:3]
    reach = max(1, round(reach * scale_of(images)))
    blurred = blur(images, sigma)
    for _ in range(rounds):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                down, right = rng.integers(-reach, reach, 2)
                here, there = (row, column), (row + down, column + right)
                swapped = blurred[:, *there].copy()
                blurred[:, *there], blurred[:, *here] = blurred[:, *here].copy(), swapped
    return blur(blurred, sigma)


def blur_by_motion(images: Images, level: int, rng: np.random.Generator) -> Images:
    """A camera that moves, to a side that the level's draw chooses."""
    radius, sigma = (scale_of(images) * number for number in MOTION[level])
    return blur_along(images, radius, sigma, rng.uniform(-45, 45))


def blur_by_zoom(images: Images, level: int, rng: np.random.Generator) -> Images:
    """A camera that moves towards its object: the mean of images that are zoomed in more and more."""
    factors = np.arange(1, ZOOM[level], 0.01)
    zoomed = sum((zoom_in(images, factor) for factor in factors), np.zeros_like(images))
    mean: Images = (images + zoomed) / (len(factors) + 1)
    return mean
