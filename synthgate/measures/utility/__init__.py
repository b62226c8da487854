"""Utility: would a model trained on this data work on real rows?"""

from synthgate.measures.utility import importance, rare_classes, tstr

__all__ = ["importance", "rare_classes", "tstr"]
