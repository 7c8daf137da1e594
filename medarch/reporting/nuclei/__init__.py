"""The report of nuclei."""
