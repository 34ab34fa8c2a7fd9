"""A trained model and calibration data become a `Graph`; fine-tuning with the integers in the loop."""

from emamba.quantization.calibration import Scales, calibrate
from emamba.quantization.finetuning import finetune
from emamba.quantization.lowering import lower
from emamba.quantization.quantize import (
    CurveReport,
    Quantization,
    Scores,
    accuracy,
    curve_reports,
    integer_frames,
    quantize,
)
from emamba.quantization.streams import lowerable

__all__ = [
    "CurveReport",
    "Quantization",
    "Scales",
    "Scores",
    "accuracy",
    "calibrate",
    "curve_reports",
    "finetune",
    "integer_frames",
    "lower",
    "lowerable",
    "quantize",
]
