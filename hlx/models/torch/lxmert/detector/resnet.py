"""ResNet with bottlenecks (He et al. 2016) as Caffe's: frozen norms, the stride in the first 1x1.

The modules carry a checkpoint's names and compute as they are written; `FoldedBackbone` computes the same
with the norms folded into the convolutions and 1x1 convolutions as matrix products.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.nn import functional as F

from hlx.models.torch.lxmert.detector.detector_config import BLOCKS, DetectorConfig

EPSILON = 1e-5


class FrozenNorm(nn.Module):
    """Batch normalisation with the running statistics."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, start in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), start))

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
        """Normalise each channel."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON)


class Convolution(nn.Conv2d):
    """A convolution without bias, and its norm."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(before, after, kernel, stride, padding, dilation, bias=False)
        self.norm = FrozenNorm(after)

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m d y x"]:
        """Convolve and normalise."""
        return self.norm(super().forward(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and what they add to: the input, or a 1x1 of it where widths differ."""

    def __init__(self, before: int, inside: int, after: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.shortcut = Convolution(before, after, 1, stride) if before != after else None
        self.conv1 = Convolution(before, inside, 1, stride)
        self.conv2 = Convolution(inside, inside, 3, 1, dilation)
        self.conv3 = Convolution(inside, after, 1)

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m d y x"]:
        """The block as it is written."""
        out = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
        return F.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class Stem(nn.Module):
    """7x7 with stride 2, then the maximum of 3x3 with stride 2."""

    def __init__(self, width: int, caffe_max_pool: bool) -> None:
        super().__init__()
        self.conv1 = Convolution(3, width, 7, 2)
        self.caffe_max_pool = caffe_max_pool

    def forward(self, x: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m d y x"]:
        """The stem as it is written."""
        return self.pooled(F.relu(self.conv1(x)))

    def pooled(self, x: Float[Tensor, "m d h w"]) -> Float[Tensor, "m d y x"]:
        """Caffe's windows start at the border and the last may reach over it."""
        if self.caffe_max_pool:
            return F.max_pool2d(x, 3, 2, ceil_mode=True)
        return F.max_pool2d(x, 3, 2, padding=1)


def stage(config: DetectorConfig, number: int) -> nn.Sequential:
    """The blocks of res2 ... res5; res5 keeps the resolution of what is pooled and is dilated instead."""
    width = config.res2_width * 2 ** (number - 2)
    inside = config.bottleneck * 2 ** (number - 2)
    before = config.stem_width if number == 2 else width // 2
    stride, dilation = (1, 2) if number == 5 else (1 if number == 2 else 2, 1)
    blocks = [Bottleneck(before, inside, width, stride, dilation)]
    for _ in range(BLOCKS[config.depth][number - 2] - 1):
        blocks.append(Bottleneck(width, inside, width, 1, dilation))
    return nn.Sequential(*blocks)


class Backbone(nn.Module):
    """Image to the features of res4, stride 16."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.stem = Stem(config.stem_width, config.caffe_max_pool)
        self.res2, self.res3, self.res4 = (stage(config, number) for number in (2, 3, 4))

    def forward(self, x: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m c y x"]:
        """The network as it is written."""
        return self.res4(self.res3(self.res2(self.stem(x))))


def folded(convolution: Convolution) -> tuple[Float64[Tensor, "d c k k"], Float64[Tensor, " d"]]:
    """Weight and bias of the one convolution that a convolution and its norm are, in double precision."""
    norm = convolution.norm
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + EPSILON)
    bias = norm.bias.double() - norm.running_mean.double() * gain
    return convolution.weight.detach().double() * gain[:, None, None, None], bias


class Product(NamedTuple):
    """A folded 1x1 convolution: rows times weight (in, out) plus bias."""

    weight: Tensor
    bias: Tensor

    def __call__(self, rows: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """All rows at once."""
        return torch.addmm(self.bias, rows, self.weight)

    def add_to(self, out: Float[Tensor, "n d"], rows: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """Add to what is there, in place."""
        return out.add_(self.bias).addmm_(rows, self.weight)


def product(convolution: Convolution, dtype: torch.dtype) -> Product:
    """A 1x1 convolution and its norm as a matrix product."""
    weight, bias = folded(convolution)
    return Product(weight[:, :, 0, 0].T.contiguous().to(dtype), bias.to(dtype))


class FoldedBlock:
    """A bottleneck on features with channels last."""

    def __init__(self, block: Bottleneck, dtype: torch.dtype) -> None:
        self.stride = cast(tuple[int, int], block.conv1.stride)[0]
        self.shortcut = None if block.shortcut is None else product(block.shortcut, dtype)
        self.first, self.last = product(block.conv1, dtype), product(block.conv3, dtype)
        weight, bias = folded(block.conv2)
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.bias = bias.to(dtype)

    def __call__(self, x: Float[Tensor, "m h w c"]) -> Float[Tensor, "m y x d"]:
        """The block's output; its input may be overwritten."""
        if self.stride > 1:
            x = x[:, :: self.stride, :: self.stride].contiguous()
        shape, rows = x.shape[:3], x.flatten(0, 2)
        inside = self.first(rows).relu_().view(*shape, -1).permute(0, 3, 1, 2)
        inside = F.conv2d(inside, self.weight, self.bias, padding=1).relu_()
        inside = inside.permute(0, 2, 3, 1).reshape(len(rows), -1)
        out = rows if self.shortcut is None else self.shortcut(rows)
        return self.last.add_to(out, inside).relu_().view(*shape, -1)


class FoldedBackbone:
    """The backbone's own numbers, up to rounding, with fewer operations.

    Parameters
    ----------
    backbone
        With the weights; they are copied.
    dtype
        Of weights and features.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        weight, bias = folded(backbone.stem.conv1)
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.bias, self.pooled, self.dtype = bias.to(dtype), backbone.stem.pooled, dtype
        stages = (backbone.res2, backbone.res3, backbone.res4)
        self.blocks = [FoldedBlock(cast(Bottleneck, block), dtype) for blocks in stages for block in blocks]

    def __call__(self, images: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m y x c"]:
        """Features of res4, channels last."""
        x = images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        x = self.pooled(F.conv2d(x, self.weight, self.bias, stride=2, padding=3).relu_())
        x = x.permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            x = block(x)
        return x
