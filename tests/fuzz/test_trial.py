import pytest

from emamba.errors import ArtifactError
from emamba.fuzz.draw import draw
from emamba.fuzz.trial import load_trial, save_trial
from emamba.graph import content_hash


def test_a_trial_is_read_as_it_was_written(tmp_path):
    trial = draw(3)
    again = load_trial(save_trial(trial, tmp_path))
    assert content_hash(again.graph) == content_hash(trial.graph)
    assert again.foldings == trial.foldings
    assert (again.frames == trial.frames).all()
    assert (again.stalls, again.reset_after) == (trial.stalls, trial.reset_after)
    assert again.interval_cycles == trial.interval_cycles


@pytest.mark.parametrize("content", ["{", "[]", '{"foldings": {}}', '{"foldings": {"input": 3}}'])
def test_a_damaged_one_is_an_artifact_error(tmp_path, content):
    path = save_trial(draw(3), tmp_path)
    path.write_text(content)
    with pytest.raises(ArtifactError, match="is no trial"):
        load_trial(path)
