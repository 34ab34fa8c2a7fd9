"""A vision transformer, to compare with.

Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021: learned positions, and blocks that normalise
before attention and before the MLP. As in their appendix D.3, the head reads the mean over the tokens
instead of a class token.
"""

from __future__ import annotations

from torch import Tensor, nn

from emamba.config import VitConfig
from emamba.model.shape import Shape

_SPREAD = 0.02  # standard deviation of weights and positions at the start, cut at -2 and 2


class VisionTransformer(nn.Module):
    """Tokens [batch, tokens, features] -> [batch, outputs]."""

    def __init__(self, config: VitConfig, shape: Shape, outputs: int) -> None:
        super().__init__()
        self.config, self.shape, self.outputs = config, shape, outputs
        self.embedding = nn.Linear(shape.features, config.d_model)
        self.positions = nn.Parameter(self.embedding.weight.new_zeros(shape.tokens, config.d_model))
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.blocks)))
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, outputs)
        self.apply(_initialise)
        nn.init.trunc_normal_(self.positions, std=_SPREAD)

    def forward(self, tokens: Tensor) -> Tensor:
        """The outputs of whole frames."""
        return self.head(self.norm(self.blocks(self.embedding(tokens) + self.positions)).mean(1))


class Block(nn.Module):
    """Norm, attention, residual; norm, MLP with GELU, residual."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        d_model, hidden = config.d_model, config.mlp_ratio * config.d_model
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(d_model)
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.mlp_norm = nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(nn.Linear(d_model, hidden), nn.GELU(), nn.Linear(hidden, d_model))

    def forward(self, residual: Tensor) -> Tensor:
        """[batch, tokens, d_model] -> the same shape."""
        residual = residual + self._attended(self.attention_norm(residual))
        return residual + self.mlp(self.mlp_norm(residual))

    def _attended(self, x: Tensor) -> Tensor:
        """Every token reads every other: softmax(q k' / sqrt(d_model / heads)) v, head by head."""
        projected = self.in_proj(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = projected.unbind(0)  # [batch, heads, tokens, d_model / heads]
        read = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(read.transpose(1, 2).flatten(2))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=_SPREAD)
        nn.init.zeros_(module.bias)
