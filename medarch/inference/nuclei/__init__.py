"""Nuclei of whole slides: one grid of network tiles, chunks of post-processing that agree at their seams, outputs.
Nuclei of volumes: maps of a whole volume from the same tiles, separated at once.

Processes that post-process import numpy and scipy only, never torch.
"""
