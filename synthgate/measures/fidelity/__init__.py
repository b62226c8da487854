"""Fidelity: does the synthetic table follow the real one's distributions?"""

from synthgate.measures.fidelity import columns, detection, higher_order, pairs

__all__ = ["columns", "detection", "higher_order", "pairs"]
