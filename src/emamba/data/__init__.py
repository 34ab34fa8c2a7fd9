"""Data sets on disk become arrays, and images become tokens."""

from emamba.data.dataset import Dataset, Images, Split, Targets, Task, patches
from emamba.data.load import load_dataset, load_text
from emamba.data.text import Text

__all__ = ["Dataset", "Images", "Split", "Targets", "Task", "Text", "load_dataset", "load_text", "patches"]
