"""Small datasets in three layouts, built from real or random volumes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medarch.core.geometry import Geometry
from medarch.io.write_volume import write_volume

AFFINE = np.diag([1.0, 1.5, 2.0, 1.0])


@pytest.fixture
def make_case() -> Callable[..., None]:
    """Write a random image of ``channels`` files and a label with values 0 to 2, distinct by ``seed``."""

    def make(
        folder: Path, name: str, *, channels: int = 1, seed: int = 0, shape: tuple[int, int, int] = (9, 8, 7)
    ) -> None:
        random = np.random.default_rng(seed)
        geometry = Geometry.from_array(shape, AFFINE)
        for channel in range(channels):
            image = random.normal(size=shape).astype(np.float32)
            write_volume(folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz", image, geometry)
        label = random.integers(0, 3, size=shape).astype(np.uint8)
        write_volume(folder / "labelsTr" / f"{name}.nii.gz", label, geometry)

    return make


@pytest.fixture
def nnunet_tree(tmp_path: Path, make_case: Callable[..., None]) -> Path:
    """Three cases of two channels."""
    folder = tmp_path / "any folder"
    for seed, name in enumerate(("a", "b", "c")):
        make_case(folder, name, channels=2, seed=seed)
    meta = {
        "channel_names": {"0": "CT", "1": "PET"},
        "labels": {"background": 0, "organ": 1, "lesion": 2},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture
def manifest_with(tmp_path: Path, shared_data: Path) -> Callable[..., Path]:
    """A JSON manifest of two real hippocampus cases and a third one that is given."""

    def build(image: Path, label: Path) -> Path:
        source = shared_data / "Task04_Hippocampus"
        cases = [
            {"id": f"good_{number}", "image": str(source / "imagesTr" / name), "label": str(source / "labelsTr" / name)}
            for number, name in enumerate(("hippocampus_003.nii.gz", "hippocampus_004.nii.gz"))
        ]
        cases.append({"id": "odd", "image": str(image), "label": str(label)})
        labels = {"background": 0, "anterior": 1, "posterior": 2}
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps({"channels": ["MRI"], "labels": labels, "cases": cases}))
        return path

    return build


@pytest.fixture
def copy_cases(shared_data: Path) -> Callable[..., None]:
    """Copy real hippocampus cases into an nnU-Net tree."""

    def copy(folder: Path, *numbers: str) -> None:
        source = shared_data / "Task04_Hippocampus"
        for part in ("imagesTr", "labelsTr"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            name = f"hippocampus_{number}"
            shutil.copy(source / "imagesTr" / f"{name}.nii.gz", folder / "imagesTr" / f"{name}_0000.nii.gz")
            shutil.copy(source / "labelsTr" / f"{name}.nii.gz", folder / "labelsTr" / f"{name}.nii.gz")

    return copy
