import json

import pytest
import torch
from safetensors.torch import load, save

from baselines import BASELINES, SHAPES, recipe
from emamba.config import Config, HardwareConfig, MambaConfig, TrainingConfig
from emamba.errors import ArtifactError
from emamba.model import Mamba, Shape, build
from emamba.training import checkpoint, load_checkpoint, save_checkpoint

CONFIG = Config(name="tiny", model=MambaConfig(d_model=4, d_state=2, blocks=1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Mamba(CONFIG.model, Shape(4, 4, 4), 10)


@pytest.fixture
def path(model, tmp_path):
    return save_checkpoint(model, CONFIG, tmp_path / "model.safetensors")


def test_a_checkpoint_comes_back(model, path):
    again = load_checkpoint(path, CONFIG)
    assert (again.shape, again.outputs) == (Shape(4, 4, 4), 10)
    tokens = torch.rand(2, 16, 4)
    assert torch.equal(again(tokens), model(tokens))


@pytest.mark.parametrize("kind", BASELINES)
def test_a_checkpoint_of_every_kind_comes_back(kind, tmp_path):
    config, shape = recipe(kind), SHAPES[kind]
    model = build(config.model, shape, 10)
    tokens = torch.rand(5, shape.tokens, shape.features)
    model(tokens)  # moves what batch norm remembers
    again = load_checkpoint(save_checkpoint(model, config, tmp_path / "model.safetensors"), config)
    assert (type(again), again.shape, again.outputs) == (type(model), shape, 10)
    assert torch.equal(again.eval()(tokens), model.eval()(tokens))


def test_another_kind_is_refused(path):
    fact = "model.kind is 'mamba' there, 'lstm' here"
    with pytest.raises(ArtifactError, match=fact):
        load_checkpoint(path, CONFIG.model_copy(update={"model": BASELINES["lstm"]}))


def test_the_same_model_gives_the_same_bytes(model, path, tmp_path):
    assert save_checkpoint(model, CONFIG, tmp_path / "again").read_bytes() == path.read_bytes()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_what_does_not_decide_the_parameters_may_change(path):
    other = CONFIG.model_copy(update={"hardware": HardwareConfig(interval_cycles=80)})
    load_checkpoint(path, other)


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"model": MambaConfig(d_model=8, d_state=2, blocks=1)}, "model.d_model is 4 there, 8 here"),
        ({"training": TrainingConfig(seed=7)}, "training.seed is 0 there, 7 here"),
    ],
)
def test_another_recipe_is_refused(path, change, fact):
    with pytest.raises(ArtifactError, match=fact) as caught:
        load_checkpoint(path, CONFIG.model_copy(update=change))
    assert caught.value.hint == "train again, or restore the recipe"


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match=r"model.safetensors is damaged"):
        load_checkpoint(path, CONFIG)


@pytest.mark.parametrize("header", ["[]", '{"__metadata__": null}', '{"__metadata__": {"emamba": 3}}'])
def test_a_header_of_a_wrong_type_is_refused(path, header):
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with pytest.raises(ArtifactError, match=r"model.safetensors is damaged"):
        load_checkpoint(path, CONFIG)


def test_every_altered_byte_is_found(path):
    good = path.read_bytes()
    for place in range(0, len(good), 97):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        with pytest.raises(ArtifactError):
            load_checkpoint(path, CONFIG)


def test_altered_values_are_found_by_the_hash(path):
    good = path.read_bytes()
    path.write_bytes(good[:-4] + b"\0\0\0\0")
    with pytest.raises(ArtifactError, match="does not match its hash"):
        load_checkpoint(path, CONFIG)


@pytest.mark.parametrize(
    "metadata", [None, {"emamba": json.dumps({"format": "other"})}, {"emamba": "[]"}, {"emamba": "{"}]
)
def test_a_foreign_file_is_refused(path, metadata):
    path.write_bytes(save(load(path.read_bytes()), metadata))
    with pytest.raises(ArtifactError):
        load_checkpoint(path, CONFIG)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        load_checkpoint(tmp_path / "model.safetensors", CONFIG)


def test_a_key_that_recipes_did_not_have_then_has_its_default(model, path):
    data = path.read_bytes()
    about = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["emamba"])
    del about["config"]["training"]["averaging"], about["hash"]
    tensors = load(data)
    about["hash"] = checkpoint._hash(about, tensors)
    path.write_bytes(save(tensors, {"emamba": json.dumps(about, sort_keys=True)}))
    load_checkpoint(path, CONFIG)
    with pytest.raises(ArtifactError, match=r"averaging is 0.0 there, 0.5 here"):
        load_checkpoint(path, CONFIG.model_copy(update={"training": TrainingConfig(averaging=0.5)}))
