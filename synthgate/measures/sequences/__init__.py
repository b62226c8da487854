"""Sequences: does the table behave the same over time?"""

from synthgate.measures.sequences import autocorrelation, lengths, transitions

__all__ = ["autocorrelation", "lengths", "transitions"]
