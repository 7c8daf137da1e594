"""How images move: displacement, velocity, B-spline and affine fields, and the layer that warps by them.

A displacement field ``u`` is a tensor ``(B, D, *grid)`` in **voxels of its grid**, components in index order. It is
the transform φ(x) = x + u(x) from voxels x of the fixed grid to voxels of the moving image; the moving image is
sampled at φ(x), a landmark of the fixed image moves by φ. The corners of a grid are centres of voxels
(``align_corners=True``). In the world (LPS mm) the vector is direction · spacing · u.
"""
