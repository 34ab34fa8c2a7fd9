"""A recipe whose stages take seconds: what tests of the whole road run."""

TOY = """
name = "toy"
[data]
patch = 4
[model]
d_model = 4
expand = 1
d_state = 2
blocks = 1
dt_rank = 1
[quantization]
finetune_epochs = 1
calibration_frames = 32
[hardware]
interval_cycles = 12
"""
