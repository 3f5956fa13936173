"""Whether a network's answers to a text read no character after their own."""

from __future__ import annotations

import torch
from torch import nn

from cambrian.errors import Unbuildable
from cambrian.networks.heads import first_head


def check_causal(network: nn.Module, channels: int, length: int) -> None:
    """Raise Unbuildable where an answer depends on characters after it, among which is the right one. The
    network takes float[n, channels, length, 1] and gives float[n, kinds, length]; it is not changed."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(1, channels, length, 1, generator=generator)
    rows = torch.arange(length)
    # The n-th text is changed from character n on: its answers before that have to stay.
    later = (rows[None] >= rows[:, None])[:, None, :, None]
    training = network.training
    network.eval()  # in training a normalisation reads its whole batch
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            before = first_head(network(text)).float()
            after = first_head(network(text + later.to(text.dtype))).float()
    finally:
        network.train(training)
    earlier = rows[None] < rows[:, None]
    # Loosely compared, as kernels may differ with the batch.
    same = before.isclose(after, rtol=1e-3, atol=1e-4).all(1)
    if not bool(same[earlier].all()):
        raise Unbuildable(
            "the network's answers to a text depend on later characters, which it is to predict: let each row"
            " of its output read that row of the input and those before it alone"
        )
