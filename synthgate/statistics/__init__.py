"""Intervals, distances and positions: pure numpy and scipy."""
