import pytest

from emamba.data import load_dataset, load_text
from emamba.errors import ConfigError, DataError


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ConfigError, match=r"no data set 'letters'.*digits, fashion-mnist, cifar-10, mars"):
        load_dataset("letters")
    with pytest.raises(ConfigError, match=r"no text 'mars'.*wikitext-2"):
        load_text("mars")


def test_digits_need_no_folder(tmp_path):
    assert load_dataset("digits", tmp_path).name == "digits"


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar-10", "mars"])
def test_missing_images_are_told(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} is not there: no folder {tmp_path}/{name}"):
        load_dataset(name, tmp_path)


def test_a_missing_text_is_told(tmp_path):
    with pytest.raises(DataError, match="wikitext-2 is not there"):
        load_text("wikitext-2", tmp_path)
