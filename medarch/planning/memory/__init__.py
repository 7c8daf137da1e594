"""How many bytes a training or inference step takes, and where they lie, without running it.

Imports core, networks and tasks.
"""
