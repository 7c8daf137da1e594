"""Which of nnU-Net's readers sees a case as a plan does, and in which order of axes."""

from __future__ import annotations

import logging

from medarch.core.fingerprint import CaseFingerprint, Fingerprint
from medarch.core.geometry import Triple
from medarch.interop.not_expressible import not_expressible

AS_STORED = {
    ".nii.gz": "SimpleITKIO",
    ".nrrd": "SimpleITKIO",
    ".mha": "SimpleITKIO",
    ".nii": "NibabelIO",
    ".png": "NaturalImage2DIO",
    ".bmp": "NaturalImage2DIO",
    ".tif": "NaturalImage2DIO",
}
"""File ending → the reader that keeps the order of the file."""
TURNED = {
    ".nii.gz": "NibabelIOWithReorient",
    ".nii": "NibabelIOWithReorient",
    ".nrrd": "SimpleITKIOWithReorient",
    ".mha": "SimpleITKIOWithReorient",
}
"""File ending → the reader that turns images to RAS; nnU-Net knows no other directions."""
_OPPOSITE = ("RL", "AP", "SI")
log = logging.getLogger(__name__)


def nnunet_reader(orientation: str | None, file_ending: str, fingerprint: Fingerprint | None) -> str:
    """Return the class name of the reader.

    Another orientation than RAS can be had where every training case is stored in it: nnU-Net then keeps the order of
    the file, which is that one. A warning says what that means for new images.

    Args:
        orientation: of the plan; None for the order of the file.
        file_ending: of the images.
        fingerprint: how the training cases are stored, if that is known.

    Raises:
        PlanError: nnU-Net has no reader for these files, or cannot turn images that way.
    """
    stored = {case.axcodes for case in fingerprint.cases} if fingerprint is not None else set()
    turned = orientation == "RAS"
    if orientation not in (None, "RAS"):
        if stored != {orientation}:
            raise not_expressible(
                f"orientation {orientation}",
                expected="null, RAS, or the one that all training cases are stored in",
                found=", ".join(sorted(stored)) or "a model without the fingerprint of its training cases",
            )
        log.warning("nnU-Net does not turn images to %s: give it only images that are stored so", orientation)
    readers = TURNED if turned else AS_STORED
    if file_ending not in readers:
        raise not_expressible(f"file ending {file_ending}", expected=", ".join(readers), found=file_ending)
    return readers[file_ending]


def reader_order(case: CaseFingerprint, orientation: str | None) -> Triple:
    """Return the file axis of each of the reader's axes (z, y, x of the file, or of the image turned to RAS)."""
    if orientation != "RAS":
        return (2, 1, 0)
    x, y, z = (next(axis for axis, code in enumerate(case.axcodes) if code in pair) for pair in _OPPOSITE)
    return (z, y, x)
