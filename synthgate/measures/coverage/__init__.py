"""Coverage: are the rare cases, the tails and all regions of the real table there?"""

from synthgate.measures.coverage import combinations, modes, ranges, shares

__all__ = ["combinations", "modes", "ranges", "shares"]
