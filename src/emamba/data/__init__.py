"""Data sets on disk become arrays, and images become tokens."""

from emamba.data.catalogue import Entry, Findings, catalogue, check
from emamba.data.dataset import Dataset, Images, Split, Targets, Task, patches
from emamba.data.fetch import fetch
from emamba.data.load import load_dataset, load_text
from emamba.data.sources import SOURCES
from emamba.data.text import Text

__all__ = [
    "SOURCES",
    "Dataset",
    "Entry",
    "Findings",
    "Images",
    "Split",
    "Targets",
    "Task",
    "Text",
    "catalogue",
    "check",
    "fetch",
    "load_dataset",
    "load_text",
    "patches",
]
