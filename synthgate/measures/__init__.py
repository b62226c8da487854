"""Measures: pure functions from evidence to measurements, one package per family."""
