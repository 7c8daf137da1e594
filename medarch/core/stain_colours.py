"""The colours of two stains."""

from __future__ import annotations

from medarch.core.record import Record

Colour = tuple[float, float, float]


class StainColours(Record):
    """What haematoxylin and eosin look like in one image.

    Source: Macenko et al. 2009, doi:10.1109/ISBI.2009.5193250.
    """

    haematoxylin: Colour
    """Unit vector of optical density, red, green, blue."""
    eosin: Colour
    strength: tuple[float, float]
    """Of each stain, the 99th percentile."""
