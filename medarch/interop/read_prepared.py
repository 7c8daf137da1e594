"""Voxels of a case that nnU-Net prepared."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from medarch.core.errors import PreprocessingError, UsageError

ENDINGS = (".b2nd", ".npz", ".npy")
"""Since v2.6; before it; and unpacked, where only that was kept."""


OLDEST_BLOSC2 = (4, 14)


def prepared_file(folder: Path, case: str) -> Path | None:
    """Return the file with a case's image, if there is one."""
    return next((path for ending in ENDINGS if (path := folder / f"{case}{ending}").exists()), None)


def prepared_ids(folder: Path) -> set[str]:
    """Return the cases that a folder holds."""
    names = {path.name.removesuffix(ending) for ending in ENDINGS for path in folder.glob(f"*{ending}")}
    return {name for name in names if not (name.endswith("_seg") and name.removesuffix("_seg") in names)}


def read_prepared(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return image ``(C, N0, N1, N2)`` float32 and label ``(N0, N1, N2)`` int16 of a case.

    Args:
        path: ``CASE.b2nd`` or ``CASE.npy``, beside ``CASE_seg``, or ``CASE.npz``, which holds both.

    Raises:
        PreprocessingError: a file is missing or damaged, or is no such array.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as content:
                image, label = content["data"], content["seg"]
        else:
            read = _blosc2 if path.suffix == ".b2nd" else partial(np.load, allow_pickle=False)
            image, label = read(path), read(path.with_name(f"{path.stem}_seg{path.suffix}"))
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise PreprocessingError(
            f"cannot read {path}", expected="a case as nnU-Net prepares it", found=f"{type(error).__name__}: {error}",
            fix="preprocess the dataset again with nnU-Net",
        ) from error  # fmt: skip
    if (
        image.ndim != 4
        or label.shape != (1, *image.shape[1:])
        or image.dtype.kind != "f"
        or label.dtype.kind not in "iu"
    ):
        raise PreprocessingError(
            f"{path} is no prepared case",
            expected="an image (C, I, J, K) of floats and a label map (1, I, J, K) of integers",
            found=f"{image.dtype} {image.shape} and {label.dtype} {label.shape}",
            fix="preprocess the dataset again with nnU-Net",
        )
    return image.astype(np.float32, copy=False), label[0].astype(np.int16, copy=False)


def require_blosc2() -> None:
    """Say that ``.b2nd`` files cannot be read, before any is.

    Raises:
        UsageError: the package blosc2 is not installed, or too old to be told not to run what a file holds.
    """
    try:
        import blosc2

        found = blosc2.__version__
    except ImportError:
        found = "not installed"
    if not found[0].isdigit() or tuple(map(int, found.split(".")[:2])) < OLDEST_BLOSC2:
        raise UsageError(
            "nnU-Net's prepared cases need blosc2",
            expected="the Python package blosc2, " + ".".join(map(str, OLDEST_BLOSC2)) + " or later",
            found=found,
            fix='pip install "medarch[nnunet]"',
        )


def _blosc2(path: Path) -> np.ndarray:
    import blosc2

    # Such files may hold programs instead of voxels; "safe" refuses to run them.
    array = blosc2.open(str(path), mode="r", deserialize="safe")
    if not isinstance(array, blosc2.NDArray):
        raise ValueError(f"a {type(array).__name__}, not an array")  # noqa: TRY004  the file's content is wrong
    voxels: np.ndarray = array[...]
    return voxels
