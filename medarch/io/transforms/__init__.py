"""Spatial transforms and landmarks in and out, in the conventions of ITK, ANTs and 3D Slicer (LPS millimetres)."""
