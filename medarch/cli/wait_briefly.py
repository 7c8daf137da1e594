"""How long threads that compute wait actively for each other."""

from __future__ import annotations

import os

SPINS = 3000
"""Rounds; by itself GNU OpenMP waits for a hundred times as many. Figures: docs/prediction.md."""


def wait_briefly() -> None:
    """Let waiting threads give up their core soon, unless the user has said otherwise; before torch is loaded.

    On a machine with other work, threads that wait actively take the core from the very thread that they wait for.
    Programs that are started from here, nnU-Net in a study too, are given the same.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
