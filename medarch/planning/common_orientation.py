"""How most cases are stored."""

from __future__ import annotations

from medarch.core.fingerprint import Fingerprint


def common_orientation(fingerprint: Fingerprint) -> str:
    """Return the axis codes that most cases have, such as ``RAS``; of equally many the first by name."""
    codes = [case.axcodes for case in fingerprint.cases]
    return max(sorted(set(codes)), key=codes.count)
