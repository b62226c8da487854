"""The geometry of the report's charts: details of findings in, coordinates out; the templates draw.

Whatever is absent or has another form than expected gives no picture, never an error: the numbers
stand in the tables and in ``result.json``.
"""

from synthgate.render.pictures.attacks import Curve, log_place, roc
from synthgate.render.pictures.distributions import HEIGHT, WIDTH, Distribution, distribution, steps
from synthgate.render.pictures.learning import Calibration, calibration, confusion
from synthgate.render.pictures.matrices import (
    SHOWN_CONTINGENCIES,
    Contingency,
    Heat,
    Heatmap,
    contingency,
    correlations,
    heatmap,
)
from synthgate.render.pictures.reading import matrix, number, numbers, present, texts
from synthgate.render.pictures.rules import Broken, broken
from synthgate.render.pictures.scores import Bullets, Scale, bullets, scale, triples
from synthgate.render.pictures.shares import Twins, risks, slice_rules
from synthgate.render.pictures.slices import Slice, slices

__all__ = [
    "HEIGHT", "SHOWN_CONTINGENCIES", "WIDTH", "Broken", "Bullets", "Calibration", "Contingency", "Curve",
    "Distribution", "Heat", "Heatmap", "Scale", "Slice", "Twins", "broken", "bullets", "calibration", "confusion",
    "contingency", "correlations", "distribution", "heatmap", "log_place", "matrix", "number", "numbers", "present",
    "risks", "roc", "scale", "slice_rules", "slices", "steps", "texts", "triples",
]  # fmt: skip
