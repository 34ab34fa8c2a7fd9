"""Errors: fact, hint, and an exit code a script can tell families by."""

import pickle

import pytest

from emamba import errors

FAMILIES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EmambaError)]


def test_each_family_has_an_exit_code_of_its_own():
    codes = [kind.exit_code for kind in FAMILIES]
    assert sorted(codes) == list(range(1, 10)), "0 is success, 130 is Ctrl-C"


def test_the_docstring_states_the_exit_codes():
    for kind in FAMILIES:
        line = next(line for line in errors.__doc__.splitlines() if kind.__name__ in line.split())
        assert f"exit {kind.exit_code}" in line


def test_fact_and_hint_are_kept_apart_and_shown_together():
    error = errors.ConfigError("patch is 3", "use 2")
    assert (error.message, error.hint) == ("patch is 3", "use 2")
    assert str(error) == "patch is 3 (use 2)"


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.__name__)
def test_an_error_travels_between_processes(kind):
    again = pickle.loads(pickle.dumps(kind("fact", "hint")))
    assert (type(again), again.message, again.hint) == (kind, "fact", "hint")
