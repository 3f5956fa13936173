"""The digits of scikit-learn: 1,797 grey images of 8 x 8 (Alpaydin & Kaynak 1998, UCI Optical
Recognition of Handwritten Digits, its test part). They come with scikit-learn, so nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cambrian.tasks.examples import TRAIN, Examples
from cambrian.tasks.images.arrays import from_arrays


@dataclass(frozen=True)
class Digits:
    def examples(self) -> Examples:
        from sklearn.datasets import load_digits

        data = load_digits()
        inputs = np.rint(data.images * (255 / 16)).astype(np.uint8)  # 0..16 grey levels
        return from_arrays("digits", {TRAIN: (inputs, data.target)})
