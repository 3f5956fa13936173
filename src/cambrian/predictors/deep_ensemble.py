"""An ensemble of small deep networks, trained side by side in NumPy (Lakshminarayanan, Pritzel & Blundell,
NeurIPS 2017): what its members disagree about is what it does not know.

They differ in their first weights and the order in which they see the examples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cambrian.predictors.features import Vector, columns_of, dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Layers = list[tuple["Array", "Array"]]
"""Weights float[members, in, out] and biases float[members, 1, out] of each layer."""


@dataclass(frozen=True)
class Network:
    """`layers` hidden ones of `width` rectified units; the absolute error minimised by Adam."""

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch: int = 32
    rate: float = 0.01


@dataclass(frozen=True)
class Ensemble:
    """`columns` says where a feature goes; `parameters` are those of all members, flat."""

    columns: dict[Hashable, int]
    sizes: tuple[int, ...]
    members: int
    parameters: Array

    def predict(self, vectors: Sequence[Vector]) -> Array:
        """float[members, n]."""
        x = np.broadcast_to(dense(self.columns, vectors), (self.members, len(vectors), len(self.columns)))
        return forward(unflatten(self.parameters, self.sizes, self.members), x)[-1][..., 0]


def train(vectors: Sequence[Vector], values: Array, network: Network, rng: np.random.Generator) -> Ensemble:
    """The ensemble that knows float[n] values, best given with mean 0 and variance 1."""
    columns = columns_of(vectors)
    x, count, members = dense(columns, vectors), len(vectors), network.members
    sizes = (len(columns), *[network.width] * network.layers, 1)
    parameters = _initial(sizes, members, rng)
    layers = unflatten(parameters, sizes, members)  # views: changing the one changes the other
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    step = 0
    for _ in range(network.epochs):
        order = rng.permuted(np.tile(np.arange(count), (members, 1)), axis=1)
        for at in range(0, count, network.batch):
            chosen, step = order[:, at : at + network.batch], step + 1
            slope = gradient(layers, x[chosen], values[chosen])
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            rate = network.rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            parameters -= rate * first / (np.sqrt(second) + 1e-8)
    return Ensemble(columns, sizes, members, parameters)


def forward(layers: Layers, x: Array) -> list[Array]:
    """What each layer gives for float[members, n, features], the input first."""
    given = [x]
    for i, (weight, bias) in enumerate(layers):
        out = given[-1] @ weight + bias
        given.append(np.maximum(out, 0.0) if i < len(layers) - 1 else out)
    return given


def gradient(layers: Layers, x: Array, y: Array) -> Array:
    """Of the mean over float[members, n] targets of each member's absolute error, summed over members;
    flat, as the parameters are."""
    given = forward(layers, x)
    slope = np.sign(given[-1] - y[..., None]) / y.shape[1]
    parts: list[Array] = []
    for i in reversed(range(len(layers))):
        parts += [slope.sum(axis=1, keepdims=True), given[i].transpose(0, 2, 1) @ slope]
        if i:
            slope = (slope @ layers[i][0].transpose(0, 2, 1)) * (given[i] > 0)
    return np.concatenate([part.ravel() for part in reversed(parts)])


def unflatten(parameters: Array, sizes: Sequence[int], members: int) -> Layers:
    """Views of the flat parameters, layer by layer."""
    layers, at = [], 0
    for wide, narrow in pairwise(sizes):
        middle = at + members * wide * narrow
        end = middle + members * narrow
        weight = parameters[at:middle].reshape(members, wide, narrow)
        layers.append((weight, parameters[middle:end].reshape(members, 1, narrow)))
        at = end
    return layers


def _initial(sizes: Sequence[int], members: int, rng: np.random.Generator) -> Array:
    """Glorot & Bengio's uniform weights, no biases."""
    total = sum(members * (wide + 1) * narrow for wide, narrow in pairwise(sizes))
    parameters = np.zeros(total)
    for weight, _ in unflatten(parameters, sizes, members):
        limit = (6.0 / (weight.shape[1] + weight.shape[2])) ** 0.5
        weight[...] = rng.uniform(-limit, limit, weight.shape)
    return parameters
