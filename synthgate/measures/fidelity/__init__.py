"""Fidelity: does the synthetic table follow the real one's distributions?"""

from synthgate.measures.fidelity import columns, detection, pairs

__all__ = ["columns", "detection", "pairs"]
