"""The entry: help, version, exit codes. How mistakes end is in `tests/test_mistakes.py`."""

import pytest

from emamba import __version__
from emamba.errors import EmambaError

VERBS = ["demo", "train", "quantize", "show", "emit", "verify", "synth", "report", "flow", "doctor"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(emamba, verb):
    ended = emamba(verb, "--help")
    assert ended.code == 0
    assert f"Usage: emamba {verb}" in ended.out
    assert emamba("--help").out.count(verb) >= 1


def test_nothing_asked_is_help(emamba):
    assert emamba().out == emamba("--help").out
    assert emamba().code == 0


def test_version(emamba):
    assert emamba("--version").out == f"emamba {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train"], ["train", "digits", "--froce"], ["verify", "x", "--seed=-1"]]
)
def test_a_wrong_command_line_is_two_lines(emamba, arguments):
    ended = emamba(*arguments)
    assert ended.code == 2
    assert "emamba --help" in ended.told[1]


def test_an_error_of_ours_shows_its_traceback_with_debug_only(emamba, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("emamba.flow.show", broken)
    ended = emamba("show", "x")
    assert (ended.code, ended.told[0]) == (1, "error: ZeroDivisionError: by zero")
    assert "defect of emamba" in ended.told[1]
    for arguments in (["--debug", "show", "x"], ["show", "x", "--debug"]):
        assert "Traceback (most recent call last)" in emamba(*arguments).err


def test_every_family_of_errors_has_its_code(emamba, monkeypatch):
    for kind in EmambaError.__subclasses__():

        def failing(*_, kind=kind):
            raise kind("the fact", "the hint")

        monkeypatch.setattr("emamba.flow.show", failing)
        ended = emamba("show", "x")
        assert (ended.code, ended.told) == (kind.exit_code, ("error: the fact", "hint: the hint"))
