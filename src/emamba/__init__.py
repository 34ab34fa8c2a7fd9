"""emamba: Mamba models from PyTorch to verified hardware. Importing it loads neither torch nor Amaranth."""

__version__ = "0.1.0"
