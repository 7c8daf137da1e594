"""Images of nuclei and their maps, from files."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import DatasetError
from medarch.core.geometry import Geometry
from medarch.io.fault import fault
from medarch.io.read_case import CaseVolumes, stack_case
from medarch.io.read_volume import Volume, read_volume
from medarch.io.refuse_case import refuse_case

PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
INSTANCE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npz", ".npy", ".mat")
_DAMAGE = (OSError, ValueError, NotImplementedError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
_INSTANCES = ("inst_map", "instances", "nuc_raster", "arr_0")
_TYPES = ("type_map", "types")


def read_rgb(path: Path) -> np.ndarray:
    """Return a picture as ``(J, I, 3)`` uint8; a grey one three times over.

    Raises:
        VolumeError: it cannot be read, or its pixels are no 8-bit colours.
    """
    planes = read_volume(path).array[..., 0].transpose(2, 1, 0)
    if planes.dtype != np.uint8 or planes.shape[-1] not in (1, 3):
        raise fault(
            "UNSUPPORTED_DTYPE", path, expected="8-bit RGB", found=f"{planes.dtype}, {planes.shape[-1]} channels"
        )
    return np.ascontiguousarray(np.broadcast_to(planes, (*planes.shape[:2], 3)))


def read_nuclei(path: Path, types: Path | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return instances ``(J, I)`` int32 and types ``(J, I)`` uint8, None where the files hold none.

    Read are pictures of whole numbers (PNG, TIFF, BMP), ``.npz`` with ``inst_map`` (or ``instances``, or one array) and
    perhaps ``type_map``, ``.npy`` with one plane or two (instances, types), and ``.mat`` as HoVerNet's datasets have
    them. No pickle is executed.

    Args:
        path: instances, and perhaps types.
        types: a file of types alone.

    Raises:
        DatasetError: a file holds no such map, or maps differ in shape.
        VolumeError: a picture cannot be read.
    """
    instances, kinds = _read(path)
    if types is not None:
        kinds, _ = _read(types, names=_TYPES)
    if kinds is not None and kinds.shape != instances.shape:
        raise DatasetError(
            f"instances and types of {path.name} differ in size",
            expected="×".join(map(str, instances.shape)),
            found="×".join(map(str, kinds.shape)),
            fix="pair the right files",
        )
    return _whole(instances, path, np.int32), None if kinds is None else _whole(kinds, types or path, np.uint8)


def read_volume_of_nuclei(case: Case, *, channels: int) -> tuple[CaseVolumes, np.ndarray | None]:
    """Return a volume's images and instances (its label, int32), and types ``(I, J, K)`` uint8 if it has them.

    Args:
        case: with or without instances and types.
        channels: how many the images must have together.

    Raises:
        DatasetError: an image is no volume, or a map holds no numbers of nuclei or types.
        VolumeError: a file is damaged.
        GeometryError: files of the case lie on different grids.
    """
    images = [read_volume(path) for path in case.images]
    label = read_volume(case.label) if case.label else None
    refuse_case(case, images, label, channels=channels)
    volumes = stack_case(images, label)
    require_volume(volumes.geometry, case.images[0])
    if volumes.label is not None and case.label is not None:
        volumes = replace(volumes, label=_whole(volumes.label, case.label, np.int32))
    if case.types is None:
        return volumes, None
    return volumes, _types_beside(images[0], case.types, case.id)


def read_volume_instances(path: Path, types: Path | None = None) -> tuple[np.ndarray, np.ndarray | None, Geometry]:
    """Return instances ``(I, J, K)`` int32, types uint8 if there are any, and the grid of a volume's maps alone.

    Raises:
        DatasetError: a map holds no numbers of nuclei or types, or is no volume.
        VolumeError: a file is damaged.
        GeometryError: the maps lie on different grids.
    """
    held = read_volume(path)
    # As a map, not as an image, which may not be empty.
    refuse_case(Case(id=path.name, images=(path,), label=path), [], held, channels=1)
    require_volume(held.geometry, path)
    kinds = None if types is None else _types_beside(held, types, path.name)
    return _whole(held.array[0], path, np.int32), kinds, held.geometry


def _types_beside(volume: Volume, types: Path, name: str) -> np.ndarray:
    kinds = read_volume(types)
    case = Case(id=name, images=(volume.path,), label=types)
    # The volume has been judged; instances, too, may lie here, of which there may be none.
    refuse_case(case, [volume], kinds, channels=len(volume.array), waived=("ALL_ZERO", "CONSTANT_IMAGE"))
    return _whole(kinds.array[0], types, np.uint8)


def require_volume(geometry: Geometry, path: Path) -> None:
    """Refuse a picture in a volume's place.

    Raises:
        DatasetError: it has one pixel along an axis.
    """
    if min(geometry.shape) < 2:
        raise DatasetError(
            f"{path} is no volume",
            expected="more than one voxel along each axis",
            found="×".join(map(str, geometry.shape)),
            fix='take it away; a dataset of pictures has "dim": 2 and "mpp"',
            check="UNSUPPORTED_DIMS",
        )


def _read(path: Path, names: tuple[str, ...] = _INSTANCES) -> tuple[np.ndarray, np.ndarray | None]:
    suffix = path.suffix.lower()
    if suffix in (".npz", ".npy", ".mat"):
        try:
            held = _arrays(path, suffix)
        except _DAMAGE as error:
            raise DatasetError(
                f"cannot read {path}", expected=f"arrays in {suffix}", found=str(error)[:200], fix="write it again"
            ) from error
        if isinstance(held, np.ndarray):
            return _planes(held, path)
        found = next((held[name] for name in names if name in held), None)
        if found is None and len(held) == 1:
            [found] = held.values()
        if found is None:
            raise DatasetError(
                f"{path} holds no map of nuclei", expected=" or ".join(names), found=", ".join(held) or "nothing"
            )
        return np.squeeze(found), next((np.squeeze(held[name]) for name in _TYPES if name in held), None)
    planes = read_volume(path).array[..., 0].transpose(2, 1, 0)
    return _planes(planes, path)


def _arrays(path: Path, suffix: str) -> np.ndarray | dict[str, np.ndarray]:
    if suffix == ".mat":
        from scipy.io import loadmat

        return {name: value for name, value in loadmat(path).items() if isinstance(value, np.ndarray)}
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def _planes(array: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    if array.ndim == 3 and array.shape[-1] in (1, 2):
        return array[..., 0], array[..., 1] if array.shape[-1] == 2 else None
    if array.ndim != 2:
        raise DatasetError(
            f"{path} holds no map of nuclei",
            expected="(rows, columns), or (rows, columns, 2) with types",
            found="×".join(map(str, array.shape)),
            fix="save a number a nucleus in one channel, not a colour",
        )
    return array, None


def _whole(values: np.ndarray, path: Path, dtype: type[np.integer]) -> np.ndarray:
    limits = np.iinfo(dtype)
    if values.size and not (
        np.isfinite(values).all()
        and values.min() >= 0
        and values.max() <= limits.max
        and (values == np.rint(values)).all()
    ):
        raise DatasetError(
            f"{path} holds no numbers of nuclei or types",
            expected=f"whole numbers from 0 to {limits.max}",
            found=f"{values.dtype} from {values.min()} to {values.max()}",
            fix="save it as integers, without interpolation or compression with loss",
        )
    return values.astype(dtype)
