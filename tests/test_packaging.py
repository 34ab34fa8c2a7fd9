"""The wheel: everything that is read at run time is inside, and it works from there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import emamba

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "emamba"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    assert path.name == f"emamba-{emamba.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_every_file_of_the_package_is_inside_and_nothing_else(wheel):
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    assert found == {name for name in expected if "__pycache__" not in name}
    assert "emamba/recipes/digits.toml" in found
    assert "emamba/py.typed" in found
    assert any(name.endswith(".c.j2") for name in found)


def test_license_and_command_are_inside(wheel):
    info = f"emamba-{emamba.__version__}.dist-info"
    assert "emamba authors" in wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "emamba = emamba.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_recipes_are_read_from_an_installed_wheel(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = "import emamba; from emamba.config import load_config; print(load_config('digits').name, emamba.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["digits", str(tmp_path / "emamba" / "__init__.py")]


def test_dependencies_are_constrained_and_explained():
    """Each dependency has a comment that says why, and a tested version."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    tested = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    wanted = [line for line in lines if line.startswith('    "') and ">=" in line]
    assert len(wanted) > 15
    for line in wanted:
        assert line.partition("#")[2].strip(), line
        assert line.strip().strip('"').split(">=")[0].split("[")[0] in tested, line
