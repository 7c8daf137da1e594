"""Nuclei on disk: parts of a slide while it is worked on, then GeoJSON, label image, table and pictures.

Imports core and numpy; tifffile, pyarrow and pillow only inside the functions that need them.
"""
