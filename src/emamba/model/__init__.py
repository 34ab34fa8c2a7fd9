"""Networks in PyTorch: Mamba, exact and hardware-friendly, and the baselines it is compared with."""

from emamba.model.cnn import ConvNet
from emamba.model.lstm import Lstm
from emamba.model.mamba import Mamba, State, Weights, exact_twin, inherit, twin
from emamba.model.network import Network, build, parameter_count
from emamba.model.shape import Shape
from emamba.model.vit import VisionTransformer

__all__ = [
    "ConvNet",
    "Lstm",
    "Mamba",
    "Network",
    "Shape",
    "State",
    "VisionTransformer",
    "Weights",
    "build",
    "exact_twin",
    "inherit",
    "parameter_count",
    "twin",
]
