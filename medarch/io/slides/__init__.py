"""Whole slides and large pictures in: one reader protocol over OpenSlide, tiffslide, OME-TIFF, DICOM and pillow.

Imports core and numpy; openslide, tiffslide, tifffile, pydicom and pillow only inside the readers that need them.
"""
