"""A trained model and calibration data become a `Graph`; fine-tuning with the integers in the loop."""

from emamba.quantization.calibration import Scales, calibrate, scales_of
from emamba.quantization.finetuning import finetune
from emamba.quantization.lowering import lower
from emamba.quantization.quantize import (
    CurveReport,
    Quantization,
    Scores,
    calibrated,
    curve_reports,
    evaluate,
    integer_frames,
    outputs,
    quantize,
)
from emamba.quantization.streams import lowerable

__all__ = [
    "CurveReport",
    "Quantization",
    "Scales",
    "Scores",
    "calibrate",
    "calibrated",
    "curve_reports",
    "evaluate",
    "finetune",
    "integer_frames",
    "lower",
    "lowerable",
    "outputs",
    "quantize",
    "scales_of",
]
