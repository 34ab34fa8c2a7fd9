"""Convolutional networks, to compare with.

With 16 and 32 channels, one dense layer of 512 and 57 outputs on 8x8x5 it is the network of An and Ogras,
"MARS: mmWave-based Assistive Rehabilitation System for Smart Healthcare", 2021.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from emamba.config import CnnConfig
from emamba.errors import ConfigError
from emamba.model.shape import Shape

_LAYOUT = torch.channels_last  # as tokens lie; convolutions take half the time of those with channels first


class ConvNet(nn.Module):
    """Tokens [batch, tokens, features] -> [batch, outputs]; a token is a pixel, its features are channels.

    ConfigError if pooling leaves nothing of the image, or if the pixels come in groups.
    """

    def __init__(self, config: CnnConfig, shape: Shape, outputs: int) -> None:
        super().__init__()
        if shape.group > 1:
            raise ConfigError("model.kind 'cnn' reads pixels row by row, but data.group is set", "remove data.group")
        self.config, self.shape, self.outputs = config, shape, outputs
        convolutions = nn.Sequential(*_convolutions(config, shape.features))
        self.convolutions = nn.utils.convert_conv2d_weight_memory_format(convolutions, _LAYOUT)
        flat = config.channels[-1] * _pixels(config, shape)
        self.dense = nn.Sequential(*_dense(config, flat))
        self.head = nn.Linear((flat, *config.dense)[-1], outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """The outputs of whole frames."""
        return self.head(self.dense(self.convolutions(self.image(tokens)).flatten(1)))

    def image(self, tokens: Tensor) -> Tensor:
        """Tokens as what they were cut from: [batch, features, rows, columns]."""
        image = tokens.transpose(1, 2).unflatten(2, (self.shape.rows, self.shape.columns))
        return image.contiguous(memory_format=_LAYOUT)


class BatchNorm(nn.BatchNorm1d):
    """Of [batch, channels, ...] over all axes but the channels.

    A channel of one value has no spread. PyTorch refuses to train on it; here, when the last batch is a
    single frame, it is normalised as in measuring.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The shape of `input`."""
        own = self.training and input.numel() > input.shape[1]
        return nn.functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum or 0.0, self.eps
        )


def _convolutions(config: CnnConfig, source: int) -> Iterator[nn.Module]:
    for number, channels in enumerate(config.channels, 1):
        yield nn.Conv2d(source, channels, 3, padding="same")
        yield from _behind(config, channels)
        if number in config.pool_after:
            yield nn.MaxPool2d(2)
        source = channels


def _dense(config: CnnConfig, source: int) -> Iterator[nn.Module]:
    for width in config.dense:
        yield nn.Linear(source, width)
        yield from _behind(config, width)
        source = width


def _behind(config: CnnConfig, channels: int) -> Iterator[nn.Module]:
    """What follows a linear map."""
    if config.batch_norm:
        yield BatchNorm(channels)
    yield nn.ReLU()
    if config.dropout:
        yield nn.Dropout(config.dropout)


def _pixels(config: CnnConfig, shape: Shape) -> int:
    """Pixels that pooling leaves of each channel; an odd last row or column is dropped."""
    times = len(config.pool_after)
    pixels = (shape.rows >> times) * (shape.columns >> times)
    if not pixels:
        fact = f"model.pool_after: pooling {times} times leaves nothing of {shape.rows}x{shape.columns} tokens"
        raise ConfigError(fact, "pool less often, or choose a smaller data.patch")
    return pixels
