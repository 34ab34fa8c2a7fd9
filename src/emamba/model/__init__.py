"""Networks in PyTorch: Mamba, exact and hardware-friendly, and the baselines it is compared with."""

from emamba.model.cnn import ConvNet
from emamba.model.lstm import Lstm
from emamba.model.mamba import Mamba, State, exact_twin, twin
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
    "build",
    "exact_twin",
    "parameter_count",
    "twin",
]
