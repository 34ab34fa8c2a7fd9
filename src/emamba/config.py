"""What a user may choose: strict, frozen, validated values read from TOML.

A recipe is one TOML file with the sections below. Every value has a default but `name`; an unknown
key, a wrong type or an impossible value is a ConfigError that says where and what is allowed.
"""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emamba.errors import ConfigError

Count = Annotated[int, Field(ge=1, le=1 << 16)]
Bits = Annotated[int, Field(ge=2, le=32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CurveConfig(_Section):
    """A nonlinear function in the model: as it is, or as straight segments.

    In the integers an `exact` function of an 8-bit value becomes a table of its 256 values.
    """

    form: Literal["exact", "segments"] = "exact"
    segments: Annotated[int, Field(ge=2, le=256)] = 17
    knots: Literal["paper", "optimal"] = "optimal"


class DataConfig(_Section):
    """Which data set, and how an image becomes tokens."""

    name: Literal["digits", "fashion-mnist", "cifar-10", "mars"] = "digits"
    patch: Count = 2


class ModelConfig(_Section):
    """The network (design: section 4). Sizes in elements; `d_inner = expand * d_model`."""

    d_model: Count = 20
    expand: Count = 2
    d_state: Count = 8
    blocks: Count = 2
    dt_rank: Count = 2
    convolution: Literal["pointwise", "depthwise"] = "depthwise"
    d_conv: Annotated[int, Field(ge=1, le=16)] = 4
    convolution_silu: bool = False
    projection_bias: bool = True
    norm: Literal["range", "layer", "rms"] = "range"
    norm_constant: Positive = 3.125
    delta: Literal["relu", "softplus"] = "relu"
    silu: CurveConfig = CurveConfig(form="segments", segments=17)
    exp: CurveConfig = CurveConfig(form="exact")
    head: Literal["mean", "pool", "flatten"] = "pool"

    @property
    def d_inner(self) -> int:
        """Channels inside a block."""
        return self.expand * self.d_model


class TrainingConfig(_Section):
    """AdamW under a one-cycle schedule; images shifted at random by up to `shift` pixels."""

    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    epochs: Count = 60
    batch_size: Count = 64
    learning_rate: Positive = 0.01
    weight_decay: Fraction = 0.01
    gradient_clip: Positive = 1.0
    shift: Annotated[float, Field(ge=0, le=8)] = 0.0


class QuantizationConfig(_Section):
    """Widths of the integers, and fine-tuning with them in the loop (0 epochs: none)."""

    weight_bits: Annotated[int, Field(ge=2, le=16)] = 8
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


class HardwareConfig(_Section):
    """The accelerator: cycles between two tokens, and the clock that rates are stated at."""

    interval_cycles: Annotated[int, Field(ge=3, le=1 << 16)] = 40  # the state of a scan comes round in 3
    clock_mhz: Positive = 100.0


class VerifyConfig(_Section):
    """How golden, C and RTL are compared: frames whose every tensor is compared, random stalls."""

    trace_frames: Annotated[int, Field(ge=0, le=1 << 16)] = 16
    stalls: bool = False


class Config(_Section):
    """A whole recipe."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    hardware: HardwareConfig = HardwareConfig()
    verify: VerifyConfig = VerifyConfig()


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


def recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("emamba") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def parse_config(text: str, origin: str = "recipe") -> Config:
    """The recipe in `text`; `origin` names it in errors."""
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}", "check the line named; strings need quotes") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        fact = f"{origin}: {where}: {first['msg'].removeprefix('Value error, ')}"
        got = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
        raise ConfigError(fact + got, _hint(first["type"], where)) from error


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


def _hint(kind: str, where: str) -> str:
    """What is allowed at `where`: for an unknown key, the keys that exist there."""
    if kind != "extra_forbidden":
        return f"change {where} in the recipe"
    section: type[BaseModel] = Config
    for part in where.split(".")[:-1]:
        annotation = section.model_fields[part].annotation
        assert isinstance(annotation, type), "sections nest plainly"
        section = annotation
    return f"known keys here: {', '.join(section.model_fields)}"
