"""Networks as users write them, small: a residual one, one of inverted residuals, a plain one, a perceptron,
a transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.spaces.program.function_space import Shape

TASK = Shape(channels=1, height=8, width=8, classes=10)


class Basic(nn.Module):
    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        same = stride == 1 and channels == out
        short = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = None if same else short

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)  # type: ignore[no-any-return]


class ResNet(nn.Module):
    def __init__(self, task: Any = TASK) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(task.channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(Basic(16, 16))
        self.layer2 = nn.Sequential(Basic(16, 32, 2), Basic(32, 32))
        self.fc = nn.Linear(32, task.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


class Inverted(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        wide = 4 * channels
        self.residual = stride == 1 and channels == out
        self.conv = nn.Sequential(
            *(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()),
            *(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()),
            *(nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def make_mobile(task: Any = TASK) -> nn.Module:
    stem = (nn.Conv2d(task.channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
    blocks = (Inverted(8, 8, 1), Inverted(8, 16, 2), Inverted(16, 16, 1))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, task.classes))


def make_plain(task: Any = TASK) -> nn.Module:
    pixels = (task.height // 2) * (task.width // 2)
    return nn.Sequential(
        *(nn.Conv2d(task.channels, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(32 * pixels, 64), nn.ReLU(), nn.Linear(64, task.classes)),
    )


def make_perceptron(task: Any = TASK) -> nn.Module:
    pixels = task.channels * task.height * task.width
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(pixels, 48), nn.BatchNorm1d(48), nn.ReLU()),
        *(nn.Linear(48, 48), nn.LayerNorm(48), nn.GELU(), nn.Dropout(0.1), nn.Linear(48, task.classes)),
    )


class Encoder(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size)
        self.attention = nn.MultiheadAttention(size, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    def __init__(self, task: Any = TASK) -> None:
        super().__init__()
        self.embed = nn.Conv2d(task.channels, 16, 2, 2)
        self.place = nn.Parameter(torch.randn(1, (task.height // 2) * (task.width // 2), 16) * 0.02)
        self.blocks = nn.ModuleList(Encoder(16) for _ in range(2))
        self.head = nn.Linear(16, task.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2) + self.place
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))  # type: ignore[no-any-return]


NETWORKS = {
    "resnet": ResNet,
    "mobile": make_mobile,
    "plain": make_plain,
    "perceptron": make_perceptron,
    "transformer": Transformer,
}


def make_trained(name: str) -> Any:
    """The network with weights and statistics that are nowhere those of a new one."""
    torch.manual_seed(1)
    network: nn.Module = NETWORKS[name]()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand_like(tensor)
    return network.eval()
