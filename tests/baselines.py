"""Small networks of every kind that a Mamba is compared with, and how they learn digits in a second or two."""

from emamba.config import CnnConfig, Config, DataConfig, LstmConfig, ModelConfig, TrainingConfig, VitConfig
from emamba.data import load_dataset
from emamba.model import Shape
from emamba.training import evaluate, train

BASELINES: dict[str, ModelConfig] = {
    "vit": VitConfig(kind="vit", d_model=24, blocks=1, heads=4),
    "cnn": CnnConfig(kind="cnn", channels=(8, 16), pool_after=(1, 2), dense=(32,), batch_norm=True, dropout=0.1),
    "lstm": LstmConfig(kind="lstm", d_model=24),
}
TRAINING = {
    "vit": {"epochs": 20, "learning_rate": 0.01},
    "cnn": {"epochs": 4, "learning_rate": 0.01},
    "lstm": {"epochs": 30, "learning_rate": 0.03},
}
SHAPES = {"vit": Shape(4, 4, 4), "cnn": Shape(8, 8, 1), "lstm": Shape(4, 4, 4)}


def recipe(kind: str, **training: object) -> Config:
    """Trains on digits; a CNN reads pixels, the others patches of 2x2."""
    chosen = TrainingConfig(**{**TRAINING[kind], **training})
    return Config(
        name=kind, data=DataConfig(patch=(1, 1) if kind == "cnn" else (2, 2)), model=BASELINES[kind], training=chosen
    )


def learned(kind: str) -> float:
    """Accuracy on the test images after training."""
    config, dataset = recipe(kind), load_dataset("digits")
    model, _ = train(config, dataset)
    return evaluate(model, dataset.test, dataset.task, config.data)
