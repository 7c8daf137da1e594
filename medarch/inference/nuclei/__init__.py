"""Nuclei of whole slides: one grid of network tiles, chunks of post-processing that agree at their seams, outputs.

Processes that post-process import numpy and scipy only, never torch.
"""
