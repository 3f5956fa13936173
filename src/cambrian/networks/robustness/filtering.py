"""Filters that several corruptions share. Images are float [n, height, width, channels] in [0, 1]."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Images = NDArray[Any]
SIDE = 32
"""The side of the images for which the constants were chosen."""


def scale_of(images: Images) -> float:
    """The side of the images as a share of SIDE: lengths in pixels grow with it."""
    return float(min(images.shape[1:3]) / SIDE)


def blur(images: Images, sigma: float) -> Images:
    """A Gaussian blur within each image and channel."""
    blurred: Images = ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")
    return blurred


def convolve(images: Images, kernel: NDArray[np.float64]) -> Images:
    filtered: Images = ndimage.correlate(images, kernel[None, :, :, None], mode="mirror")
    return filtered


def blur_along(images: Images, radius: float, sigma: float, angle: float) -> Images:
    """The mean of the images at places behind one another on a line, whose weights fall as a Gaussian: the
    blur of a moving camera. `angle` is in degrees."""
    width = max(1, round(2 * radius)) + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2 * sigma**2))
    direction = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    moved = (
        ndimage.shift(images, (0, n * direction[0], n * direction[1], 0), order=1, mode="nearest")
        for n in range(width)
        if weights[n] > 1e-3
    )
    total: Images = sum((w * m for w, m in zip(weights, moved)), np.zeros_like(images))
    mean: Images = total / weights[weights > 1e-3].sum()
    return mean


def zoom_in(images: Images, factor: float) -> Images:
    """The centre of the images, enlarged to their size."""
    height, width = images.shape[1:3]
    rows, columns = (_shrink(n, factor) for n in (height, width))
    place = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([_resample(image, place, "nearest") for image in images])


def _shrink(count: int, factor: float) -> NDArray[Any]:
    middle = (count - 1) / 2
    return middle + (np.arange(count) - middle) / factor


def _resample(image: Images, place: Any, mode: str) -> Images:
    channels = [
        ndimage.map_coordinates(image[..., c], place, order=1, mode=mode) for c in range(image.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def warp(image: Images, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Images:
    """One image [height, width, channels], read at other places."""
    return _resample(image, (rows, columns), "reflect")


def draw_plasma(
    count: int, shape: tuple[int, int], decay: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Clouds [count, height, width] in [0, 1] by the diamond-square method: each halving of the grid adds
    noise, `decay` times less than the one before."""
    size = 2 ** math.ceil(math.log2(max(2, *shape)))
    plasma, step, wibble = np.zeros((count, size, size)), size, 100.0
    while step >= 2:
        _add_details(plasma, step, wibble, rng)
        step, wibble = step // 2, wibble / decay
    plasma -= plasma.min((1, 2), keepdims=True)
    plasma /= np.maximum(plasma.max((1, 2), keepdims=True), 1e-12)
    return plasma[:, : shape[0], : shape[1]]


def _add_details(plasma: NDArray[np.float64], step: int, wibble: float, rng: np.random.Generator) -> None:
    """Fill the middles of squares, and then of diamonds; the grid is a torus."""

    def draw(shape: tuple[int, ...]) -> NDArray[np.float64]:
        return rng.uniform(-wibble, wibble, shape)

    half = step // 2
    corners = plasma[:, ::step, ::step].copy()
    right, below = np.roll(corners, -1, 2), np.roll(corners, -1, 1)
    squares = (corners + right + below + np.roll(right, -1, 1)) / 4 + draw(corners.shape)
    plasma[:, half::step, half::step] = squares
    between = (squares + np.roll(squares, 1, 1) + corners + right) / 4
    plasma[:, ::step, half::step] = between + draw(corners.shape)
    between = (squares + np.roll(squares, 1, 2) + corners + below) / 4
    plasma[:, half::step, ::step] = between + draw(corners.shape)
