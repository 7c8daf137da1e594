"""From a model folder and images to predictions on the images' own grids: tiling, flips, ensembling, ledger.

May import ``tasks``, ``preprocessing``, ``networks``, ``io``, ``core``. Never trains.
"""
