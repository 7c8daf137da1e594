"""Nuclei: targets, losses, and from maps to single nuclei.

Modules that import no torch: ``distance_maps``, ``separate_nuclei``, ``classify_nuclei``.
"""
