"""Along which axes an image may be mirrored without turning one class into another."""

from __future__ import annotations

import itertools

import numpy as np

from medarch.core.fingerprint import Fingerprint
from medarch.core.geometry import Triple

SAME_SIDE_SHARE = 0.95
"""Two classes are arranged along a body axis when one lies on the same side of the other in at least this share of
the cases."""
FEWEST_CASES = 4
CLEAR_GAP_MM = 1.0
"""Centroids nearer than this are not in any order."""
BODY_AXES = ("left-right", "front-back", "head-foot")


def choose_mirror_axes(fingerprint: Fingerprint, *, orientation: str, axes: Triple) -> tuple[tuple[int, ...], str]:
    """Return the network axes to mirror, and why.

    nnU-Net mirrors along every axis; where position tells classes apart (left from right kidney, the anterior from the
    posterior hippocampus) that teaches the network to confuse them (its issues #80, #219, #869, #1110, #1613, #1834,
    #2225, #2654). Here an axis along which two classes are always arranged in one order is left alone, which also
    halves the time of prediction.

    Args:
        fingerprint: with the centroids of the labels.
        orientation: directions of the file axes after reorientation, e.g. ``"RAS"``.
        axes: network axis ``n`` is file axis ``axes[n]``.
    """
    # The body axis (0 = x, 1 = y, 2 = z) of each file axis, whichever way it points.
    body = ["RLAPSI".index(code) // 2 for code in orientation]
    pairs = {n: _ordered_pair(fingerprint, body[axis]) for n, axis in enumerate(axes)}
    free = tuple(n for n, pair in pairs.items() if pair is None)
    told = [
        f"labels {pair[0]} and {pair[1]} always lie in one order along the {BODY_AXES[body[axes[n]]]} axis"
        for n, pair in pairs.items()
        if pair is not None
    ]
    if not told:
        return free, "no two classes are arranged in one order along any axis, so a mirrored case is as good as a case"
    return free, "; ".join(told) + ": mirrored there, one would look like the other"


def _ordered_pair(fingerprint: Fingerprint, world: int) -> tuple[int, int] | None:
    """Return two labels that lie in one order along a body axis (0 = x, 1 = y, 2 = z), or None."""
    values = sorted({value for case in fingerprint.cases for value in case.label_centroids_mm})
    for first, second in itertools.combinations(values, 2):
        gaps = np.array(
            [
                case.label_centroids_mm[first][world] - case.label_centroids_mm[second][world]
                for case in fingerprint.cases
                if first in case.label_centroids_mm and second in case.label_centroids_mm
            ]
        )
        if len(gaps) < FEWEST_CASES:
            continue
        if max((gaps > CLEAR_GAP_MM).mean(), (gaps < -CLEAR_GAP_MM).mean()) >= SAME_SIDE_SHARE:
            return first, second
    return None
