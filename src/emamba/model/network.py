"""The network that a recipe asks for."""

from __future__ import annotations

from typing import assert_never

from torch import nn

from emamba.config import CnnConfig, LstmConfig, MambaConfig, ModelConfig, VitConfig
from emamba.model.cnn import ConvNet
from emamba.model.lstm import Lstm
from emamba.model.mamba import Mamba
from emamba.model.shape import Shape
from emamba.model.vit import VisionTransformer

Network = Mamba | VisionTransformer | ConvNet | Lstm


def build(config: ModelConfig, shape: Shape, outputs: int) -> Network:
    """Maps tokens [batch, shape.tokens, shape.features] to [batch, outputs]; parameters at their random start.

    ConfigError if the network cannot take frames of that shape.
    """
    match config:
        case MambaConfig():
            return Mamba(config, shape, outputs)
        case VitConfig():
            return VisionTransformer(config, shape, outputs)
        case CnnConfig():
            return ConvNet(config, shape, outputs)
        case LstmConfig():
            return Lstm(config, shape, outputs)
        case _:
            assert_never(config)


def parameter_count(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in model.parameters())
