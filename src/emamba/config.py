"""What a user may choose: strict, frozen, validated values read from TOML.

A recipe is one TOML file with the sections below. Every value has a default but `name`; an unknown
key, a wrong type or an impossible value is a ConfigError that says where and what is allowed.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from emamba.errors import ConfigError

Count = Annotated[int, Field(ge=1, le=1 << 16)]
Bits = Annotated[int, Field(ge=2, le=32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kind = TypeVar("Kind", bound=BaseModel)


class Section(BaseModel):
    """Strict, frozen values: no unknown keys, no conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CurveConfig(Section):
    """A nonlinear function in the model: as it is, or as straight segments.

    In the integers an `exact` function of an 8-bit value becomes a table of its 256 values. Knots that are `learned`
    begin as the `optimal` ones, and each layer trains its own.
    """

    form: Literal["exact", "segments"] = "exact"
    segments: Annotated[int, Field(ge=2, le=256)] = 17
    knots: Literal["paper", "optimal", "learned"] = "optimal"

    @model_validator(mode="after")
    def _what_is_learned_is_segments(self) -> Self:
        if self.knots == "learned" and self.form != "segments":
            raise ValueError('knots "learned" need form "segments": an exact function has none to learn')
        return self


class DataConfig(Section):
    """Which data set, and how an image becomes tokens; `data.frames` says what each choice does.

    `patch` is rows and columns of pixels (one number: both), `margin` pixels around it that a token sees
    too; patches of one `group` (its rows and columns; one number: both) follow each other. `mean` and
    `deviation` normalise each channel.
    """

    name: Literal["digits", "fashion-mnist", "cifar-10", "mars", "wikitext-2"] = "digits"
    patch: Annotated[tuple[Count, Count], Field(strict=False)] = (2, 2)
    margin: Annotated[int, Field(ge=0, le=64)] = 0
    group: Annotated[tuple[Count, Count], Field(strict=False)] = (1, 1)
    mean: Annotated[tuple[Finite, ...], Field(strict=False)] = ()
    deviation: Annotated[tuple[Positive, ...], Field(strict=False)] = ()

    @field_validator("patch", "group", mode="before")
    @classmethod
    def _one_number_is_a_square(cls, sides: object) -> object:
        return (sides, sides) if isinstance(sides, int) else sides


class MambaConfig(Section):
    """The network of this package (design: section 4). Sizes in elements; `d_inner = expand * d_model`.

    With a `stem`, a linear map to so many channels and SiLU see each patch by itself; then the patches of a
    group become one token. Where tokens are `bytes`, a table has the d_model channels of each of the 256. A
    `square` convolution sees `d_conv` rows and columns of tokens around each one, later ones too; a `depthwise` one
    the last `d_conv` tokens. The head `token` has outputs for every token, the others for the frame. Activations
    saturate at plus and minus `limit` (0: never), as integers do anyway.
    """

    kind: Literal["mamba"] = "mamba"
    stem: Annotated[int, Field(ge=0, le=1 << 16)] = 0
    embedding: Literal["linear", "bytes"] = "linear"
    d_model: Count = 20
    expand: Count = 2
    d_state: Count = 8
    blocks: Count = 2
    dt_rank: Count = 2
    convolution: Literal["pointwise", "depthwise", "square"] = "depthwise"
    d_conv: Annotated[int, Field(ge=1, le=16)] = 4
    convolution_silu: bool = False
    projection_bias: bool = True
    norm: Literal["range", "layer", "rms"] = "range"
    norm_constant: Positive = 3.125
    delta: Literal["relu", "softplus"] = "relu"
    limit: Fraction = 0.0
    silu: CurveConfig = CurveConfig(form="segments", segments=17)
    exp: CurveConfig = CurveConfig(form="exact")
    head: Literal["mean", "pool", "flatten", "token"] = "pool"

    @model_validator(mode="after")
    def _squares_have_a_middle(self) -> Self:
        if self.convolution == "square" and self.d_conv % 2 == 0:
            raise ValueError(f"d_conv ({self.d_conv}) has to be odd for a square convolution, which has a middle")
        return self

    @model_validator(mode="after")
    def _bytes_go_to_their_table(self) -> Self:
        if self.embedding == "bytes" and self.stem:
            raise ValueError(f"stem ({self.stem}) has to be 0 where tokens are bytes, which are no features")
        return self

    @property
    def d_inner(self) -> int:
        """Channels inside a block."""
        return self.expand * self.d_model


class VitConfig(Section):
    """A vision transformer to compare with; an MLP is `mlp_ratio * d_model` wide inside."""

    kind: Literal["vit"]
    d_model: Count = 32
    blocks: Count = 2
    heads: Count = 4
    mlp_ratio: Count = 2

    @model_validator(mode="after")
    def _heads_divide_the_channels(self) -> Self:
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) has to divide d_model ({self.d_model})")
        return self


