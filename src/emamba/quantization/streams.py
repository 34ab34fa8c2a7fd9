"""A model unfolded into token streams: the real twins of the graph's operations, differentiable.

`unfold` says once how a network becomes a graph: which streams there are, what they are called, which
weights are folded together. Calibration runs these operations in float, lowering rounds each of them,
and fine-tuning does both at once. Their meaning is the golden function's, in real numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from torch import Tensor, nn

from emamba.config import CurveConfig, MambaConfig, ModelConfig
from emamba.errors import ConfigError
from emamba.model import Mamba
from emamba.model.layers import Depthwise, Pointwise, RangeNorm, Square, convolved, limited, ranged
from emamba.model.mamba import Block, grouped
from emamba.model.scan import scanned_states, selective_scan

# Of a stream: signed; never negative; wide, for the argmax; as it is.
Kind = Literal["activation", "step", "logit", "byte"]
Curve = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Stream:
    name: str
    channels: int
    kind: Kind = "activation"
    limit: float = 0.0  # values saturate at plus and minus this; 0: never


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(_Stream):
    """The frames."""

    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(_Stream):
    """Row x of `table` [256, channels] for a byte x."""

    sources: tuple[str]
    table: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(_Stream):
    """`weight @ x + bias`; negative results become 0 in a stream of kind `step`."""

    sources: tuple[str]
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(_Stream):
    """Depthwise convolution over a grid of tokens, `columns` a row; weight [channels, high, wide].

    The first tap is `above` rows and `left` columns before the output's token; zeros lie beyond the grid.
    """

    sources: tuple[str]
    weight: Tensor
    bias: Tensor
    columns: int
    above: int
    left: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalise(_Stream):
    """`(x - mean) / (max - min)`: a range norm without gain, bias and constant."""

    sources: tuple[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation(_Stream):
    """SiLU as the model computes it, and the choice behind it."""

    sources: tuple[str]
    silu: Curve
    config: CurveConfig


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan(_Stream):
    """Selective scan of (x, delta, b, c); `exp` as the model computes it, and the choice behind it."""

    sources: tuple[str, str, str, str]
    rate: Tensor
    skip: Tensor
    exp: Curve
    config: CurveConfig


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(_Stream):
    """Product of both sources."""

    sources: tuple[str, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(_Stream):
    """Sum of both sources."""

    sources: tuple[str, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(_Stream):
    """Sum over the tokens of a frame (a mean's divisor is folded into the linear map beside it)."""

    sources: tuple[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(_Stream):
    """Each `channels / source's channels` tokens of a frame as one."""

    sources: tuple[str]


Operation = Input | Lookup | Linear | Convolution | Normalise | Activation | Scan | Multiply | Add | Pool | Flatten


def lowerable(config: ModelConfig) -> None:
    """ConfigError if a choice in `config` has no meaning in integers."""
    if not isinstance(config, MambaConfig):
        fact = f"model.kind {config.kind!r} has no integer form"
        raise ConfigError(fact, 'baselines are trained and measured in float only: use emamba train, or kind = "mamba"')
    hint = "only training knows the other forms; choose"
    if config.norm != "range":
        raise ConfigError(f"model.norm {config.norm!r} has no integer form", f'{hint} model.norm = "range"')
    if config.delta != "relu":
        raise ConfigError(f"model.delta {config.delta!r} has no integer form", f'{hint} model.delta = "relu"')


def unfold(model: Mamba) -> tuple[Operation, ...]:
    """The streams of `model`, each after its sources; gradients flow to its parameters.

    ConfigError if a choice of the model has no meaning in integers.
    """
    lowerable(model.config)
    operations: list[Operation] = [*_embedding(model)]
    for i, block in enumerate(model.body):
        operations += _block(f"b{i}_", block, operations[-1].name, model.tokens)
    operations += _head(model, operations[-1].name)
    return tuple(_within(operation, model.config.limit) for operation in operations)


def run(operations: tuple[Operation, ...], tokens: Tensor) -> dict[str, Tensor]:
    """Every stream [batch, time, channels] for `tokens`, by name, in float."""
    streams = {"input": tokens}
    for operation in operations[1:]:
        streams[operation.name] = execute(operation, streams)
    return streams


def execute(operation: Operation, streams: Mapping[str, Tensor]) -> Tensor:
    """The stream that `operation` makes of its sources."""
    return limited(_unlimited(operation, streams), operation.limit)


def _unlimited(operation: Operation, streams: Mapping[str, Tensor]) -> Tensor:
    sources = [streams[name] for name in operation.sources]
    match operation:
        case Input():
            return streams[operation.name]
        case Lookup():
            return nn.functional.embedding(sources[0][..., 0].long(), operation.table)
        case Linear():
            result = nn.functional.linear(sources[0], operation.weight, operation.bias)
            return result.relu() if operation.kind == "step" else result
        case Convolution():
            return _convolved(operation, sources[0])
        case Normalise():
            return ranged(sources[0])
        case Activation():
            return operation.silu(sources[0])
        case Scan():
            return _scanned(operation, streams)
        case Multiply():
            return sources[0] * sources[1]
        case Add():
            return sources[0] + sources[1]
        case Pool():
            return sources[0].sum(1, keepdim=True)
        case Flatten():
            return grouped(sources[0], operation.channels // sources[0].shape[2])
        case _:
            assert_never(operation)


def states(op: Scan, streams: Mapping[str, Tensor]) -> Tensor:
    """All states [batch, time, states, channels] of a scan."""
    x, delta, b, _ = (streams[name] for name in op.sources)
    return scanned_states(x, delta, b, op.rate, op.exp, _start(op, x))


def _convolved(op: Convolution, x: Tensor) -> Tensor:
    _, high, wide = op.weight.shape
    sides = (op.left, wide - 1 - op.left, op.above, high - 1 - op.above)
    padded = nn.functional.pad(x.unflatten(1, (-1, op.columns)), (0, 0, *sides))
    return convolved(padded, op.weight, op.bias).flatten(1, 2)


def _scanned(op: Scan, streams: Mapping[str, Tensor]) -> Tensor:
    x, delta, b, c = (streams[name] for name in op.sources)
    return selective_scan(x, delta, b, c, op.rate, op.skip, op.exp, _start(op, x))[0]


def _start(op: Scan, x: Tensor) -> Tensor:
    """Before the first token of a frame."""
    return x.new_zeros(len(x), op.rate.shape[1], op.channels)


def _embedding(model: Mamba) -> Iterator[Operation]:
    """The stem, if there is one, on every token; groups of tokens; and the linear map in front of the blocks.

    Bytes go to their table alone.
    """
    shape, name, channels = model.shape, "input", model.shape.features
    if isinstance(model.embedding, nn.Embedding):
        yield Input(name=name, channels=channels, kind="byte")
        yield Lookup(name="embed", channels=model.config.d_model, sources=(name,), table=model.embedding.weight)
        return
    yield Input(name=name, channels=channels)
    if model.stem is not None:
        yield _linear("stem", name, model.stem.weight, model.stem.bias)
        name, channels = "stem_silu", model.config.stem
        yield _silu(name, "stem", channels, model.silu, model.config.silu)
    if shape.group > 1:
        yield Flatten(name="group", channels=channels * shape.group, sources=(name,))
        name = "group"
    yield _linear("embed", name, model.embedding.weight, model.embedding.bias)


def _block(p: str, block: Block, residual: str, tokens: int) -> Iterator[Operation]:
    """The streams of one block; their names begin with `p`."""
    config, d_inner = block.config, block.config.d_inner
    weight, bias = _behind_norm(block.norm, block.in_proj)
    yield Normalise(name=f"{p}norm", channels=config.d_model, sources=(residual,))
    yield _linear(f"{p}x", f"{p}norm", weight[:d_inner], bias[:d_inner])
    yield _linear(f"{p}z", f"{p}norm", weight[d_inner:], bias[d_inner:])
    yield _convolution(f"{p}conv", f"{p}x", block.convolution, tokens)
    x = f"{p}conv"
    if config.convolution_silu:
        x = f"{p}conv_silu"
        yield _silu(x, f"{p}conv", d_inner, block.convolution_silu, config.silu)
    parts = block.x_proj.weight.split([config.dt_rank, config.d_state, config.d_state])
    for name, part in zip(("dt", "b", "c"), parts, strict=True):
        yield _linear(f"{p}{name}", x, part, part.new_zeros(len(part)))
    yield _linear(f"{p}delta", f"{p}dt", block.dt_proj.weight, block.dt_proj.bias, "step")
    sources = (x, f"{p}delta", f"{p}b", f"{p}c")
    yield Scan(
        name=f"{p}scan", channels=d_inner, sources=sources,
        rate=block.rate, skip=block.skip, exp=block.exp, config=config.exp,
    )  # fmt: skip
    yield _silu(f"{p}silu", f"{p}z", d_inner, block.silu, config.silu)
    yield Multiply(name=f"{p}gate", channels=d_inner, sources=(f"{p}scan", f"{p}silu"))
    yield _linear(f"{p}out", f"{p}gate", block.out_proj.weight, block.out_proj.bias)
    yield Add(name=f"{p}add", channels=config.d_model, sources=(residual, f"{p}out"))


def _within(operation: Operation, limit: float) -> Operation:
    """`operation` saturated where the model saturates it; elsewhere its values are within any limit anyway."""
    computed = (
        isinstance(operation, Lookup | Linear | Convolution | Scan | Multiply | Add) and operation.kind == "activation"
    )
    return replace(operation, limit=limit) if computed else operation


def _head(model: Mamba, source: str) -> Iterator[Operation]:
    """Final norm and head; the mean's divisor goes into the head's weights."""
    d_model, tokens = model.config.d_model, model.tokens
    weight, bias = _behind_norm(model.norm, model.head)
    yield Normalise(name="norm", channels=d_model, sources=(source,))
    match model.config.head:
        case "mean":
            yield _linear("head", "norm", weight / tokens, bias / tokens, "logit")
            yield Pool(name="pool", channels=model.outputs, sources=("head",), kind="logit")
        case "pool":
            yield Pool(name="pool", channels=d_model, sources=("norm",))
            yield _linear("head", "pool", weight / tokens, bias, "logit")
        case "token":
            yield _linear("head", "norm", weight, bias, "logit")
        case "flatten":
            yield Flatten(name="flatten", channels=d_model * tokens, sources=("norm",))
            yield _linear("head", "flatten", weight, bias, "logit")


def _behind_norm(norm: nn.Module, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of `linear` with gain, constant and bias of the norm before it folded in."""
    assert isinstance(norm, RangeNorm), "lowerable() lets no other norm through"
    copies = linear.in_features // len(norm.gamma)  # a flattened head sees the norm of every token
    gain, offset = (norm.gamma * norm.constant).repeat(copies), norm.beta.repeat(copies)
    bias = linear.weight @ offset
    return linear.weight * gain, bias if linear.bias is None else bias + linear.bias


def _linear(name: str, source: str, weight: Tensor, bias: Tensor | None, kind: Kind = "activation") -> Linear:
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    return Linear(name=name, channels=len(weight), kind=kind, sources=(source,), weight=weight, bias=bias)


def _convolution(name: str, source: str, layer: nn.Module, tokens: int) -> Operation:
    """A causal convolution sees all `tokens` of a frame as one row."""
    match layer:
        case Pointwise():
            return _linear(name, source, layer.linear.weight, layer.linear.bias)
        case Depthwise():
            weight, columns, above, left = layer.weight[:, None], tokens, 0, layer.weight.shape[1] - 1
        case Square():
            weight, columns, around = layer.weight, layer.shape.columns, layer.weight.shape[1] // 2
            above, left = around, around
        case _:
            raise AssertionError("a block has one of three convolutions")
    return Convolution(
        name=name, channels=len(weight), sources=(source,), weight=weight, bias=layer.bias,
        columns=columns, above=above, left=left,
    )  # fmt: skip


def _silu(name: str, source: str, channels: int, silu: Curve, config: CurveConfig) -> Activation:
    return Activation(name=name, channels=channels, sources=(source,), silu=silu, config=config)
