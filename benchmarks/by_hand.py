"""What a competent person gets without a search: one small network, one training, the whole time spent on it.

    python benchmarks/by_hand.py DATA.npz --seconds 480 --threads 1 [--arch cnn] [--width 32] [--seed 1]

Plain torch, and nothing of cambrian: `main_job.py` compares the search with it. DATA.npz holds uint8 x_train
[n, h, w, c], y_train [n], x_test, y_test. Prints one line, with the test accuracy at its end.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(inputs, outputs, stride=1, kernel=3):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    """A basic residual block (He et al. 2016)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first, self.second = conv_bn(inputs, outputs, stride), conv_bn(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, stride, 1)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def resnet(channels, classes, w):
    blocks = Block(w, w, 1), Block(w, 2 * w, 2), Block(2 * w, 4 * w, 2)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * w, classes)
    return nn.Sequential(conv_bn(channels, w), nn.ReLU(), *blocks, *head)


def cnn(channels, classes, w):
    widths, layers = [channels, 2 * w, 4 * w, 8 * w], []
    for inputs, outputs in pairwise(widths):
        layers += [conv_bn(inputs, outputs), nn.ReLU(), nn.MaxPool2d(2)]
    layers[-1] = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * w, classes))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--arch", choices=["resnet", "cnn"], default="resnet")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-flip", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    with np.load(args.data) as data:
        x, y, x_test, y_test = (torch.from_numpy(data[k]) for k in ("x_train", "y_train", "x_test", "y_test"))
    x, x_test = x.permute(0, 3, 1, 2).contiguous(), x_test.permute(0, 3, 1, 2).contiguous()
    y, y_test = y.long(), y_test.long()
    side, margin, batch = x.shape[2], 4 if x.shape[2] >= 32 else 1, min(args.batch, len(x))
    mean = x.float().mean((0, 2, 3), keepdim=True)
    deviation = x[:5000].float().std((0, 2, 3), keepdim=True) + 1e-3
    network = {"resnet": resnet, "cnn": cnn}[args.arch](x.shape[1], int(y.max()) + 1, args.width)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), args.lr, 0.9, weight_decay=5e-4, nesterov=True)

    def augmented(index):
        images = F.pad((x[index].float() - mean) / deviation, (margin,) * 4)
        top, left = rng.integers(0, 2 * margin + 1, 2)
        images = images[:, :, top : top + side, left : left + side]
        if not args.no_flip:
            mirrored = torch.from_numpy(rng.random(len(index)) < 0.5)
            images[mirrored] = images[mirrored].flip(3)
        return images.to(memory_format=torch.channels_last)

    began, steps, share = time.monotonic(), 0, 0.0
    while share < 1:
        for index in torch.from_numpy(rng.permutation(len(x)))[: len(x) // batch * batch].split(batch):
            share = (time.monotonic() - began) / args.seconds
            if share >= 1:
                break
            for group in optimiser.param_groups:  # one cycle over the wall clock
                group["lr"] = args.lr * (share / 0.2 if share < 0.2 else (1 - share) / 0.8)
            loss = F.cross_entropy(network(augmented(index)), y[index], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
    network.eval()
    right = 0
    with torch.inference_mode():
        for images, labels in zip(x_test.split(500), y_test.split(500)):
            inputs = ((images.float() - mean) / deviation).to(memory_format=torch.channels_last)
            right += (network(inputs).argmax(1) == labels).sum().item()
    parameters = sum(p.numel() for p in network.parameters())
    print(
        f"{args.arch} width={args.width} parameters={parameters} epochs={steps * batch / len(x):.1f} "
        f"seconds={time.monotonic() - began:.0f} test={100 * right / len(x_test):.2f}"
    )


if __name__ == "__main__":
    main()
