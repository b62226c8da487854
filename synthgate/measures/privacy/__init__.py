"""Privacy: was anybody in the training rows copied, or can they be told, guessed, linked or singled out?"""

from synthgate.measures.privacy import copies, criteria, membership, singling_out

__all__ = ["copies", "criteria", "membership", "singling_out"]
