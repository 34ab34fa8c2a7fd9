"""Small models in every form that has an integer meaning, and digits to feed them: their pixels as a text, to one."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from emamba.config import Config, CurveConfig, DataConfig, MambaConfig, QuantizationConfig, TrainingConfig
from emamba.data import Dataset, Split, frames, load_dataset
from emamba.model import Mamba, Shape

EXACT = CurveConfig(form="exact")
ELEVEN = CurveConfig(form="segments", segments=11, knots="paper")
PAPER = CurveConfig(form="segments", segments=17, knots="paper")
FIVE, FOUR = (CurveConfig(form="segments", segments=count, knots="learned") for count in (5, 4))
MODELS = {
    "digits": MambaConfig(head="flatten", d_state=4),
    "paper": MambaConfig(d_model=8, dt_rank=6, d_state=3, convolution="pointwise", head="mean", silu=PAPER, exp=ELEVEN),
    "tables": MambaConfig(
        d_model=8, d_state=2, d_conv=1, silu=EXACT, exp=EXACT, head="pool", convolution_silu=True, limit=1.0
    ),
    "bare": MambaConfig(d_model=6, d_state=3, blocks=1, d_conv=2, projection_bias=False, exp=ELEVEN),
    "grid": MambaConfig(stem=5, d_model=6, d_state=2, convolution="square", d_conv=3, silu=EXACT, limit=2.0),
    "bytes": MambaConfig(embedding="bytes", d_model=6, d_state=2, silu=EXACT, limit=2.0, head="token"),
    "learned": MambaConfig(stem=5, d_model=6, d_state=2, convolution_silu=True, limit=2.0, silu=FIVE, exp=FOUR),
}
DATA = {name: DataConfig() for name in MODELS}
DATA |= {"grid": DataConfig(group=(2, 1)), "bytes": DataConfig(patch=(1, 1))}
SHAPES = {name: Shape(4, 4, 4) for name in MODELS} | {"grid": Shape(2, 4, 4, 2), "bytes": Shape(1, 64, 1)}
INTEGERS = {name: QuantizationConfig() for name in MODELS} | {
    "paper": QuantizationConfig(weight_scales="channel"),
    "learned": QuantizationConfig(activation_bits=10),  # gradients of knots are small beside the noise of 8 bits
    "bare": QuantizationConfig(
        weight_bits=6, weight_scales="channel", activation_bits=7, state_bits=14, compute_bits=20
    ),
}


@lru_cache
def dataset(variant: str = "digits", train: int = 80, test: int = 40) -> Dataset:
    """The first digits; for bytes a text, of 17 different bytes in frames of 64."""
    whole = load_dataset("digits")
    parts = {"train": whole.train[:train], "validation": whole.validation, "test": whole.test[:test]}
    if variant == "bytes":
        texts = {name: written(part) for name, part in parts.items()}
        return Dataset("text", "the first digits, as a text", **texts, outputs=256, task="language")
    return replace(whole, identity="the first digits", **parts)


def written(part: Split) -> Split:
    """Pixels as bytes 0..16; behind each comes the next one."""
    rows = (16 * part.images).reshape(len(part), 1, 64, 1)
    return Split(rows, np.roll(rows.ravel(), -1).reshape(-1, 64).astype(np.int64))


def recipe(variant: str) -> Config:
    """A recipe that trains for a moment only."""
    return Config(
        name=variant,
        data=DATA[variant],
        model=MODELS[variant],
        training=TrainingConfig(epochs=2, batch_size=20, learning_rate=0.02),
        quantization=INTEGERS[variant].model_copy(update={"finetune_epochs": 1}),
    )


def built(variant: str) -> Mamba:
    """A model whose every parameter is random, so that none hides behind a 0 or 1."""
    torch.manual_seed(11)
    model = Mamba(MODELS[variant], SHAPES[variant], 256 if variant == "bytes" else 10)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def tokens(variant: str = "digits", count: int = 40):
    """Test digits as tokens [count, 16, 4], or as bytes [count, 64, 1]."""
    choice = DATA[variant] if variant == "bytes" else DataConfig()
    return frames(dataset(variant).test.images[:count], choice)
