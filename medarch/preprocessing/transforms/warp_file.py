"""One file through transforms: an image, a label map or landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from medarch.core.errors import TransformError, UsageError
from medarch.core.spatial_transform import SpatialTransform, TransformChain
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.suffix import FORMATS, split_suffix
from medarch.io.transforms.landmark_file import LANDMARK_SUFFIXES, landmark_suffix
from medarch.io.transforms.read_landmarks import read_landmarks
from medarch.io.transforms.read_transform import read_transform
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.write_volume import write_volume
from medarch.preprocessing.transforms.map_points import map_points
from medarch.preprocessing.transforms.sample_volume import Interpolation
from medarch.preprocessing.transforms.warp_volume import warp_volume

_LABEL_VALUES = 128
"""Whole numbers, and at most so many different ones: such a volume looks like a label map."""


@dataclass(frozen=True)
class TransformFile:
    """A transform on disk, forward or to be inverted."""

    path: Path
    inverted: bool = False


@dataclass(frozen=True)
class Warp:
    """What to do with a file."""

    source: Path
    target: Path
    transforms: tuple[TransformFile, ...]
    """The first acts first on a point of the reference."""
    reference: Path | None
    inverse: bool
    """Whether all of them together are inverted."""
    interpolation: Interpolation
    fill: float


@dataclass(frozen=True)
class Warped:
    """What came of a file."""

    path: Path
    defined: float
    """Share of the voxels or landmarks that the displacement fields cover, and whose inverse was found."""
    inside: float
    """Share of the reference's voxels that lie in the input; of landmarks 1."""
    note: str = ""


def warp_file(warp: Warp) -> Warped:
    """Carry a file from the moving image's space to the reference's; landmarks follow the images.

    Raises:
        UsageError: a volume comes without a reference, or would replace its input.
        VolumeError, GeometryError, TransformError: a file cannot be read, written or used; see their readers.
    """
    if warp.source.resolve() == warp.target.resolve():
        raise UsageError(
            "the output would replace its own input", expected="another path", found=str(warp.target), fix="name one"
        )
    chain = read_chain(warp.transforms)
    chain = chain.inverse() if warp.inverse else chain
    return _warp_landmarks(warp, chain) if is_landmark_file(warp.source) else _warp_volume(warp, chain)


def is_landmark_file(path: Path) -> bool:
    """Whether the name is that of a landmark file."""
    return path.suffix.lower() in LANDMARK_SUFFIXES


@lru_cache(maxsize=2)
def read_chain(transforms: Sequence[TransformFile]) -> TransformChain:
    """Read transforms in their order. The last ones are kept: a folder of files goes through the same."""
    parts: list[SpatialTransform] = []
    for each in transforms:
        chain = read_transform(each.path)
        parts += (chain.inverse() if each.inverted else chain).parts
    return TransformChain(tuple(parts))


def _warp_landmarks(warp: Warp, chain: TransformChain) -> Warped:
    landmark_suffix(warp.target)
    landmarks = read_landmarks(warp.source)
    # An image is sampled where the chain sends the reference's voxels; what lies in it goes the other way.
    mapped = map_points(landmarks.array, chain.inverse())
    if not mapped.defined.any():
        raise TransformError(
            "no landmark lies in the displacement field",
            expected="landmarks of the image that the transform moves",
            found="landmarks elsewhere",
            fix="check their coordinate system, the transforms' order, and whether the inverse is meant",
        )
    write_landmarks(warp.target, landmarks.moved(mapped.points_mm))
    lost = [name for name, known in zip(landmarks.names, mapped.defined, strict=True) if not known]
    note = f"not covered by the field: landmark {', '.join(lost)}" if lost else ""
    return Warped(warp.target, float(mapped.defined.mean()), 1.0, note)


def _warp_volume(warp: Warp, chain: TransformChain) -> Warped:
    if warp.reference is None:
        raise UsageError(
            "an image needs a grid to go to",
            expected="--reference FIXED",
            found="none",
            fix="name the fixed image (with --inverse: the moving one)",
        )
    fixed, _ = read_geometry(warp.reference)
    volume = read_volume(warp.source)
    warped = warp_volume(volume.array, volume.geometry, fixed, chain, interpolation=warp.interpolation, fill=warp.fill)
    note = ""
    if warp.interpolation != "nearest" and _looks_like_labels(volume.array):
        note = "looks like a label map, which --interpolation nearest keeps"
    elif warped.defined < 1:
        note = f"the field covers {warped.defined:.1%} of the reference and moves nothing outside"
    array = warped.array
    if FORMATS.get(split_suffix(warp.target)[1]) == "picture" and volume.array.dtype.kind == "u":
        limits = np.iinfo(volume.array.dtype)
        array = np.clip(np.rint(array), limits.min, limits.max).astype(volume.array.dtype)
    write_volume(warp.target, array, fixed, like=warp.reference)
    return Warped(warp.target, warped.defined, warped.inside, note)


def _looks_like_labels(array: np.ndarray) -> bool:
    some = array[:, ::2, ::2, ::2]
    return bool((some == np.rint(some)).all()) and len(np.unique(some)) <= _LABEL_VALUES
