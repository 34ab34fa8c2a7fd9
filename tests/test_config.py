"""Recipes: strict, and an error that says where and what is allowed."""

import pytest
from pydantic import ValidationError

from emamba.config import (
    CnnConfig,
    Config,
    LstmConfig,
    MambaConfig,
    VitConfig,
    dump_config,
    load_config,
    parse_config,
    recipes,
    seeded,
)
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


def test_a_model_without_a_kind_is_a_mamba():
    assert parse_config('name = "toy"\n[model]\nd_model = 8').model == MambaConfig(d_model=8)
    assert Config(name="toy", model=CnnConfig(kind="cnn")).model.kind == "cnn"


@pytest.mark.parametrize(
    ("lines", "model"),
    [
        ('kind = "mamba"\nd_model = 8', MambaConfig(d_model=8)),
        ('kind = "vit"\nheads = 2', VitConfig(kind="vit", heads=2)),
        ('kind = "cnn"\nchannels = [4, 8]\npool_after = [1]', CnnConfig(kind="cnn", channels=(4, 8), pool_after=(1,))),
        ('kind = "lstm"\nlayers = 2', LstmConfig(kind="lstm", layers=2)),
    ],
)
def test_every_kind_of_model_has_its_own_keys(lines, model):
    config = parse_config(f'name = "toy"\n[model]\n{lines}')
    assert config.model == model
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ('model.kind = "vit"\nmodel.d_state = 8', "kind, d_model, blocks, heads, mlp_ratio"),
        ('model.kind = "cnn"\nmodel.d_state = 8', "kind, channels, pool_after, dense, batch_norm, dropout"),
        ('model.kind = "lstm"\nmodel.d_state = 8', "kind, d_model, layers"),
    ],
)
def test_an_unknown_key_of_a_baseline_lists_those_of_its_kind(line, keys):
    error = refused(f'name = "toy"\n{line}')
    assert error.message == "my.toml: model.d_state: Extra inputs are not permitted, got 8"
    assert error.hint == f"known keys here: {keys}"


@pytest.mark.parametrize("kind", ['"rnn"', "3", '""', "[1]"])
def test_an_unknown_kind_of_model_lists_the_known_ones(kind):
    error = refused(f'name = "toy"\nmodel.kind = {kind}')
    assert error.message == f"my.toml: model.kind: there is no network {kind}".replace('"', "'")
    assert error.hint == "known kinds: mamba, vit, cnn, lstm"


@pytest.mark.parametrize(
    ("lines", "fact"),
    [
        ('kind = "vit"\nd_model = 30\nheads = 4', "heads (4) has to divide d_model (30)"),
        ('kind = "cnn"\nchannels = [4]\npool_after = [2]', "pool_after names convolution 2, but channels has 1"),
        ('embedding = "bytes"\nstem = 8', "stem (8) has to be 0 where tokens are bytes, which are no features"),
        ('kind = "cnn"\npool_after = [2, 2]', "pool_after names a convolution twice: [2, 2]"),
    ],
)
def test_sizes_that_do_not_fit_each_other_are_refused(lines, fact):
    assert refused(f'name = "toy"\n[model]\n{lines}').message == f"my.toml: model: {fact}"


@pytest.mark.parametrize("curve", ["silu", "exp"])
def test_only_segments_have_knots_to_learn(curve):
    error = refused(f'name = "toy"\nmodel.{curve} = {{ form = "exact", knots = "learned" }}')
    assert (
        error.message
        == f'my.toml: model.{curve}: knots "learned" need form "segments": an exact function has none to learn'
    )
    text = f'name = "toy"\nmodel.{curve} = {{ form = "segments", knots = "learned" }}'
    assert getattr(parse_config(text).model, curve).knots == "learned"


def test_values_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config(name="toy").model.d_model = 3  # type: ignore[misc]


def test_an_unknown_key_lists_the_known_ones():
    error = refused('name = "toy"\n[model]\nd_modle = 8')
    assert error.message.startswith("my.toml: model.d_modle: ")
    assert "known keys here: kind, stem, embedding" in error.hint


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
        ('model.kind = "cnn"\nmodel.channels = []', "model.channels", "[]"),
        ('model.kind = "cnn"\nmodel.channels = [4, 0]', "model.channels.1", "0"),
        ('model.kind = "cnn"\nmodel.channels = [4, 2.0]', "model.channels.1", "2.0"),
        ('model.kind = "cnn"\nmodel.channels = "48"', "model.channels", "'48'"),
        ('model.kind = "cnn"\nmodel.dropout = 1.0', "model.dropout", "1.0"),
        ("data.patch = 0", "data.patch.0", "0"),
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
    assert error.hint == f"change {where} there"


def test_weights_that_are_loaded_cannot_be_packed():
    assert "packing has to be off" in refused('name = "toy"\nhardware = {weights = "ram", packing = true}').message


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


def test_another_seed_changes_nothing_else():
    config = load_config("digits")
    assert seeded(config, 7).training.seed == 7
    assert seeded(seeded(config, 7), config.training.seed) == config
    for seed in (-1, 1 << 32):
        with pytest.raises(ConfigError, match=f"seed {seed} is outside"):
            seeded(config, seed)
