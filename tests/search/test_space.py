import pytest

from emamba.errors import ConfigError
from emamba.search.space import load_space, spaces
from search_space import DIMENSIONS, write_space


@pytest.fixture
def space(tmp_path):
    return load_space(write_space(tmp_path))


def test_a_place_is_a_recipe(space):
    config = space.config({"model.d_model": 2, "convolution": 1})
    assert (config.model.d_model, config.model.convolution, config.model.d_conv) == (6, "square", 3)
    assert config.training.epochs == 2
    assert space.config({"model.d_model": 0, "convolution": 0}, epochs=1).training.epochs == 1


def test_what_is_chosen_is_told_by_key(space):
    chosen = space.chosen({"model.d_model": 1, "convolution": 1})
    assert chosen == {"model.d_model": 4, "model.convolution": "square", "model.d_conv": 3}


def test_validation_images_measure_even_if_they_train_in_the_recipe(tmp_path):
    found = load_space(write_space(tmp_path, recipe='name = "toy"\ntraining.validation = "trains"\n'))
    assert found.recipe.training.validation == "measures"


def test_numbers_have_neighbours_and_other_choices_have_none(space):
    assert [it.ordered for it in space.dimensions] == [True, False]


def test_what_is_set_holds_everywhere(tmp_path):
    every = '[set]\n"model.expand" = 3\n' + DIMENSIONS
    found = load_space(write_space(tmp_path, dimensions=every))
    assert found.recipe.model.expand == found.config({"model.d_model": 0, "convolution": 0}).model.expand == 3
    assert found.hash != load_space(write_space(tmp_path)).hash
    with pytest.raises(ConfigError, match=r"small: model.expand = 0: model.expand"):
        load_space(write_space(tmp_path, dimensions=every.replace("3", "0", 1)))


@pytest.mark.parametrize(
    ("given", "fact"),
    [
        ("model.expand = 3", "model is a whole section"),  # what TOML makes of a key without quotes
        ('"model.d_model" = 4', "model.d_model is set, and a dimension chooses it"),
        ('"training.epochs" = 4', "training.epochs is not for a space to choose"),
        ('"training.seed" = 2020-01-01', "training.seed = .2020-01-01"),
    ],
)
def test_what_cannot_be_set_is_refused(tmp_path, given, fact):
    with pytest.raises(ConfigError, match=fact):
        load_space(write_space(tmp_path, dimensions=f"[set]\n{given}\n{DIMENSIONS}"))


@pytest.mark.parametrize("name", spaces())
def test_a_search_in_a_space_of_the_package_begins_with_its_recipe(name):
    space = load_space(name)
    assert list(space.home()) == [it.key for it in space.dimensions]
    assert space.config(space.home()) == space.config({})


def test_an_illegal_combination_is_refused_with_its_choices(tmp_path):
    more = '\n[[dimension]]\nkey = "model.d_conv"\nchoices = [3, 4]\nreason = "window"\n'
    space = load_space(write_space(tmp_path, dimensions=DIMENSIONS.replace(', "model.d_conv" = 3', "") + more))
    with pytest.raises(ConfigError, match=r"(?s)model.d_conv = 4.*odd"):
        space.config({"model.d_model": 0, "convolution": 1, "model.d_conv": 1})


def test_the_hash_knows_choices_and_recipe(tmp_path):
    one, other = load_space(write_space(tmp_path / "a")), load_space(write_space(tmp_path / "b", epochs="[1, 3]"))
    recipe = load_space(write_space(tmp_path / "c", recipe='name = "toy"\n'))
    assert len({one.hash, other.hash, recipe.hash}) == 3


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (("[2, 4, 6]", "[2]"), "choices"),
        (("[2, 4, 6]", "[2, 2]"), "twice"),
        (("model.d_model", "model.width"), "no key 'model.width'"),
        (("model.d_model", "epochs"), "no key 'epochs'"),
        (("[2, 4, 6]", '[2, 4, "six"]'), r"model.d_model: no recipe with choice 3 is legal.*integer"),
        (("[2, 4, 6]", "[2, 4, -1]"), "no recipe with choice 3 is legal"),
        (('reason = "width"', ""), "reason"),
        (('reason = "width"', 'reason = "width"\nlow = 1'), "low"),
        (('key = "convolution"', 'key = "model.d_model"'), "two dimensions"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path, change, fact):
    with pytest.raises(ConfigError, match=fact):
        load_space(write_space(tmp_path, dimensions=DIMENSIONS.replace(*change)))


def test_an_empty_space_shrinking_rungs_and_other_networks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="dimension"):
        load_space(write_space(tmp_path, dimensions=""))
    with pytest.raises(ConfigError, match="grow from rung to rung"):
        load_space(write_space(tmp_path, epochs="[2, 1]"))
    with pytest.raises(ConfigError, match="is a lstm"):
        load_space(write_space(tmp_path, recipe='name = "toy"\nmodel.kind = "lstm"\n'))


def test_an_unknown_space_names_those_that_there_are():
    with pytest.raises(ConfigError) as refused:
        load_space("nonsense")
    assert "digits" in refused.value.hint
    with pytest.raises(ConfigError, match="cannot read"):
        load_space("nonsense.toml")


@pytest.mark.parametrize("name", spaces())
def test_spaces_of_the_package_are_legal(name):
    space = load_space(name)
    for number in range(2):
        assert space.config({it.key: number for it in space.dimensions}).training.epochs == space.content.epochs[-1]
