"""Measures of classifications. Imports ``core`` alone; no torch."""
