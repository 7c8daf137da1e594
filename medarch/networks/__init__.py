"""Every differentiable part, in 2D and 3D: blocks, encoder-decoders, one registry.

May import ``core``. Reads no files and knows no datasets.
"""
