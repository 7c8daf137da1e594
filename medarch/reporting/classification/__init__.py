"""The report of a classification."""
