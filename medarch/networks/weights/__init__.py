"""Weights that were trained elsewhere: other libraries' names, two dimensions made three, other channels.

Knows tensors and names, reads no files.
"""
