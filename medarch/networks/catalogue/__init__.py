"""The entries of the registry, as data: one file a task. Imports no torch."""
