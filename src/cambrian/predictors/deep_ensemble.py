"""An ensemble of small deep networks, trained side by side in NumPy (Lakshminarayanan, Pritzel & Blundell,
NeurIPS 2017); the disagreement of its members measures its uncertainty.

The members differ in their initial weights and in the order of the examples.
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
    """`layers` hidden layers of `width` rectified units; Adam minimises the absolute error."""

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch: int = 32
    rate: float = 0.01


@dataclass(frozen=True)
class Ensemble:
    """`columns` maps a feature to its input; `parameters` are those of all members, flat."""

    columns: dict[Hashable, int]
    sizes: tuple[int, ...]
    members: int
    parameters: Array

    def predict(self, vectors: Sequence[Vector]) -> Array:
        """The predictions float[members, n]."""
        x = np.broadcast_to(dense(self.columns, vectors), (self.members, len(vectors), len(self.columns)))
        return forward(unflatten(self.parameters, self.sizes, self.members), x)[-1][..., 0]


def train(vectors: Sequence[Vector], values: Array, network: Network, rng: np.random.Generator) -> Ensemble:
    """The ensemble trained on float[n] values, which should have mean 0 and variance 1."""
    columns = columns_of(vectors)
    x, count, members = dense(columns, vectors), len(vectors), network.members
    sizes = (len(columns), *[network.width] * network.layers, 1)
    parameters = _initial(sizes, members, rng)
    layers = unflatten(parameters, sizes, members)  # views: changing the one changes the other
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    step = 0
    for _ in range(network.epochs):
        # An order for each member, which is the whole source of their disagreement besides the first weights.
        order = rng.permuted(np.tile(np.arange(count), (members, 1)), axis=1)
        for at in range(0, count, network.batch):
            chosen, step = order[:, at : at + network.batch], step + 1
            slope = gradient(layers, x[chosen], values[chosen])
            # Adam (Kingma & Ba 2015, Algorithm 1), its two corrections of the bias folded into the rate.
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            rate = network.rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            parameters -= rate * first / (np.sqrt(second) + 1e-8)
    return Ensemble(columns, sizes, members, parameters)


def forward(layers: Layers, x: Array) -> list[Array]:
    """The activations of each layer for float[members, n, features], the input first."""
    activations = [x]
    for i, (weight, bias) in enumerate(layers):
        out = activations[-1] @ weight + bias
        activations.append(np.maximum(out, 0.0) if i < len(layers) - 1 else out)  # the last layer is linear
    return activations


def gradient(layers: Layers, x: Array, y: Array) -> Array:
    """The gradient of each member's mean absolute error over its targets float[members, n], flat as the
    parameters are."""
    activations = forward(layers, x)
    # Members have no parameters in common: the gradient of their sum is each one's own.
    slope = np.sign(activations[-1] - y[..., None]) / y.shape[1]
    parts: list[Array] = []
    for i in reversed(range(len(layers))):
        # Bias before weight: the list is reversed at the end.
        parts += [slope.sum(axis=1, keepdims=True), activations[i].transpose(0, 2, 1) @ slope]
        if i:
            slope = (slope @ layers[i][0].transpose(0, 2, 1)) * (activations[i] > 0)
    return np.concatenate([part.ravel() for part in reversed(parts)])


def unflatten(parameters: Array, sizes: Sequence[int], members: int) -> Layers:
    """The flat parameters as views, layer by layer."""
    layers, at = [], 0
    for wide, narrow in pairwise(sizes):
        middle = at + members * wide * narrow
        end = middle + members * narrow
        weight = parameters[at:middle].reshape(members, wide, narrow)
        layers.append((weight, parameters[middle:end].reshape(members, 1, narrow)))
        at = end
    return layers


def _initial(sizes: Sequence[int], members: int, rng: np.random.Generator) -> Array:
    """Initial parameters: Glorot & Bengio's (2010) uniform weights, and biases of 0."""
    total = sum(members * (wide + 1) * narrow for wide, narrow in pairwise(sizes))
    parameters = np.zeros(total)
    for weight, _ in unflatten(parameters, sizes, members):
        limit = (6.0 / (weight.shape[1] + weight.shape[2])) ** 0.5
        weight[...] = rng.uniform(-limit, limit, weight.shape)
    return parameters
