"""The documents: their commands exist, their links lead somewhere, their Python runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emamba import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:^    |`)(emamba|make) ([^`\n#]*)", re.MULTILINE)


def commands(program: str) -> list[str]:
    """What README tells to run with `program`, each once."""
    return sorted({rest.strip() for name, rest in COMMAND.findall(README) if name == program})


@pytest.fixture
def printed(capsys):
    """What a command line prints."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        assert ended.value.code == 0
        return capsys.readouterr().out

    return run


def test_readme_tells_the_two_commands():
    assert {"demo", "test"} <= set(commands("make"))
    assert any(command.startswith("demo") for command in commands("emamba"))


@pytest.mark.parametrize("target", commands("make"))
def test_every_make_target_exists(target):
    subprocess.run(["make", "--dry-run", *target.split()], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("command", commands("emamba"))
def test_every_verb_and_option_exists(printed, command):
    verb, *words = command.split()
    help_text = printed(*(["--help"] if verb.startswith("-") else [verb, "--help"]))
    for option in (word.split("=")[0] for word in [verb, *words] if word.startswith("-")):
        assert option in help_text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_fill_in(page):
    assert not re.findall(r"@@\w*@@|TODO|FIXME|XXX", page.read_text())


def test_the_python_session_runs_and_has_ten_lines(tmp_path):
    (session,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in session.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 10
    assert ast.parse(session).body
    done = subprocess.run([sys.executable, "-c", session], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in re.findall(r"#> (.*)", session):
        assert line in done.stdout


def test_readme_shows_the_table_that_demo_prints(printed, toy_run):
    """Every row of the table is in README's output, under its name."""
    shown = [line.split("  ")[0] for line in printed("report", str(toy_run)).splitlines() if line[:1].strip()]
    assert "Mismatches" in shown
    for label in shown[:-1]:
        assert label in README
