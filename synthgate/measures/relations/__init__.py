"""Relations: do the tables still belong together?"""

from synthgate.measures.relations import cardinality, foreign_keys, pairs

__all__ = ["cardinality", "foreign_keys", "pairs"]
