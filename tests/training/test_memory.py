import pickle

import torch

from emamba.training.memory import recall, remember

PARTS = {"model": {"weight": torch.arange(3.0)}, "history": [{"epoch": 1, "loss": 0.5, "validation": None}]}


def test_what_was_remembered_is_recalled_under_its_key_only(tmp_path):
    path = tmp_path / "memory"
    assert recall(path, "a") is None
    remember(path, "a", PARTS)
    assert recall(path, "b") is None
    found = recall(path, "a")
    assert found is not None
    assert found.keys() == PARTS.keys()
    assert torch.equal(found["model"]["weight"], PARTS["model"]["weight"])
    assert found["history"] == PARTS["history"]


def test_a_damaged_memory_counts_as_none(tmp_path):
    path = tmp_path / "memory"
    remember(path, "a", PARTS)
    whole = path.read_bytes()
    for damaged in (b"", b"x", whole[: len(whole) // 2], whole[:100] + b"?" + whole[101:200]):
        path.write_bytes(damaged)
        assert recall(path, "a") is None


def test_code_in_a_memory_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath, ("sprung",))

    path = tmp_path / "memory"
    path.write_bytes(pickle.dumps({"key": "a", "trap": Trap()}, protocol=2))
    assert recall(path, "a") is None
    torch.save({"key": "a", "trap": Trap()}, path)
    assert recall(path, "a") is None
