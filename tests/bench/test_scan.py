import pytest
import torch

from emamba.bench import scan as bench
from emamba.errors import ToolError

CASE = bench.Case(2, 9, 8, 3)


def quiet(done, total, label):
    pass


@pytest.mark.parametrize("name", bench.FUNCTIONS)
def test_all_compute_the_same(name):
    if name != "emamba":
        pytest.importorskip(name)
    operands = bench._operands(CASE, name)
    assert bench._error(bench.FUNCTIONS[name], operands) < 1e-5
    assert bench._error(lambda *a: 1.01 * bench.FUNCTIONS[name](*a), operands) > 1e-3


def test_a_missing_rival_is_named_and_the_others_are_measured():
    measured = bench.scan(quiet, [CASE], ("no_such_package",), rounds=2)
    assert measured["missing"] == ["no_such_package"]
    (result,) = measured["results"]
    assert set(result["packages"]) == {"emamba"}
    assert 0 < result["packages"]["emamba"]["seconds"] < 1
    assert 0 <= result["packages"]["emamba"]["bytes"] < 1 << 27
    assert 0 < result["error"] < 1e-5
    rows = bench.summary(measured)
    assert rows[1][0] == "2 x 9 x 8 x 3"
    assert rows[-1] == ("no_such_package", "missing", "pip install 'emamba[bench]'")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_none_is_measured():
    with pytest.raises(ToolError, match="PyTorch finds no GPU"):
        bench.scan(quiet, [CASE], (), device="cuda")


def test_the_table_says_how_much_longer_others_take():
    packages = {
        "emamba": {"seconds": 0.002, "bytes": 3 << 20},
        "slow": {"seconds": 0.03, "bytes": None},
        "endless": {"seconds": None, "bytes": None},
    }
    measured = {
        "missing": [],
        "limit_seconds": 7,
        "results": [{"case": vars(CASE), "error": 2e-6, "packages": packages}],
    }
    assert bench.summary(measured) == [
        ("batch x L x d_inner x d_state", "time", "peak memory; error against float64"),
        ("2 x 9 x 8 x 3", "", "error 2e-06"),
        ("  emamba", "2.0 ms", "3 MiB"),
        ("  slow", "30.0 ms", "15.0x our time"),
        ("  endless", "> 7 s", "given up"),
    ]


def test_who_needs_too_long_or_is_gone_is_noticed():
    slow = bench.Case(8, 1024, 128, 16)  # 50 ms and more: a small one may answer before anybody looks
    with bench._Worker("emamba", slow) as worker:
        assert worker.asked("time", 60) > 0
        assert worker.asked("time", 0) is None
        assert worker.asked("time", 60) is None
    with bench._Worker("emamba", CASE) as worker, pytest.raises(ToolError, match=f"emamba, {CASE} is gone"):
        worker.asked("no such question", 60)


def test_the_peak_is_what_is_held_at_once():
    found = bench._peak(lambda *operands: sum(operands) + torch.ones(1 << 24).sum(), [torch.ones(1)])
    assert found is None or 60 << 20 < found < 90 << 20
