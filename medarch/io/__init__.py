"""Volumes and dataset trees in and out. Every decision about affines and orientations is made here, once.

Imports core and numpy; SimpleITK, nibabel and pillow only inside the functions that need them. Never decides
preprocessing.
"""