class CnnConfig(Section):
    """A convolutional network to compare with: `channels` of 3x3 convolutions, widths of `dense` layers.

    Convolutions are counted from 1; behind those in `pool_after`, 2x2 max pooling halves both sides.
    Batch norm stands before, dropout behind the ReLU of every convolution and dense layer.
    """

    kind: Literal["cnn"]
    channels: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] = (16, 32)
    pool_after: Annotated[tuple[Count, ...], Field(strict=False)] = ()
    dense: Annotated[tuple[Count, ...], Field(strict=False)] = (512,)
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _pools_follow_convolutions(self) -> Self:
        for number in self.pool_after:
            if number > len(self.channels):
                raise ValueError(f"pool_after names convolution {number}, but channels has {len(self.channels)}")
        if len(set(self.pool_after)) < len(self.pool_after):
            raise ValueError(f"pool_after names a convolution twice: {list(self.pool_after)}")
        return self


class LstmConfig(Section):
    """A long short-term memory to compare with: `layers` of `d_model` cells over the tokens."""

    kind: Literal["lstm"]
    d_model: Count = 64
    layers: Count = 1


ModelConfig = MambaConfig | VitConfig | CnnConfig | LstmConfig
_KINDS = {"mamba": MambaConfig, "vit": VitConfig, "cnn": CnnConfig, "lstm": LstmConfig}


class AugmentationConfig(Section):
    """How training images are changed at random; `training.augmentation` says what each choice does."""

    shift: Annotated[float, Field(ge=0, le=8)] = 0.0
    flip: bool = False
    erase: Annotated[float, Field(ge=0, le=1)] = 0.0
    drop_points: Annotated[float, Field(ge=0, lt=1)] = 0.0


class TeacherConfig(Section):
    """Distillation: the network of another recipe is trained first, then followed to a `share`.

    It sees training images `changed` at random as its student does, or `plain`: then it is asked once for
    all, which takes no time in training. `temperature` softens the classes of both, and means nothing for
    coordinates. With `unlabelled`, training images without targets are learned from too: the teacher's outputs
    are their targets. Without a recipe there is no teacher.
    """

    recipe: str = ""
    share: Annotated[float, Field(ge=0, le=1)] = 0.7
    sees: Literal["changed", "plain"] = "changed"
    unlabelled: bool = False
    temperature: Positive = 2.0


class TrainingConfig(Section):
    """AdamW under a one-cycle schedule.

    `averaging` is the share of the running average of the weights that stays at each step (0: the last
    weights count), less where the average would look back over more than a quarter of the training. `validation` says
    whether the validation images measure the model or train it too. On the CPU a batch is divided among `threads`, and
    sums depend on their number. `device` "auto" is a GPU where PyTorch finds one; integers are made on the CPU.
    """

    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    epochs: Count = 60
    batch_size: Count = 64
    learning_rate: Positive = 0.01
    weight_decay: Fraction = 0.01
    gradient_clip: Positive = 1.0
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validation: Literal["measures", "trains"] = "measures"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    augmentation: AugmentationConfig = AugmentationConfig()
    teacher: TeacherConfig = TeacherConfig()


class QuantizationConfig(Section):
    """Widths of the integers, and fine-tuning with them in the loop (0 epochs: none).

    `weight_scales` says whether linear maps and convolutions have one scale for all weights or one for each
    output channel. `rate_bits` are those of how fast states forget: where the fastest of a scan forgets so much
    faster than the slowest that this becomes 0, it never forgets.
    """

    weight_bits: Annotated[int, Field(ge=2, le=16)] = 8
    weight_scales: Literal["tensor", "channel"] = "tensor"
    rate_bits: Annotated[int, Field(ge=2, le=16)] = 8
    activation_bits: Annotated[int, Field(ge=2, le=12)] = 8
    state_bits: Bits = 17
    compute_bits: Bits = 24
    calibration_frames: Count = 256
    finetune_epochs: Annotated[int, Field(ge=0, le=1 << 16)] = 4
    finetune_learning_rate: Positive = 0.001

    @model_validator(mode="after")
    def _state_is_computed_wider_than_stored(self) -> Self:
        if not 1 <= self.compute_bits - self.state_bits <= 12:
            raise ValueError(
                f"compute_bits ({self.compute_bits}) has to exceed state_bits ({self.state_bits}) by 1 to 12: "
                "the difference is the precision of the decay"
            )
        return self


class HardwareConfig(Section):
    """The accelerator: cycles between two tokens, latency of a frame, and the clock that rates are stated at.

    `latency_cycles` is the longest wished from a frame's first beat in to its last beat out (0: any). `weights` are
    constants (`rom`), or lie in memories that other weights can be loaded into (`ram`). With `packing`, pairs of
    products with a common factor share a DSP block of an FPGA that multiplies 27 by 18 bits; not with `ram`.
    """

    interval_cycles: Annotated[int, Field(ge=3, le=1 << 16)] = 40  # the state of a scan comes round in 3
    latency_cycles: Annotated[int, Field(ge=0, le=1 << 24)] = 0
    clock_mhz: Positive = 100.0
    weights: Literal["rom", "ram"] = "rom"
    packing: bool = False

    @model_validator(mode="after")
    def _what_is_loaded_is_not_packed(self) -> Self:
        if self.packing and self.weights == "ram":
            raise ValueError("packing has to be off (--no-packing) where weights are in ram, each loaded alone")
        return self


