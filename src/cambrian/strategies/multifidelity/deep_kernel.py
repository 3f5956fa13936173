"""The surrogate of Wistuba, Kadra & Grabocka, "Supervising the Multi-Fidelity Race of Hyperparameter
Configurations" (DyHPO, NeurIPS 2022): a Gaussian process on the features of a network that reads an
architecture, a budget, and the curve until then. The sizes of layers are those of the released code, which
has one layer less before the curve's features join, and counts the noise in a forecast's deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cambrian.one_thread import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Weights = Mapping[str, NDArray[Any]]

NARROW, WIDE, CHANNELS = 64, 128, 4
RATE = 1e-3
LOST = 0.15
"""The mean squared error on known points from which on a network is trained anew."""
JITTER = 1e-4


@dataclass(frozen=True)
class Points:
    """`architectures` [n, m], `budgets` [n] as shares of the whole, `curves` [n, steps] until then, 0 where
    there is none yet."""

    architectures: Values
    budgets: Values
    curves: Values

    def read(self) -> tuple[Tensor, Tensor]:
        described = np.concatenate([self.architectures, self.budgets[:, None]], axis=1)
        return torch.from_numpy(described).float(), torch.from_numpy(self.curves).float()


class DeepKernel(nn.Module):
    """The features, and the process on them: a constant mean, a scaled RBF kernel, noise."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Linear(inputs, NARROW), nn.BatchNorm1d(NARROW)
        self.second, self.second_norm = nn.Linear(NARROW, WIDE), nn.BatchNorm1d(WIDE)
        self.curve = nn.Conv1d(1, CHANNELS, 3, padding=1)
        self.last = nn.Linear(WIDE + CHANNELS, WIDE)
        self.mean, self.log_scale = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.log_length, self.log_noise = nn.Parameter(torch.zeros(())), nn.Parameter(torch.tensor(-4.0))

    def forward(self, described: Tensor, curves: Tensor) -> Tensor:
        hidden = functional.leaky_relu(self.first_norm(self.first(described)))
        hidden = functional.leaky_relu(self.second_norm(self.second(hidden)))
        shapes = self.curve(curves[:, None]).amax(dim=2)  # the strongest response along the curve
        features: Tensor = self.last(torch.cat([hidden, shapes], 1))
        return features

    def relate(self, one: Tensor, other: Tensor) -> Tensor:
        apart = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        related: Tensor = self.log_scale.exp() * torch.exp(-0.5 * apart / (2 * self.log_length).exp())
        return related

    def factor(self, features: Tensor) -> Tensor:
        noise = (self.log_noise.exp() + JITTER) * torch.eye(len(features))
        root: Tensor = torch.linalg.cholesky(self.relate(features, features) + noise)
        return root

    def measure_loss(self, features: Tensor, values: Tensor) -> Tensor:
        """The negative logarithm of the marginal likelihood, for each point."""
        root, rest = self.factor(features), (values - self.mean)[:, None]
        fit = (rest * torch.cholesky_solve(rest, root)).sum()
        return (0.5 * fit + root.diagonal().log().sum()) / len(values)


def fit_kernel(points: Points, values: Values, epochs: int, seed: int, former: Weights | None) -> Weights:
    """The weights after so many epochs, on from the `former` ones (None: from random ones)."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kernel = DeepKernel(points.architectures.shape[1] + 1)
        if former is not None:
            _load(kernel, former)
        described, curves = points.read()
        ends = torch.from_numpy(values).float()
        optimiser = torch.optim.Adam(kernel.parameters(), RATE)
        kernel.train()
        for _ in range(epochs):
            loss = kernel.measure_loss(kernel(described, curves), ends)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        return {name: tensor.detach().numpy().copy() for name, tensor in kernel.state_dict().items()}


def predict_points(weights: Weights, known: Points, values: Values, asked: Points) -> tuple[Values, Values]:
    """The means and deviations [n] of values at the points that are asked."""
    with one_thread(), torch.no_grad():
        kernel = DeepKernel(known.architectures.shape[1] + 1)
        _load(kernel, weights)
        kernel.eval()
        before, after = kernel(*known.read()), kernel(*asked.read())
        root, across = kernel.factor(before), kernel.relate(after, before)
        rest = (torch.from_numpy(values).float() - kernel.mean)[:, None]
        mean = kernel.mean + (across @ torch.cholesky_solve(rest, root))[:, 0]
        half = torch.linalg.solve_triangular(root, across.T, upper=False)
        variance = kernel.log_scale.exp() - (half**2).sum(0)
        return mean.double().numpy(), variance.clamp(min=1e-9).sqrt().double().numpy()


def _load(kernel: DeepKernel, weights: Weights) -> None:
    kernel.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
