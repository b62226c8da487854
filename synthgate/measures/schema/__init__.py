"""Schema: is the synthetic table the right kind of table?"""

from synthgate.measures.schema import contents, structure

__all__ = ["contents", "structure"]
