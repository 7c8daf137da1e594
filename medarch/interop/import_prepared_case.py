"""One case that nnU-Net prepared, into medarch's stores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case, case_sha256
from medarch.core.errors import PreprocessingError
from medarch.core.fingerprint import CaseFingerprint
from medarch.core.geometry import Geometry, Triple, spacing_tolerance_mm
from medarch.core.labels import LabelScheme
from medarch.core.plan import PreprocessingPlan
from medarch.core.prepared import PreparedCase
from medarch.interop.read_prepared import prepared_file, read_prepared
from medarch.interop.read_properties import CaseProperties, read_properties
from medarch.io.read_label_map import LabelMap, read_label_map
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.sample_locations import sample_locations
from medarch.preprocessing.way_to_network import way_to_network


@dataclass(frozen=True)
class ImportTarget:
    """One recipe: where nnU-Net's cases of it lie, and where medarch's go."""

    source: Path
    recipe: PreprocessingPlan
    recipe_sha256: str
    store: Path


def import_prepared_case(
    case: Case, *, targets: Sequence[ImportTarget], labels: LabelScheme, channels: int
) -> CaseFingerprint:
    """Write a case into the store of each recipe, unless it is there already from the same files; measure its labels.

    Args:
        case: its label map is the one before preprocessing, and gives the grid of the file.
        targets: one a recipe.
        labels: what the label map may hold.
        channels: of the image.

    Raises:
        PreprocessingError: a file is missing or damaged, or the parts of the case do not fit each other.
    """
    if case.label is None:
        raise PreprocessingError(f"case {case.id} has no label map")
    truth = read_label_map(case.label, labels=labels)
    stamp, content = case_sha256(case), _content_sha256(case)
    fingerprint: CaseFingerprint | None = None
    for target in targets:
        path = prepared_file(target.source, case.id)
        if path is None:
            raise PreprocessingError(
                f"case {case.id} is not in {target.source}", fix="preprocess the dataset again with nnU-Net"
            )
        properties = read_properties(target.source / f"{case.id}.pkl")
        fingerprint = fingerprint or _fingerprint(case.id, truth, target.recipe, properties, content)
        store = CaseStore(target.store)
        if not _is_there(store, case.id, stamp):
            _store(store, target, path, stamp, _Parts(case.id, truth.geometry, properties, labels, channels, content))
    if fingerprint is None:
        raise PreprocessingError(f"case {case.id} has no recipe to be imported by")
    return fingerprint


@dataclass(frozen=True)
class _Parts:
    """What is known of a case besides its voxels."""

    case: str
    geometry: Geometry
    properties: CaseProperties
    labels: LabelScheme
    channels: int
    content_sha256: str


def _content_sha256(case: Case) -> str:
    """Hash as preparing from raw images has it: over the hashes of the files."""
    digest = hashlib.sha256()
    for path in case.files():
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").hexdigest().encode())
    return digest.hexdigest()


def _is_there(store: CaseStore, case: str, stamp: str) -> bool:
    try:
        return store.source_stamp(case) == stamp
    except PreprocessingError:
        return False


def _store(store: CaseStore, target: ImportTarget, path: Path, stamp: str, parts: _Parts) -> None:
    image, label = read_prepared(path)
    record = _record(target, image.shape, parts)
    if len(image) != parts.channels:
        raise _misfit(parts.case, f"{parts.channels} channel(s)", f"{len(image)}")
    store.write(PreparedArrays(image, label, record), sample_locations(label, parts.labels), source_stamp=stamp)


def _record(target: ImportTarget, shape: tuple[int, ...], parts: _Parts) -> PreparedCase:
    recipe, properties = target.recipe, parts.properties
    permutation, flips = way_to_network(parts.geometry, recipe)
    full: Triple = tuple(parts.geometry.shape[axis] for axis in permutation)  # type: ignore[assignment]
    # The reader's axes are z, y, x of the (turned) file.
    current = tuple(properties.spacing_mm[2 - axis] for axis in recipe.axes)
    wanted = tuple(old if new is None else new for old, new in zip(current, recipe.spacing_mm, strict=True))
    inner = tuple(stop - start for start, stop in properties.crop)
    expected = tuple(
        round(old / new * size) for old, new, size in zip(current, wanted, properties.cropped_shape, strict=True)
    )
    _require(parts.case, full, properties.full_shape, "shape before the crop")
    _require(parts.case, inner, properties.cropped_shape, "shape after the crop")
    _require(parts.case, expected, shape[1:], "shape after resampling to the spacing of the plans")
    _require_spacing(parts, permutation, current)
    return PreparedCase(
        id=parts.case,
        geometry=parts.geometry,
        permutation=permutation,
        flips=flips,
        full_shape=full,
        crop=properties.crop,
        cropped_shape=properties.cropped_shape,
        cropped_spacing_mm=current,  # type: ignore[arg-type]
        shape=shape[1:],  # type: ignore[arg-type]
        spacing_mm=wanted,  # type: ignore[arg-type]
        separate_plane_ratio=recipe.separate_plane_ratio,
        score_order=recipe.score_order,
        coarse_order=recipe.coarse_order,
        source_sha256=parts.content_sha256,
        recipe_sha256=target.recipe_sha256,
    )


def _require_spacing(parts: _Parts, permutation: Triple, current: Sequence[float]) -> None:
    for axis, spacing in zip(permutation, current, strict=True):
        # The one slice of a 2D image has no thickness; nnU-Net makes one up.
        gap = abs(parts.geometry.spacing_mm[axis] - spacing)
        if gap > spacing_tolerance_mm(spacing) and parts.geometry.shape[axis] > 1:
            raise _misfit(parts.case, f"spacing {parts.geometry.spacing_mm} of its label map", f"{tuple(current)}")


def _require(case: str, expected: Sequence[int], found: Sequence[int], what: str) -> None:
    if tuple(expected) != tuple(found):
        raise _misfit(case, f"{what} {tuple(expected)}", str(tuple(found)))


def _misfit(case: str, expected: str, found: str) -> PreprocessingError:
    return PreprocessingError(
        f"the parts of case {case} do not fit each other",
        expected=expected,
        found=found,
        fix="preprocess the dataset again with nnU-Net: label maps, plans and prepared cases must be of one run",
    )


def _fingerprint(
    case: str, truth: LabelMap, recipe: PreprocessingPlan, properties: CaseProperties, content: str
) -> CaseFingerprint:
    permutation, flips = way_to_network(truth.geometry, recipe)
    after = [0, 0, 0]
    inside: list[slice] = [slice(None)] * 3
    for axis, flip, full, (start, stop) in zip(permutation, flips, properties.full_shape, properties.crop, strict=True):
        after[axis] = stop - start
        inside[axis] = slice(full - stop, full - start) if flip else slice(start, stop)
    counts = np.bincount(truth.array[tuple(inside)].ravel())
    return CaseFingerprint(
        id=case,
        shape=truth.geometry.shape,
        shape_after_crop=(after[0], after[1], after[2]),
        spacing_mm=truth.geometry.spacing_mm,
        axcodes=truth.geometry.axcodes,
        label_voxels={int(value): int(counts[value]) for value in np.flatnonzero(counts)},
        content_sha256=content,
    )
