import pytest

from emamba.data import load_dataset
from emamba.errors import ConfigError, DataError


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ConfigError, match=r"no data set 'letters'.*digits, fashion-mnist, cifar-10, mars, wikitext-2"):
        load_dataset("letters")


def test_digits_need_no_folder(tmp_path):
    assert load_dataset("digits", tmp_path).name == "digits"


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar-10", "mars", "wikitext-2"])
def test_missing_data_are_told(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} is not there: no folder {tmp_path}/{name}"):
        load_dataset(name, tmp_path)
