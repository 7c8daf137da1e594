"""Dataset to fingerprint, fingerprint to plan; every decision comes with its reason.

May import ``tasks``, ``preprocessing``, ``networks``, ``io`` and ``core``. Never trains.
"""
