"""Networks of known shapes with random weights, for speed, size and memory: no weights are fetched.

ResNet-18 (He et al. 2015, arXiv 1512.03385), MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), a U-Net with transposed
convolutions (Ronneberger et al. 2015, arXiv 1505.04597), ViT-S/16 (Dosovitskiy et al. 2020, arXiv 2010.11929), a temporal
convolutional network (Bai et al. 2018, arXiv 1803.01271).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer),
        )  # fmt: skip
        short = stride > 1 or inner != outer
        self.short = (
            nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
            if short
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


def resnet18(classes: int = 1000) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    width = 64
    for outer, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(width, outer, stride), Block(outer, outer, 1)]
        width = outer
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class Inverted(nn.Module):
    """An inverted residual: expand, one group a channel, project."""

    def __init__(self, inner: int, outer: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = inner * factor
        layers: list[nn.Module] = []
        if factor > 1:
            layers += [nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
        layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
        layers += [nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer)]
        self.body, self.joined = nn.Sequential(*layers), stride == 1 and inner == outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.body(x)
        return x + made if self.joined else made


def mobilenet_v2(classes: int = 1000) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    width = 32
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outer, count, stride in rows:
        for n in range(count):
            layers.append(Inverted(width, outer, stride if n == 0 else 1, factor))
            width = outer
    layers += [nn.Conv2d(width, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes))


class UNet(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width

        def two(inner: int, outer: int) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(inner, outer, 3, 1, 1),
                nn.BatchNorm2d(outer),
                nn.ReLU(),
                nn.Conv2d(outer, outer, 3, 1, 1),
                nn.ReLU(),
            )

        self.down = nn.ModuleList([two(3, w), two(w, 2 * w), two(2 * w, 4 * w)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), nn.ConvTranspose2d(2 * w, w, 2, 2)])
        self.join = nn.ModuleList([two(4 * w, 2 * w), two(2 * w, w)])
        self.head, self.pool = nn.Conv2d(w, 2, 1), nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.down[0](x)
        second = self.down[1](self.pool(first))
        x = self.down[2](self.pool(second))
        for up, join, kept in zip(self.up, self.join, (second, first), strict=True):
            x = join(torch.cat([up(x), kept], dim=1))
        found: torch.Tensor = self.head(x)
        return found


class ViT(nn.Module):
    """ViT-S: patches of 16, width 384, 6 heads; `depth` 12."""

    def __init__(self, depth: int = 12, width: int = 384, size: int = 224, classes: int = 1000) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.place = nn.Parameter(torch.randn(1, (size // 16) ** 2 + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, width // 64, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.place
        found: torch.Tensor = self.head(self.norm(self.body(x))[:, 0])
        return found


class Temporal(nn.Module):
    """Causal convolutions with growing dilation over a stream of `channels`."""

    def __init__(self, channels: int = 16, width: int = 32, levels: int = 5, classes: int = 10) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv1d(channels if n == 0 else width, width, 3, dilation=2**n) for n in range(levels)
        )
        self.short, self.head = nn.Conv1d(channels, width, 1), nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.short(x)
        for level in self.levels:
            made = torch.relu(level(nn.functional.pad(x, (2 * level.dilation[0], 0))))
            x = torch.relu(made + kept)
            kept = x
        found: torch.Tensor = self.head(x[:, :, -1])
        return found


#: By name: the network, and the shape of one sample.
SHAPES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18": (resnet18, (3, 224, 224)),
    "mobilenet_v2": (mobilenet_v2, (3, 224, 224)),
    "unet": (UNet, (3, 96, 96)),
    "vit_s": (ViT, (3, 224, 224)),
    "temporal": (Temporal, (16, 128)),
}


def made(name: str, seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    """A network in evaluation mode whose batch norms have seen some noise, and two samples."""
    torch.manual_seed(seed)
    build, shape = SHAPES[name]
    net, x = build(), torch.randn(2, *shape)
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(2, *shape))
    return net.eval(), x
