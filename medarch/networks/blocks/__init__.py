"""The parts of networks, in 2D and 3D.

Kernels and strides are tuples with one number an axis; their length is the number of spatial dimensions, so that no
block needs to be told it. Every block with a stride turns ``n`` voxels along an axis into ``ceil(n / stride)``.
"""
