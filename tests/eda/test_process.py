import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from emamba.eda import process
from emamba.errors import ToolError


def python(script: str, **options) -> str:
    return process.run([sys.executable, "-c", script], options.pop("cwd", None), "the hint", **options)


def test_gives_standard_output_only():
    assert python("import sys; print('out'); print('err', file=sys.stderr)") == "out\n"


def test_folder_environment_and_input_reach_the_program(tmp_path):
    script = "import os; print(os.getcwd(), os.environ['WORD'], 'PATH' in os.environ, input())"
    assert python(script, cwd=tmp_path, env={"WORD": "yes"}, stdin="line") == f"{tmp_path} yes True line\n"


def test_input_is_empty_when_none_is_given():
    assert python("import sys; print(repr(sys.stdin.read()))") == "''\n"


def test_failure_carries_code_first_and_last_lines_and_hint():
    with pytest.raises(ToolError, match="failed with exit code 3") as caught:
        python("import sys; [print('line', i) for i in range(99)]; print('why', file=sys.stderr); sys.exit(3)")
    assert caught.value.message.endswith("    line 98\n    why")
    assert "code 3\n    line 0\n    line 1\n" in caught.value.message
    assert "line 80" not in caught.value.message
    assert caught.value.hint == "the hint"


def test_killed_program_names_the_signal():
    with pytest.raises(ToolError, match="was killed by SIGKILL"):
        python("import os; os.kill(os.getpid(), 9)")


def test_program_that_cannot_be_started(tmp_path):
    with pytest.raises(ToolError, match="cannot start no_such_program"):
        process.run([str(tmp_path / "no_such_program")], None, "install it")


def test_which_finds_or_gives_the_hint():
    assert Path(process.which("sh", "unused")).exists()
    with pytest.raises(ToolError, match="no_such_program is not installed") as caught:
        process.which("no_such_program", "apt install it")
    assert caught.value.hint == "apt install it"


def test_too_late_ends_the_program_and_what_it_started(tmp_path):
    script = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); "
        "open('pid', 'w').write(str(child.pid)); print('begun', flush=True); child.wait()"
    )
    with pytest.raises(ToolError, match=r"did not end within 1 s\n    begun"):
        python(script, cwd=tmp_path, timeout_s=1)
    assert gone(int((tmp_path / "pid").read_text()))


def test_interrupt_ends_the_program(tmp_path):
    inner = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    outer = (
        "import sys; from pathlib import Path; from emamba.eda import process; "
        f"process.run([sys.executable, '-c', {inner!r}], Path({str(tmp_path)!r}), 'hint')"
    )
    # A shell starts background jobs with Ctrl-C ignored, and this test may be one.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    session = subprocess.Popen([sys.executable, "-c", outer], stderr=subprocess.PIPE, preexec_fn=heeding)
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text() != "")
    session.send_signal(signal.SIGINT)
    _, errors = session.communicate(timeout=10)
    assert b"KeyboardInterrupt" in errors
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether process `pid` ends within a few seconds (a zombie that init will reap has ended)."""
    return wait_for(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_for(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
