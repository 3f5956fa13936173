"""The LSTM against torch's own, its gradient against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cambrian.policies.lstm import advance, backward, blank, forward
from cambrian.randomness import stream


def layers_of(count, width, hidden, rng):
    """Random layers, the lowest reading `width` numbers."""
    return [
        (
            rng.normal(size=(hidden if k else width, 4 * hidden)),
            rng.normal(size=(hidden, 4 * hidden)),
            rng.normal(size=4 * hidden),
        )
        for k in range(count)
    ]


def torchs(layers):
    """torch.nn.LSTM with the same weights, its second biases 0."""
    width, hidden = layers[0][0].shape[0], layers[0][1].shape[0]
    lstm = torch.nn.LSTM(width, hidden, len(layers), batch_first=True, dtype=torch.float64)
    for k, (below, past, bias) in enumerate(layers):
        for name, value in (("weight_ih", below.T), ("weight_hh", past.T), ("bias_ih", bias)):
            getattr(lstm, f"{name}_l{k}").data.copy_(torch.from_numpy(value))
        getattr(lstm, f"bias_hh_l{k}").data.zero_()
    return lstm


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_torchs(count):
    """Outputs, and the gradient of a random function of them by the input and by every weight."""
    rng = stream(count, "lstm")
    layers, x = layers_of(count, 5, 4, rng), rng.normal(size=(3, 6, 5))
    lstm, there = torchs(layers), torch.from_numpy(x).requires_grad_()
    expected, _ = lstm(there)
    said, tapes = forward(layers, x)
    np.testing.assert_allclose(said, expected.detach().numpy(), atol=1e-12)
    slope = rng.normal(size=said.shape)
    (expected * torch.from_numpy(slope)).sum().backward()
    by_input, by_layer = backward(layers, tapes, slope)
    np.testing.assert_allclose(by_input, there.grad.numpy(), atol=1e-10)
    for k, (below, past, bias) in enumerate(by_layer):
        np.testing.assert_allclose(below.T, getattr(lstm, f"weight_ih_l{k}").grad, atol=1e-10)
        np.testing.assert_allclose(past.T, getattr(lstm, f"weight_hh_l{k}").grad, atol=1e-10)
        np.testing.assert_allclose(bias, getattr(lstm, f"bias_ih_l{k}").grad, atol=1e-10)


def test_step_by_step_is_all_at_once():
    """Advancing through a sequence says what reading it whole says."""
    rng = stream(0, "lstm")
    layers, x = layers_of(2, 5, 4, rng), rng.normal(size=(3, 6, 5))
    said, memory = forward(layers, x)[0], blank(2, 3, 4)
    for t in range(6):
        h, memory = advance(layers, x[:, t], memory)
        np.testing.assert_allclose(h, said[:, t], atol=1e-14)
