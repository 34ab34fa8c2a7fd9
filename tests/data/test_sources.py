from typing import get_args

import pytest

from emamba.config import DataConfig
from emamba.data.load import NAMES
from emamba.data.sources import SOURCES, Download, Name

DOWNLOADS = [download for source in SOURCES.values() for download in source.downloads]


def test_every_data_set_that_can_be_loaded_has_a_source():
    assert set(SOURCES) == set(NAMES) == set(get_args(Name))
    assert set(get_args(DataConfig.model_fields["name"].annotation)) == set(NAMES)


@pytest.mark.parametrize("download", DOWNLOADS, ids=lambda download: download.file)
def test_every_download_has_an_address_of_its_file_and_a_checksum(download):
    assert all(address.endswith(f"/{download.file}") for address in download.addresses)
    assert len(download.checksum) == {"md5": 32, "sha256": 64}[download.algorithm]
    assert int(download.checksum, 16)


def test_the_algorithm_is_told_by_the_length_of_the_checksum():
    assert Download("x", (), "0" * 32).algorithm == "md5"
    assert Download("x", (), "0" * 64).algorithm == "sha256"
