"""Review: a person's word on the table."""

from synthgate.measures.review import sample

__all__ = ["sample"]
