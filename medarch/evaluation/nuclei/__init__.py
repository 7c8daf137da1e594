"""Measures of nuclei: how well they are found, outlined and classified."""
