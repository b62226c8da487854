"""Privacy: was anybody in the training rows copied, or can they be told from the synthetic table?"""

from synthgate.measures.privacy import copies, membership

__all__ = ["copies", "membership"]
