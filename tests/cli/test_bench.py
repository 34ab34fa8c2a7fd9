"""Measurements on the command line."""

import json
import re


def test_bench_scan_prints_what_was_measured(emamba, monkeypatch):
    from emamba.bench import scan as bench

    found = {"seconds": 0.002, "bytes": 3 << 20}
    case = {"case": vars(bench.CASES[0]), "error": 2e-6, "packages": {"emamba": found}}
    asked = {}

    def scan(progress, **options):
        asked.update(options)
        return {"limit_seconds": 60, "missing": ["mambapy"], "results": [case]}

    monkeypatch.setattr(bench, "scan", scan)
    ended = emamba("bench", "scan", "--rounds", 2)
    assert ended.code == 0
    assert re.search(r"emamba +2.0 ms +3 MiB", ended.out)
    assert re.search(r"mambapy +missing +pip install", ended.out)
    assert asked == {"rounds": 2, "limit": 60, "device": "cpu"}
    assert json.loads(emamba("bench", "scan", "--json").out)["results"] == [case]
    assert emamba("bench", "scan", "--rounds", 0).code == 2
    assert "there is no device 'tpu'" in emamba("bench", "scan", "--device", "tpu").err
