"""Small kernels as learned transformations of large ones: Cai et al., "Once-for-All" (ICLR 2020, arXiv
1908.09791), Sec. 3.3. The middle of a large kernel, as it is, would have to serve as a kernel of its own and
as a part of the larger one; a matrix for each step, 25x25 from 7x7 to 5x5 and 9x9 from there to 3x3, lets
them differ. It is shared by all channels of a layer, so that it costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class KernelMatrices(nn.Module):
    """The matrices between `sizes` of kernels, each step from one size to the next smaller one. They begin as
    the identity, with which a small kernel is the middle of a large one."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self._steps = list(pairwise(sorted(sizes, reverse=True)))
        self.matrices = nn.ParameterDict(
            {_name(*step): nn.Parameter(torch.eye(step[1] ** 2)) for step in self._steps}
        )

    def shrink(self, kernel: Tensor, size: int) -> Tensor:
        """(out, in, k, k) -> (out, in, size, size), step by step."""
        for large, small in self._between(kernel.shape[-1], size):
            edge = (large - small) // 2
            middle = kernel[..., edge : edge + small, edge : edge + small].flatten(2)
            mixed = nn.functional.linear(middle, self.matrices[_name(large, small)])
            kernel = mixed.view(*mixed.shape[:2], small, small)
        return kernel

    def list_used(self, large: int, small: int) -> list[str]:
        """The names of the matrices between two sizes."""
        return [f"matrices.{_name(*step)}" for step in self._between(large, small)]

    def _between(self, large: int, small: int) -> Iterator[tuple[int, int]]:
        return (step for step in self._steps if step[0] <= large and step[1] >= small)


def _name(large: int, small: int) -> str:
    return f"{large}to{small}"
