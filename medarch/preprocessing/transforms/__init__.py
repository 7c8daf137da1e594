"""Spatial transforms applied to points, images and label maps, in millimetres and float64, block by block."""
