"""Constraints: rules that every row has to keep."""

from synthgate.measures.constraints import declared, expectation_suites, mined, pandera_schemas

__all__ = ["declared", "expectation_suites", "mined", "pandera_schemas"]
