"""Data sets on disk become arrays, and images become tokens."""

from emamba.data.catalogue import Entry, Findings, catalogue, check
from emamba.data.dataset import Dataset, Images, Split, Targets, Task, by_subject, evenly, joined
from emamba.data.fetch import fetch
from emamba.data.frames import Frames, frames, grid
from emamba.data.load import dataset_of, load_dataset
from emamba.data.sources import SOURCES

__all__ = [
    "SOURCES",
    "Dataset",
    "Entry",
    "Findings",
    "Frames",
    "Images",
    "Split",
    "Targets",
    "Task",
    "by_subject",
    "catalogue",
    "check",
    "dataset_of",
    "evenly",
    "fetch",
    "frames",
    "grid",
    "joined",
    "load_dataset",
]
