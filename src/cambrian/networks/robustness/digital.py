"""Losses of storing and scaling, with the constants of CIFAR-10-C."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from cambrian.networks.robustness.filtering import Images, warp

ELASTIC = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
"""Shares of the side: amplitude and smoothness of waves, and how far corners move."""
PIXELS = (0.95, 0.9, 0.85, 0.75, 0.65)
QUALITY = (80, 65, 58, 50, 40)


def stretch(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Elastic: three corners move, which is an affine map, and smooth waves move every pixel (Simard et al.
    2003)."""
    return np.stack([_stretch_one(image, level, rng) for image in images])


def _stretch_one(image: Images, level: int, rng: np.random.Generator) -> Images:
    height, width = image.shape[:2]
    amplitude, smoothness, corner = (min(height, width) * share for share in ELASTIC[level])
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    place = np.stack([rows, columns, np.ones_like(rows)], -1).reshape(-1, 3)
    reach = min(height, width) // 3
    centre = np.array([height // 2, width // 2])
    corners = centre + reach * np.array([[1, 1], [-1, 1], [-1, -1]])
    moved = corners + rng.uniform(-corner, corner, corners.shape)
    affine = np.linalg.solve(np.column_stack([moved, np.ones(3)]), corners)
    waves = [
        amplitude * ndimage.gaussian_filter(rng.uniform(-1, 1, (height, width)), smoothness, truncate=3)
        for _ in range(2)
    ]
    source = (place @ affine).reshape(height, width, 2)
    return warp(image, source[..., 0] + waves[0], source[..., 1] + waves[1])


def pixelate(images: Images, level: int, rng: np.random.Generator) -> Images:
    """Scaled down by the mean over boxes, and up again by the nearest pixel."""
    height, width = images.shape[1:3]
    small = max(1, int(width * PIXELS[level])), max(1, int(height * PIXELS[level]))

    def scale(plane: Image.Image) -> Image.Image:
        return plane.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.NEAREST)

    def scale_plane(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(scale(Image.fromarray(plane)))

    planes = _as_bytes(images)
    channels = [[scale_plane(image[..., c]) for c in range(image.shape[-1])] for image in planes]
    return np.stack([np.stack(image, -1) for image in channels]) / 255


def compress(images: Images, level: int, rng: np.random.Generator) -> Images:
    """JPEG: three channels as a colour image, each of any other number as a grey one."""
    return np.stack([_compress_one(image, QUALITY[level]) for image in _as_bytes(images)]) / 255


def _compress_one(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    if image.shape[-1] == 3:
        return _pass_through_jpeg(image, quality)
    return np.stack([_pass_through_jpeg(image[..., c], quality) for c in range(image.shape[-1])], -1)


def _pass_through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    decoded: NDArray[np.uint8] = np.asarray(Image.open(file))
    return decoded


def _as_bytes(images: Images) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.rint(images * 255).astype(np.uint8)
    return pixels
