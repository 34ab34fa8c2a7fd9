import json

import pytest

from emamba.cli.search import seconds
from emamba.errors import ConfigError
from search_space import write_space


@pytest.mark.parametrize(("text", "found"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 2m ", 120)])
def test_a_budget_is_a_number_and_a_unit(text, found):
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["30", "0m", "m", "-3m", "3 days", "1:30"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="no time"):
        seconds(text)


def test_a_search_prints_its_front_and_what_became_of_the_trials(emamba, tmp_path):
    path = write_space(tmp_path)
    given = (
        "search",
        path,
        "--budget",
        "5m",
        "--trials",
        "2",
        "--workers",
        "1",
        "--sampler",
        "random",
        "--run",
        "found",
    )
    ended = emamba(*given)
    assert ended.code == 0
    assert ended.out.startswith("recipe")
    assert "2 trials:" in ended.out
    rows = json.loads(emamba(*given, "--json").out)
    assert rows
    assert (tmp_path / "found" / "recipes" / f"{rows[0]['recipe']}.toml").is_file()


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["--budget", "soon"], "no time to search"),
        (["--constraint", "multipliers=3"], "is no constraint"),
        (["--constraint", "joules<=3"], "there is no cost 'joules'"),
        (["--against", "beauty"], "there is no cost 'beauty'"),
        (["--sampler", "guess"], "there is no sampler 'guess'"),
        (["--storage", "nonsense"], "cannot use the database"),
        (["--cluster", "spark://host:7077"], "'spark://host:7077' is no address of a cluster"),
    ],
)
def test_wrong_options_are_refused_with_a_hint(emamba, tmp_path, options, fact):
    ended = emamba("search", write_space(tmp_path), *options)
    assert ended.code == 2
    assert fact in ended.err
    assert "hint: " in ended.err


def test_an_unknown_space_is_refused(emamba):
    assert "there is no search space 'nonsense'" in emamba("search", "nonsense").err
