import pytest

from emamba.data import catalogue, check
from emamba.errors import ConfigError, DataError


def test_every_set_is_listed_with_its_folder_or_none(tmp_path):
    (tmp_path / "mars").mkdir()
    found = {entry.name: entry for entry in catalogue(tmp_path)}
    assert list(found) == ["digits", "fashion-mnist", "cifar-10", "mars", "wikitext-2"]
    assert found["mars"].folder == tmp_path / "mars"
    assert found["cifar-10"].folder is None
    assert [name for name, entry in found.items() if entry.bundled] == ["digits"]
    assert found["mars"].task == "regression"


def test_a_check_says_what_the_data_are_and_how_many():
    found = check("digits")
    assert found.identity.startswith("digits of scikit-learn, ")
    assert (found.train, found.validation, found.test, found.unlabelled) == (1150, 287, 360, 0)


def test_texts_are_checked_too(tmp_path):
    (tmp_path / "wikitext-2").mkdir()
    for part, length in (("train", 800), ("valid", 300), ("test", 600)):
        (tmp_path / "wikitext-2" / f"wiki.{part}.tokens").write_text("a" * length)
    found = check("wikitext-2", tmp_path)
    assert (found.train, found.validation, found.test, found.folder) == (3, 1, 2, tmp_path / "wikitext-2")


def test_unlabelled_images_are_counted(real_data):
    if (real_data("mars") / "featuremap_train.npy").exists():
        pytest.skip("the official arrays are there, whose images are all labelled")
    assert check("mars", real_data("mars").parent).unlabelled == 7112


def test_missing_and_unknown_sets_are_errors(tmp_path):
    with pytest.raises(DataError, match="mars is not there"):
        check("mars", tmp_path)
    with pytest.raises(ConfigError, match="no data set 'letters'"):
        check("letters", tmp_path)
