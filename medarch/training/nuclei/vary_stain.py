"""Stain augmentation."""

from __future__ import annotations

import numpy as np

from medarch.preprocessing.stain.optical_density import from_optical_density, optical_density

_STAINS = np.array(((0.650, 0.704, 0.286), (0.072, 0.990, 0.105), (0.268, 0.570, 0.776)))
"""Haematoxylin, eosin, DAB. Source: Ruifrok & Johnston 2001, Anal Quant Cytol Histol 23:291."""
_STAINS /= np.linalg.norm(_STAINS, axis=1, keepdims=True)
_UNMIX = np.linalg.inv(_STAINS)
STRENGTH = 0.25
"""Stains come out up to this share stronger or weaker."""
SHIFT = 0.05
"""Optical density that is added or taken away of each stain."""


def vary_stain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ``(J, I, 3)`` uint8 as if stained in another laboratory.

    The image is taken apart into stains, each is made stronger or weaker, and put together again.
    Source: Tellez et al. 2018, doi:10.1109/TMI.2018.2820199.
    """
    factor = rng.uniform(1 - STRENGTH, 1 + STRENGTH, 3)
    shift = rng.uniform(-SHIFT, SHIFT, 3)
    # Taking apart, changing and putting together is one matrix and one offset.
    mixed = (_UNMIX * factor) @ _STAINS
    density = optical_density(image) @ mixed.astype(np.float32) + (shift @ _STAINS).astype(np.float32)
    return from_optical_density(density)
