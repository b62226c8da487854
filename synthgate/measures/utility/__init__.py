"""Utility: would a model trained on this data work on real rows?"""

from synthgate.measures.utility import tstr

__all__ = ["tstr"]
