"""The report: one HTML file a run that a person can open anywhere, print, and read on a phone.

May import every room below it; never computes a new measure, never imports torch. Matplotlib is imported where it
draws.
"""
