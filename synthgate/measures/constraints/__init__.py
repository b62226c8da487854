"""Constraints: rules that every row has to keep."""

from synthgate.measures.constraints import declared

__all__ = ["declared"]
