from pathlib import Path

from emamba.fuzz import campaign, fuzz, replay
from emamba.fuzz.conduct import Failure
from emamba.graph import Pool, load


def test_failures_are_shrunk_kept_and_fail_again(tmp_path, monkeypatch):
    """Whatever holds a Pool is said to fail."""

    def conducted(trials, folder):
        return [Failure("RTL", "a pool") if _pooled(trial.graph) else None for trial in trials]

    monkeypatch.setattr(campaign, "conduct", conducted)
    said = []
    found = fuzz(30, 0, tmp_path, lambda *_: None, said.append)
    assert 0 < len(found) < 30
    for it in found:
        assert (it.kind, it.fact) == ("RTL", "a pool")
        assert it.operations <= 3
        graph = load(Path(it.path).with_name("graph.json"))
        assert _pooled(graph)
        assert graph.name == f"fuzz{it.seed}"
        assert replay(Path(it.path)) == Failure("RTL", "a pool")
    assert said[-1] == f"30 graphs, {len(found)} failures"


def test_a_slow_graph_shrinks_without_being_built(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "conduct", lambda trials, folder: [Failure("pace", "slow")] * len(trials))
    monkeypatch.setattr(campaign, "check_pace", lambda trial: Failure("pace", "slow"))
    found = fuzz(1, 0, tmp_path, lambda *_: None)
    assert found[0].kind == "pace"
    assert found[0].operations <= 2


def _pooled(graph):
    return any(isinstance(op, Pool) for op in graph.operations)
