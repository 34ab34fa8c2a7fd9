import pytest

from emamba.config import parse_config
from emamba.data import dataset_of
from emamba.errors import ConfigError
from emamba.flow import SILENT
from emamba.graph import content_hash, load
from emamba.search.evaluation import Subject, loss, price, score, subject, trained
from emamba.search.measures import COSTS
from toy import TOY

CONFIG = parse_config("training.epochs = 1\n" + TOY)


def quiet(done, total, label):
    """Shows nothing."""


@pytest.fixture
def known():
    return Subject(dataset_of(CONFIG), 40, None)


def test_the_price_is_known_before_training_and_hardly_changes_with_it(known, toy_made):
    from emamba.search.measures import costs

    before, after = price(CONFIG, known.dataset), costs(load(toy_made / "graph.json"), CONFIG)
    assert set(before) == set(COSTS)
    assert before == pytest.approx(after, rel=0.05)
    for exact in ("multipliers", "cycles", "latency_cycles", "parameters"):
        assert before[exact] == after[exact]


def test_the_price_of_a_recipe_is_the_same_again(known):
    assert price(CONFIG, known.dataset) == price(CONFIG, known.dataset)


def test_a_network_without_integer_form_has_no_price(known):
    model = CONFIG.model.model_copy(update={"norm": "layer"})
    with pytest.raises(ConfigError):
        price(CONFIG.model_copy(update={"model": model}), known.dataset)


def test_a_whole_training_gives_the_integers_of_the_flow(known, toy_made):
    found = trained(CONFIG, known, {"head.weight": None}, True, quiet)
    assert content_hash(found.graph) == content_hash(load(toy_made / "graph.json"))
    assert 0 <= found.loss <= 1


def test_a_training_that_is_not_whole_starts_from_its_donor(known):
    one = trained(CONFIG, known, None, False, quiet)
    other = trained(CONFIG, known, one.weights, False, quiet)
    assert content_hash(one.graph) != content_hash(other.graph)
    assert set(one.weights) == set(other.weights)


def test_a_subject_has_the_teacher_that_the_recipe_names(tmp_path):
    (tmp_path / "teacher.toml").write_text(TOY.replace('"toy"', '"master"') + "[training]\nepochs = 1\n")
    recipe = parse_config(TOY + f'[training.teacher]\nrecipe = "{tmp_path / "teacher.toml"}"\n')
    found = subject(recipe, 7, tmp_path, None, SILENT)
    assert found.teacher is not None
    assert found.frames == 7
    assert (tmp_path / "teacher" / "model.safetensors").is_file()
    assert subject(CONFIG, 7, tmp_path, None, SILENT).teacher is None


def test_losses_are_small_where_scores_are_good():
    assert (loss("classification", 0.9), score("classification", 0.25)) == (pytest.approx(0.1), 0.75)
    assert loss("regression", 0.07) == score("regression", 0.07) == 0.07
