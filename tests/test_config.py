"""Recipes: strict, and an error that says where and what is allowed."""

import pytest
from pydantic import ValidationError

from emamba.config import Config, dump_config, load_config, parse_config, recipes
from emamba.errors import ConfigError


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.toml")
    return caught.value


def test_a_name_is_all_a_recipe_needs():
    config = parse_config('name = "toy"')
    assert config == Config(name="toy")
    assert config.model.d_inner == config.model.expand * config.model.d_model


def test_sections_nest():
    config = parse_config('name = "toy"\n[model]\nd_model = 8\n[model.exp]\nform = "segments"\nsegments = 11\n')
    assert (config.model.d_model, config.model.exp.form, config.model.exp.segments) == (8, "segments", 11)


def test_values_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config(name="toy").model.d_model = 3  # type: ignore[misc]


def test_an_unknown_key_lists_the_known_ones():
    error = refused('name = "toy"\n[model]\nd_modle = 8')
    assert error.message.startswith("my.toml: model.d_modle: ")
    assert "known keys here: kind, d_model, expand" in error.hint


def test_an_unknown_key_of_a_nested_section_lists_the_known_ones():
    assert refused('name = "toy"\n[model.silu]\nx = 1').hint == "known keys here: form, segments, knots"


def test_an_unknown_section_lists_the_known_ones():
    assert refused('name = "toy"\n[modle]\n').hint.startswith("known keys here: name, data, model")


@pytest.mark.parametrize(
    ("line", "where", "got"),
    [
        ('model.d_model = "8"', "model.d_model", "'8'"),
        ("model.d_model = 8.0", "model.d_model", "8.0"),
        ("model.projection_bias = 1", "model.projection_bias", "1"),
        ("training.learning_rate = true", "training.learning_rate", "True"),
        ("model = 3", "model", "3"),
        ("data.patch = 0", "data.patch", "0"),
        ("hardware.interval_cycles = 0", "hardware.interval_cycles", "0"),
        ("quantization.weight_bits = -8", "quantization.weight_bits", "-8"),
        ("quantization.weight_bits = 1", "quantization.weight_bits", "1"),
        ("training.learning_rate = 0.0", "training.learning_rate", "0.0"),
        ("training.learning_rate = inf", "training.learning_rate", "inf"),
        ("training.learning_rate = nan", "training.learning_rate", "nan"),
        ("training.seed = -1", "training.seed", "-1"),
        ('model.norm = "batch"', "model.norm", "'batch'"),
        ("model.silu.segments = 1", "model.silu.segments", "1"),
        ('data.name = "cifar"', "data.name", "'cifar'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(line, where, got):
    error = refused(f'name = "toy"\n{line}')
    assert error.message.startswith(f"my.toml: {where}: ")
    assert error.message.endswith(f"got {got}")
    assert error.hint == f"change {where} in the recipe"


@pytest.mark.parametrize("name", ["", "A", "two words", "../up", "x__y", "x_", "9", "x" * 41])
def test_a_name_that_could_not_name_a_module_is_refused(name):
    assert "name: " in refused(f'name = "{name}"').message


def test_a_missing_name_is_said():
    assert refused("").message == "my.toml: name: Field required"


@pytest.mark.parametrize(("state", "compute"), [(24, 24), (24, 17), (8, 21)])
def test_the_state_is_computed_wider_than_it_is_stored(state, compute):
    error = refused(f'name = "toy"\n[quantization]\nstate_bits = {state}\ncompute_bits = {compute}')
    assert f"compute_bits ({compute}) has to exceed state_bits ({state}) by 1 to 12" in error.message


def test_what_is_not_toml_names_the_line():
    error = refused("name = toy")
    assert error.message.startswith("my.toml is not TOML: ")
    assert "line 1" in error.message


def test_every_packaged_recipe_loads_under_its_own_name():
    assert "digits" in recipes()
    for name in recipes():
        assert load_config(name).name == name


def test_an_unknown_recipe_lists_the_packaged_ones():
    with pytest.raises(ConfigError, match="there is no recipe 'digit'") as caught:
        load_config("digit")
    assert "digits" in caught.value.hint


def test_a_folder_of_the_same_name_does_not_hide_a_recipe(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_config("digits").name == "digits"


def test_a_file_is_read_as_utf8(tmp_path):
    path = tmp_path / "r.toml"
    path.write_bytes('name = "toy"  # größe\n'.encode())
    assert load_config(path).name == "toy"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not text"])
def test_a_recipe_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "r.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot read recipe .*r\.toml"):
        load_config(path)


def test_dump_spells_everything_out_and_parses_back():
    config = parse_config('name = "toy"\n[training]\nlearning_rate = 1e-5\n[model.exp]\nform = "segments"\n')
    text = dump_config(config)
    assert parse_config(text) == config
    assert '[model.exp]\nform = "segments"' in text
    assert "d_state = 8" in text
