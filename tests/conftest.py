"""Puts this folder on the path, so that tests share `cases`; a toy run folder for those that need one."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def simulators(tmp_path_factory):
    """Where tests build simulators: one folder for all workers, because a part that is slow to compile is shared."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "simulators"


@pytest.fixture(scope="session")
def tiny_library(tmp_path_factory):
    """A library of made-up cells, in a file."""
    from emamba.eda.liberty import read
    from liberties import tiny_liberty

    path = tmp_path_factory.mktemp("liberty") / "tiny.lib"
    path.write_text(tiny_liberty())
    return read([path])


@pytest.fixture(scope="session")
def toy_made(tmp_path_factory):
    """The run folder of a toy recipe, up to C and Verilog; `toy_run` is a copy of it to do harm to."""
    from emamba import flow
    from emamba.config import parse_config
    from toy import TOY

    run = tmp_path_factory.mktemp("toy") / "run"
    flow.train(parse_config("training.epochs = 1\n" + TOY), run)
    flow.quantize(run)
    flow.emit(run)
    return run


@pytest.fixture
def toy_run(toy_made, tmp_path):
    return Path(shutil.copytree(toy_made, tmp_path / "toy_run"))


@pytest.fixture
def emamba(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in an empty folder."""
    from commands import Ended
    from emamba import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ended(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def real_data():
    """The folder of a real data set by its name; the test is skipped where it is not."""
    place = Path(os.environ.get("EMAMBA_DATA") or Path(__file__).parents[2] / "shared" / "data")

    def folder(name: str) -> Path:
        if not (place / name).is_dir():
            pytest.skip(f"no {name} in {place}: set EMAMBA_DATA to the folder with the data sets")
        return place / name

    return folder
