"""ANTs applies our files as we do, and we its files as it does. Needs antspyx in an environment of its own."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from oblique_grid import oblique_grid
from scipy import ndimage

import medarch
from medarch.core.landmarks import Landmarks
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.io.read_volume import read_volume
from medarch.io.transforms.read_landmarks import read_landmarks
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.transforms.write_transform import write_transform
from medarch.io.write_volume import write_volume

pytestmark = pytest.mark.peer
SCRIPT = Path(__file__).parent / "peer_ants.py"
CASES = Path(__file__).parents[2] / "data_samples" / "hippocampus" / "imagesTr"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two scans on oblique grids of different orientation, our transforms between them, and what ANTs made of it."""
    python = os.environ.get("MEDARCH_ANTS_PYTHON")
    if python is None:
        pytest.skip("MEDARCH_ANTS_PYTHON does not name a Python with antspyx")
    folder = tmp_path_factory.mktemp("ants")
    images = [read_volume(path).array[0].astype(np.float32) for path in sorted(CASES.glob("*.nii.gz"))[:2]]
    fixed = oblique_grid("RAS", shape=images[0].shape, spacing_mm=(1.0, 1.2, 1.5))
    moving = oblique_grid("PIR", shape=images[1].transpose(1, 2, 0).shape, spacing_mm=(1.2, 1.5, 1.0), degrees=-8.0)
    write_volume(folder / "fixed.nii.gz", images[0], fixed)
    write_volume(folder / "moving.nii.gz", images[1].transpose(1, 2, 0)[::-1, ::-1], moving)
    noise = np.random.default_rng(0).normal(size=(3, *fixed.shape))
    noise = np.stack([ndimage.gaussian_filter(component, 6, mode="nearest") for component in noise])
    voxels = (4 * noise / np.linalg.norm(noise, axis=0).max()).astype(np.float32)
    field = DisplacementField.from_voxels(voxels, fixed)
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(3).normal(size=(3, 4)) * (0.05, 0.05, 0.05, 2.0)
    affine = AffineTransform.from_matrix(matrix)
    write_transform(folder / "field.nii.gz", field)
    write_transform(folder / "affine.mat", affine)
    write_transform(folder / "both.h5", TransformChain((field, affine)))
    points = np.random.default_rng(1).uniform(10, 24, size=(8, 3)) @ fixed.matrix[:3, :3].T + fixed.matrix[:3, 3]
    landmarks = Landmarks(names=tuple("abcdefgh"), points_mm=tuple(map(tuple, points.tolist())))
    write_landmarks(folder / "landmarks.csv", landmarks)
    lines = ["x,y,z", *(f"{-x},{-y},{z}" for x, y, z in points)]
    (folder / "points.csv").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [python, SCRIPT, folder], env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize(
    ("result", "transforms", "swapped"),
    [
        ("ants_field_affine", ["field.nii.gz", "affine.mat"], False),
        ("ants_h5", ["both.h5"], False),
        ("ants_inverse_affine", ["[affine.mat,1]"], False),
        ("ants_syn", ["syn_warp.nii.gz", "syn_affine.mat"], False),
        ("ants_back", ["[syn_affine.mat,1]", "syn_inverse.nii.gz"], True),
        ("ants_composite", ["composite.h5"], False),
    ],
)
def test_ants_and_medarch_move_an_image_alike(folder, tmp_path, result, transforms, swapped):
    source, reference = ("fixed", "moving") if swapped else ("moving", "fixed")
    paths = [f"[{folder / name[1:]}" if name.startswith("[") else folder / name for name in transforms]
    target = tmp_path / "out.nii.gz"
    medarch.warp(folder / f"{source}.nii.gz", target, paths, reference=folder / f"{reference}.nii.gz")
    ours, theirs = read_volume(target).array[0], read_volume(folder / f"{result}.nii.gz").array[0]
    # ANTs holds images as float32.
    close = np.isclose(ours, theirs, atol=1e-4 * theirs.max())
    inner = ndimage.binary_erosion((ours > 0) & (theirs > 0), iterations=2)
    assert inner.sum() > 5000
    assert close[inner].all()
    assert close.mean() > 0.999


def test_the_inverse_of_syn_s_warp_is_syn_s_inverse_warp(folder, tmp_path):
    """Point by point from the forward warp, against the file that ANTs computed for it."""
    landmarks = folder / "landmarks.csv"
    solved, filed = tmp_path / "solved.csv", tmp_path / "filed.csv"
    medarch.warp(landmarks, solved, [folder / "syn_warp.nii.gz"])
    # Landmarks go the other way than images: by the inverse of what is given.
    medarch.warp(landmarks, filed, [folder / "syn_inverse.nii.gz"], inverse=True)
    apart = np.linalg.norm(read_landmarks(solved).array - read_landmarks(filed).array, axis=1)
    moved = np.linalg.norm(read_landmarks(solved).array - read_landmarks(landmarks).array, axis=1)
    assert apart.max() < 0.3
    assert moved.max() > 1.0


def test_points_go_where_ants_sends_them(folder, tmp_path):
    """ANTs moves points of the fixed image forward, as ``--inverse`` does."""
    medarch.warp(
        folder / "landmarks.csv", tmp_path / "out.csv", [folder / "field.nii.gz", folder / "affine.mat"], inverse=True
    )
    theirs = np.loadtxt(folder / "ants_points.csv", delimiter=",", skiprows=1)[:, :3] * (-1, -1, 1)
    np.testing.assert_allclose(read_landmarks(tmp_path / "out.csv").array, theirs, atol=1e-3)
