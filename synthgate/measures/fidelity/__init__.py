"""Fidelity: does the synthetic table follow the real one's distributions?"""

from synthgate.measures.fidelity import columns, pairs

__all__ = ["columns", "pairs"]
