"""From prepared cases and a plan to weights: patches, augmentation, the Lightning module, schedule, checkpoints, logs.

May import ``tasks``, ``preprocessing``, ``networks``, ``io``, ``core``. Never predicts whole volumes.
"""
