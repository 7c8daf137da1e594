"""Measures of predictions against references: per case, aggregated, with confidence intervals.

Imports ``io`` and ``core`` only; never torch. Plots nothing.
"""
