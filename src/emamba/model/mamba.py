"""Mamba-1 in PyTorch, in the exact and in the hardware-friendly forms of `config.MambaConfig`.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023; the
hardware-friendly forms follow design.md section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from emamba.config import CurveConfig, MambaConfig
from emamba.errors import ConfigError
from emamba.model import layers
from emamba.model.scan import selective_scan
from emamba.model.shape import Shape

BYTES = 256  # values of a byte

Weights = Mapping[str, Tensor]  # parameters and buffers of a network, by name

_DELTA_RANGE = (0.01, 0.3)  # step sizes at the start, spread evenly on a logarithmic scale
_DELTA_WEIGHT = 0.1  # share of the usual initial weight of dt_proj, so that few deltas start below 0


@dataclass(frozen=True, eq=False)
class BlockState:
    """Memory of one block: `window` [batch, tokens looked back, d_inner], `hidden` [batch, d_state, d_inner]."""

    window: Tensor
    hidden: Tensor


@dataclass(frozen=True, eq=False)
class State:
    """Memory of a model between two tokens; `features` [batch, tokens, d_model] of the `seen` tokens."""

    blocks: tuple[BlockState, ...]
    features: Tensor
    seen: int


class Mamba(nn.Module):
    """Tokens [batch, tokens, features] -> logits [batch, outputs]. The blocks see `tokens`: one a group.

    With the head `token` the logits are [batch, tokens, outputs]. Where tokens are bytes, 0 to 255, a frame has
    one feature and its groups one token; ConfigError otherwise.
    """

    def __init__(self, config: MambaConfig, shape: Shape, outputs: int) -> None:
        super().__init__()
        self.config, self.shape, self.outputs = config, shape, outputs
        self.tokens = shape.rows * shape.columns
        self.stem = nn.Linear(shape.features, config.stem) if config.stem else None
        self.silu = layers.silu(config.silu) if config.stem else nn.Identity()
        self.embedding = _embedding(config, shape)
        self.blocks = nn.ModuleList(Block(config, shape) for _ in range(config.blocks))
        self.norm = layers.norm(config)
        self.head = nn.Linear(config.d_model * (self.tokens if config.head == "flatten" else 1), outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of whole frames [batch, tokens, features]."""
        return self._advance(tokens, self.start(len(tokens)))[0]

    def step(self, group: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits after one more group of tokens [batch, group, features], and the memory for the next one.

        The logits are those of a frame that ends here; after the last group, those of `forward`. With the head
        `token` they are those of this group alone.
        ConfigError if the model looks ahead.
        """
        if self.config.convolution == "square":
            raise ConfigError("a model with square convolutions looks ahead", "give it whole frames: forward()")
        return self._advance(group, state)

    def start(self, batch: int) -> State:
        """The memory before the first token of `batch` frames."""
        empty = self.head.weight.new_zeros
        blocks = tuple(block.start(batch) for block in self.body)
        return State(blocks, empty(batch, self.tokens, self.config.d_model), 0)

    @property
    def body(self) -> list[Block]:
        """The blocks, in order (`blocks` as a list with its element type)."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def _advance(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        x, blocks = self._embedded(tokens), []
        for block, memory in zip(self.body, state.blocks, strict=True):
            x, after = block(x, memory)
            blocks.append(after)
        seen, normed = state.seen + x.shape[1], self.norm(x)
        features = torch.cat([state.features[:, : state.seen], normed, state.features[:, seen:]], dim=1)
        logits = self.head(normed) if self.config.head == "token" else self._classify(features, seen)
        return logits, State(tuple(blocks), features, seen)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """[batch, tokens, features] -> [batch, tokens / group, d_model]."""
        limit = self.config.limit
        if self.config.embedding == "bytes":
            return layers.limited(self.embedding(tokens[..., 0].long()), limit)
        if self.stem is not None:
            tokens = layers.saturated(self.silu, self.stem(tokens), limit)
        return layers.limited(self.embedding(grouped(tokens, self.shape.group)), limit)

    def _classify(self, features: Tensor, seen: int) -> Tensor:
        """In real numbers a linear map of each token, averaged, is a linear map of the average."""
        flat = self.config.head == "flatten"
        return self.head(features.flatten(1) if flat else features.sum(1) / seen)


def _embedding(config: MambaConfig, shape: Shape) -> nn.Linear | nn.Embedding:
    """What makes `d_model` channels of a group of tokens."""
    if config.embedding == "linear":
        return nn.Linear((config.stem or shape.features) * shape.group, config.d_model)
    if shape.features != 1 or shape.group != 1:
        fact = f"model.embedding: a byte is one feature, but a token has {shape.features * shape.group}"
        raise ConfigError(fact, 'set data.patch, data.group to 1 and data.margin to 0, or model.embedding = "linear"')
    return nn.Embedding(BYTES, config.d_model)


def grouped(tokens: Tensor, count: int) -> Tensor:
    """[batch, tokens, channels] -> [batch, tokens / count, count * channels]: each `count` tokens as one."""
    return tokens.unflatten(1, (-1, count)).flatten(2)


class Block(nn.Module):
    """Norm, projection to x and gate z, convolution, selective scan, gate, projection, residual."""

    def __init__(self, config: MambaConfig, shape: Shape) -> None:
        super().__init__()
        self.config = config
        d_model, d_inner, d_state, dt_rank = config.d_model, config.d_inner, config.d_state, config.dt_rank
        self.norm = layers.norm(config)
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=config.projection_bias)
        self.convolution = layers.convolution(config, shape)
        self.x_proj = nn.Linear(d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.rate_log = nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(d_inner, 1))
        self.skip = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model, bias=config.projection_bias)
        self.silu, self.exp = layers.silu(config.silu), layers.exp(config.exp)
        self.convolution_silu = layers.silu(config.silu) if config.convolution_silu else nn.Identity()
        self._initialise_delta()

    def forward(self, residual: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """`residual` [batch, time, d_model] -> the same shape, and the memory after it."""
        config, limited = self.config, self._limited
        x, z = limited(self.in_proj(self.norm(residual))).chunk(2, dim=-1)
        x, window = self.convolution(x, state.window)
        x = layers.saturated(self.convolution_silu, x, config.limit)
        low, b, c = limited(self.x_proj(x)).split([config.dt_rank, config.d_state, config.d_state], dim=-1)
        y, hidden = selective_scan(x, self.delta(low), b, c, self.rate, self.skip, self.exp, state.hidden)
        gated = layers.gated(y, z, self.silu, config.limit)
        return limited(residual + limited(self.out_proj(gated))), BlockState(window, hidden)

    @property
    def rate(self) -> Tensor:
        """-A [d_inner, d_state]: how fast each state forgets; positive. S4D-real: 1 to d_state at the start."""
        return self.rate_log.exp()

    def delta(self, low: Tensor) -> Tensor:
        """Step sizes [batch, time, d_inner] from their `dt_rank` factors."""
        raw = self.dt_proj(low)
        return raw.relu() if self.config.delta == "relu" else nn.functional.softplus(raw)

    def _limited(self, x: Tensor) -> Tensor:
        return layers.limited(x, self.config.limit)

    def start(self, batch: int) -> BlockState:
        """The memory before the first token: zeros."""
        empty, config = self.skip.new_zeros, self.config
        window = config.d_conv - 1 if config.convolution == "depthwise" else 0
        return BlockState(empty(batch, window, config.d_inner), empty(batch, config.d_state, config.d_inner))

    @torch.no_grad()
    def _initialise_delta(self) -> None:
        """Starts delta at `_DELTA_RANGE`.

        A ReLU passes no gradient below zero: with the usual zero-centred start, half of the channels
        would never learn. So the bias is the wanted step itself (for softplus: its inverse), and the
        weights are small beside it.
        """
        lo, hi = (torch.tensor(end).log().item() for end in _DELTA_RANGE)
        steps = torch.empty(self.config.d_inner).uniform_(lo, hi).exp()
        self.dt_proj.bias.copy_(steps if self.config.delta == "relu" else torch.expm1(steps).log())
        self.dt_proj.weight.uniform_(-1, 1).mul_(_DELTA_WEIGHT * self.config.dt_rank**-0.5)


def twin(model: Mamba, silu: CurveConfig | None = None, exp: CurveConfig | None = None) -> Mamba:
    """A copy of `model` whose curves have the forms given, if any; all else is equal.

    Learned curves stay as they are where form and segments do, and are as before training where they are new.
    """
    changes = {"silu": silu or model.config.silu, "exp": exp or model.config.exp}
    copy = Mamba(model.config.model_copy(update=changes), model.shape, model.outputs).to(model.head.weight)
    inherit(copy, model.state_dict())
    return copy.train(model.training)


def exact_twin(model: Mamba) -> Mamba:
    """A copy of `model` whose SiLU and exp are the exact functions; `model` itself if they are.

    Learned curves approximate nothing and stay: without them it would be a network that nobody trained.
    """
    exact, curves = CurveConfig(form="exact"), {"silu": model.config.silu, "exp": model.config.exp}
    changes = {name: exact for name, it in curves.items() if it.form == "segments" and it.knots != "learned"}
    return twin(model, **changes) if changes else model


def inherit(model: nn.Module, donor: Weights) -> None:
    """Gives `model` the tensors of `donor` whose name and shape it has too."""
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in donor.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(own | fitting)