class VerifyConfig(Section):
    """How golden, C and RTL are compared: on how many test frames (0: all), of how many every tensor; random stalls."""

    frames: Annotated[int, Field(ge=0, le=1 << 16)] = 0
    trace_frames: Annotated[int, Field(ge=0, le=1 << 16)] = 16
    stalls: bool = False


class Config(Section):
    """A whole recipe."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]
    data: DataConfig = DataConfig()
    model: Annotated[ModelConfig, Field(discriminator="kind")] = MambaConfig()
    training: TrainingConfig = TrainingConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    hardware: HardwareConfig = HardwareConfig()
    verify: VerifyConfig = VerifyConfig()

    @field_validator("model", mode="before")
    @classmethod
    def _a_model_is_a_mamba_unless_it_says_otherwise(cls, section: object) -> object:
        return {"kind": "mamba", **section} if isinstance(section, dict) else section


def load_config(recipe: Path | str) -> Config:
    """The recipe in a TOML file, or the one of that name that comes with the package."""
    path = Path(recipe)
    if not path.suffix and not path.is_file():
        return parse_config(_packaged(str(recipe)), str(recipe))
    try:
        return parse_config(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        hint = f"give a TOML file, or one of: {', '.join(recipes())}"
        raise ConfigError(f"cannot read recipe {path}: {error}", hint) from error


def seeded(config: Config, seed: int) -> Config:
    """`config` with another seed of its training; ConfigError if no generator takes it."""
    if not 0 <= seed < 1 << 32:
        raise ConfigError(f"seed {seed} is outside 0..{(1 << 32) - 1}", "give one in that range")
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})


def recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("emamba") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def parse_config(text: str, origin: str = "recipe") -> Config:
    """The recipe in `text`; `origin` names it in errors."""
    return parsed(Config, text, origin)


def parsed(kind: type[Kind], text: str, origin: str) -> Kind:
    """`text` as TOML that `kind` describes; a ConfigError says what is wrong where, and what is allowed there."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}", "check the line named; strings need quotes") from error
    return validated(kind, values, origin)


def validated(kind: type[Kind], values: Mapping[str, Any], origin: str) -> Kind:
    """`values` as a `kind`, with the errors of `parsed`."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explained(kind, error.errors()[0], origin) from error


def dump_config(config: Config) -> str:
    """`config` as TOML with every value spelled out; `parse_config` gives it back."""
    return "\n".join(_toml(config.model_dump(), "")) + "\n"


def _toml(section: dict[str, Any], path: str) -> list[str]:
    """Lines of a section: its values, then the sections inside it."""
    inside = {key: value for key, value in section.items() if isinstance(value, dict)}
    # JSON writes strings, booleans and finite numbers just as TOML does.
    lines = [f"{key} = {json.dumps(value)}" for key, value in section.items() if key not in inside]
    for key, value in inside.items():
        lines += ["", f"[{path}{key}]", *_toml(value, f"{path}{key}.")]
    return lines


def _packaged(name: str) -> str:
    if name not in recipes():
        raise ConfigError(f"there is no recipe {name!r}", f"give a TOML file, or one of: {', '.join(recipes())}")
    return (resources.files("emamba") / "recipes" / f"{name}.toml").read_text()


def _explained(kind: type[BaseModel], error: Mapping[str, Any], origin: str) -> ConfigError:
    """The first thing that pydantic found wrong: where, what, and what is allowed there."""
    keys, section = _place(kind, error["loc"])
    where = ".".join(keys)
    if error["type"] == "union_tag_invalid":
        fact = f"{origin}: {where}.kind: there is no network {error['input']['kind']!r}"
        return ConfigError(fact, f"known kinds: {', '.join(_KINDS)}")
    got = "" if isinstance(error["input"], dict) else f", got {error['input']!r}"
    fact = ": ".join(filter(None, (origin, where, error["msg"].removeprefix("Value error, ")))) + got
    unknown = error["type"] == "extra_forbidden"
    return ConfigError(fact, f"known keys here: {', '.join(section)}" if unknown else f"change {where or 'it'} there")


def _place(kind: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """The keys in `kind` that lead to `loc`, and those its section knows. Pydantic puts a model's kind among them."""
    keys: list[str] = []
    known: list[str] = list(kind.model_fields)
    section: Any = kind
    for part in loc:
        if section == ModelConfig:
            section = _KINDS[str(part)]
            continue
        keys.append(str(part))
        if isinstance(section, type) and issubclass(section, BaseModel):
            known = list(section.model_fields)
            section = section.model_fields[part].annotation if part in section.model_fields else None
    return keys, known
