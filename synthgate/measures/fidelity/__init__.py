"""Fidelity: does the synthetic table follow the real one's distributions?"""

from synthgate.measures.fidelity import columns, higher_order, pairs

__all__ = ["columns", "higher_order", "pairs"]
