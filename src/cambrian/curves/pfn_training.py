"""Trains the network of the prior-fitted curve model, on curves of the published prior:

    python -m cambrian.curves.pfn_training [--steps 6000] [--out pfn.safetensors]

Every curve trains all its beginnings at once. So that trainings of few epochs are known too, a curve's points
are all of its 100 steps or every 2nd, 4th, 5th or 10th.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cambrian.curves.pfn_network import PATCH, CurveNetwork, patch
from cambrian.curves.prior import LENGTH, draw_curves
from cambrian.networks.checkpoint import save_tensors
from cambrian.randomness import integer_seed, stream

BATCH = 64
QUERIES = 4
"""Later values that a token is to predict; the first of them is the last of the curve."""
RATE, WARM = 2e-3, 200
STRIDES = (1, 2, 4, 5, 10)
SHARES = (0.6, 0.1, 0.1, 0.1, 0.1)
"""Of batches with each stride."""


def train_network(steps: int, seed: int = 0, report: int = 0) -> CurveNetwork:
    """The trained network; `report` prints the loss every so many steps."""
    torch.manual_seed(integer_seed(seed, "pfn") % 2**63)
    network = CurveNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    rng, losses = stream(seed, "pfn", "curves"), list[float]()
    for step in range(steps):
        loss = compute_loss(network, rng)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if report and (step + 1) % report == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-report:]):.4f}", flush=True)
    return network.eval()


def compute_loss(network: CurveNetwork, rng: np.random.Generator) -> Tensor:
    """The mean negative logarithm of the density of later values, over a new batch of curves."""
    _, noisy = draw_curves(BATCH, rng)
    stride = int(rng.choice(STRIDES, p=SHARES))
    # The first token's length is drawn too: it is what a beginning of any length may have.
    count = LENGTH // stride - int(rng.integers(1, PATCH + 1))
    values = torch.from_numpy(noisy[:, stride - 1 :: stride].astype(np.float32))
    steps = torch.arange(stride, LENGTH + 1, stride, dtype=torch.float32) / LENGTH
    ends = patch(torch.arange(count)[None])[0, :, -1]  # [tokens]: the place of each token's last point
    later = _draw_later(ends, len(steps), rng)
    mixture = network(steps[:count].expand(BATCH, -1), values[:, :count], steps[later].expand(BATCH, -1, -1))
    loss: Tensor = -mixture.log_density(values[:, later]).mean()
    return loss


def _draw_later(ends: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """[tokens, QUERIES]: places after the end of each token; the first is the last of the curve."""
    shares = torch.from_numpy(rng.random((len(ends), QUERIES)))
    later = ends[:, None] + 1 + (shares * (count - 1 - ends)[:, None]).long()
    later[:, 0] = count - 1
    return later.clamp(max=count - 1)


def _rate(step: int, steps: int) -> float:
    """A warm-up, then half a cosine."""
    return min(1.0, (step + 1) / WARM) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("pfn.safetensors"))
    arguments = parser.parse_args()
    network = train_network(arguments.steps, arguments.seed, report=200)
    save_tensors(arguments.out, dict(network.state_dict()), {"steps": str(arguments.steps)})


if __name__ == "__main__":
    main()
