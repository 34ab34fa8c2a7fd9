import pytest

from emamba.data import load_dataset
from emamba.errors import ConfigError


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ConfigError, match="no data set 'letters'"):
        load_dataset("letters")


def test_digits_need_no_folder():
    assert load_dataset("digits").name == "digits"
