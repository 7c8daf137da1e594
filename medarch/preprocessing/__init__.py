"""From a file's grid to the network's grid and exactly back: reorient, crop, normalise, resample, store.

Imports core and io. Never imports torch, knows nothing of networks.
"""
