"""Datasets on disk for the tests of this room."""

from pathlib import Path

import nibabel
import numpy as np

from medarch.core.dataset import Case, Dataset
from medarch.core.labels import LabelScheme

LABELS = LabelScheme(labels={"background": 0, "Anterior": 1, "Posterior": 2})


def dataset_at(root: Path, ids: list[str], *, channels: tuple[str, ...] = ("MRI",), labels: LabelScheme = LABELS):
    """nnU-Net file names if there are several channels, MSD's if there is one."""
    names = [""] if len(channels) == 1 else [f"_{index:04d}" for index in range(len(channels))]
    cases = tuple(
        Case(
            id=name,
            images=tuple(root / "imagesTr" / f"{name}{suffix}.nii.gz" for suffix in names),
            label=root / "labelsTr" / f"{name}.nii.gz",
        )
        for name in sorted(ids)
    )
    return Dataset(name="Test", root=root, layout="nnunet", channels=channels, labels=labels, cases=cases)


def hippocampus(root: Path) -> Dataset:
    """All cases of the MSD task."""
    return dataset_at(root, [path.name.removesuffix(".nii.gz") for path in (root / "labelsTr").glob("h*.nii.gz")])


def write_case(
    root: Path,
    name: str,
    images: np.ndarray,
    label: np.ndarray,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> None:
    """Write channels ``(C, I, J, K)`` and a label ``(I, J, K)``."""
    affine = np.diag([*spacing, 1.0])
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        suffix = "" if len(images) == 1 else f"_{index:04d}"
        nibabel.save(nibabel.Nifti1Image(image, affine), root / "imagesTr" / f"{name}{suffix}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label.astype(np.uint8), affine), root / "labelsTr" / f"{name}.nii.gz")
