"""Kinds of defects of synthetic tables as a reviewer meets them: what generators and those around them do wrong.

None of them is one that ``synthgate selftest`` injects. ``make`` puts one into real rows that nothing else has seen,
at one of three severities: nobody would use a gross one, a careful analyst would reject a moderate one, and an expert
who looks for it finds a subtle one.
"""

from . import categories, dependence, groups, labels, memory, missing, numbers, rows, times
from .making import KINDS, SEVERITIES, Context, Kind, Spoiled, kind, make

THEMES = (categories, dependence, groups, labels, memory, missing, numbers, rows, times)

__all__ = ["KINDS", "SEVERITIES", "THEMES", "Context", "Kind", "Spoiled", "kind", "make"]
