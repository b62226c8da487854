"""Utility: would a model trained on this data work on real rows?"""

from synthgate.measures.utility import rare_classes, tstr

__all__ = ["rare_classes", "tstr"]
