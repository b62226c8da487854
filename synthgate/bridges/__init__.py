"""Bridges to other libraries' formats."""
