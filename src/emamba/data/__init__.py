"""Data sets on disk become arrays, and images become tokens."""

from emamba.data.dataset import Dataset, Images, Split, Targets, Task, by_subject
from emamba.data.frames import Frames, frames, grid
from emamba.data.load import dataset_of, load_dataset

__all__ = [
    "Dataset",
    "Frames",
    "Images",
    "Split",
    "Targets",
    "Task",
    "by_subject",
    "dataset_of",
    "frames",
    "grid",
    "load_dataset",
]
