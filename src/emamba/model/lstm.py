"""A long short-term memory, to compare with.

Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the forget gate of Gers et al., 2000.
"""

from __future__ import annotations

from torch import Tensor, nn

from emamba.config import LstmConfig
from emamba.model.shape import Shape


class Lstm(nn.Module):
    """Tokens [batch, tokens, features] -> [batch, outputs], read from the last hidden state."""

    def __init__(self, config: LstmConfig, shape: Shape, outputs: int) -> None:
        super().__init__()
        self.config, self.shape, self.outputs = config, shape, outputs
        self.memory = nn.LSTM(shape.features, config.d_model, config.layers, batch_first=True)
        self.head = nn.Linear(config.d_model, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """The outputs of whole frames."""
        return self.head(self.memory(tokens)[0][:, -1])
