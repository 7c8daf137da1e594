"""Losses of registration: how alike two images are, how smooth a field is, what labels and landmarks add.

Images are ``(B, C, *grid)``, displacements ``(B, D, *grid)`` in voxels of their grid, index order; 2D and 3D. Every
loss is a mean, lower is better, and does not grow with the size of the grid.
"""
