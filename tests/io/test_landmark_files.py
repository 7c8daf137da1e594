"""Landmarks keep their side of the patient."""

import numpy as np
import pytest
from oblique_grid import oblique_grid

from medarch.core.errors import TransformError, VolumeError
from medarch.core.landmarks import Landmarks
from medarch.io.transforms.read_landmarks import read_landmarks
from medarch.io.transforms.write_landmarks import write_landmarks

SLICER_4_11 = """# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
vtkMRMLMarkupsFiducialNode_0,-12.5,30.25,7,0,0,0,1,1,1,0,AC,"anterior, commissure",vtkMRMLScalarVolumeNode1
vtkMRMLMarkupsFiducialNode_1,4,-5,-6,0,0,0,1,1,1,0,PC,,
"""
SLICER_4_10 = SLICER_4_11.replace("4.11", "4.10").replace("= LPS", "= 0").replace("-12.5,30.25", "12.5,-30.25")
POINTS = ((12.5, -30.25, 7.0), (-4.0, 5.0, -6.0))


def read(tmp_path, text: str, name: str = "points.fcsv", **options) -> Landmarks:
    (tmp_path / name).write_text(text)
    return read_landmarks(tmp_path / name, **options)


def test_slicer_s_lps_and_ras_files_are_the_same_points(tmp_path):
    new = read(tmp_path, SLICER_4_11)
    assert new == Landmarks(names=("AC", "PC"), points_mm=POINTS, descriptions=("anterior, commissure", ""))
    assert read(tmp_path, SLICER_4_10).points_mm == (POINTS[0], (4.0, -5.0, -6.0))
    assert read(tmp_path, SLICER_4_11.replace("# CoordinateSystem = LPS\n", "")).points_mm[0] == (-12.5, 30.25, 7.0)


@pytest.mark.parametrize("suffix", [".csv", ".fcsv"])
@pytest.mark.parametrize("system", ["RAS", "LPS", None])
def test_landmarks_come_back_to_the_last_bit(tmp_path, suffix, system):
    points = np.random.default_rng(0).normal(size=(7, 3)) * 100
    landmarks = Landmarks(
        names=tuple(["a,b", "c", '"d"', "é", "e f", "g", "h"]),
        points_mm=tuple(map(tuple, points.tolist())),
        descriptions=("x",) * 7,
    )
    write_landmarks(tmp_path / f"points{suffix}", landmarks, system=system)
    assert read_landmarks(tmp_path / f"points{suffix}") == landmarks
    stated = system or {".csv": "RAS", ".fcsv": "LPS"}[suffix]
    assert f"# CoordinateSystem = {stated}" in (tmp_path / f"points{suffix}").read_text()


def test_a_csv_must_say_on_which_side_its_points_lie(tmp_path):
    with pytest.raises(TransformError, match="does not say which way"):
        read(tmp_path, "label,x,y,z\na,1,2,3\n", "points.csv")
    text = "# CoordinateSystem = LPS\nX, y, z\n1,2,3\n"
    assert read(tmp_path, text, "points.csv") == Landmarks(names=("1",), points_mm=((-1.0, -2.0, 3.0),))


def test_points_of_a_2d_image_need_no_z(tmp_path):
    assert read(tmp_path, "#CoordinateSystem=RAS\nname,x,y\na,1,2\n", "p.csv").points_mm == ((1.0, 2.0, 0.0),)


def test_voxels_are_placed_by_the_grid_of_their_image(tmp_path):
    grid = oblique_grid("LPI")
    found = read(tmp_path, "i,j,k\n2,3,4\n0,0,0\n", "p.csv", grid=grid)
    np.testing.assert_allclose(found.array, [(grid.matrix @ [2, 3, 4, 1])[:3], grid.matrix[:3, 3]])
    with pytest.raises(TransformError, match="unknown grid"):
        read(tmp_path, "i,j,k\n2,3,4\n", "p.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# CoordinateSystem = RAS\nx,y,z\n1,2,three\n", "z of point 1 is not a number.*'three'"),
        ("# CoordinateSystem = RAS\nx,y,z\n1,2\n", "z of point 1 is not a number"),
        ("# CoordinateSystem = RAS\nx,y,z\n1,2,nan\n", "not finite"),
        ("# CoordinateSystem = IJK\nx,y,z\n1,2,3\n", "unknown coordinate system"),
        ("# CoordinateSystem = RAS\nx,y,z\n", "holds no landmarks"),
        ("1,2,3\n4,5,6\n", "holds no landmarks"),
        ("# only a comment\n", "holds no landmarks"),
    ],
)
def test_bad_landmarks_get_one_typed_error(tmp_path, text, words):
    with pytest.raises(TransformError, match=words):
        read(tmp_path, text, "points.csv")


def test_missing_and_foreign_files_get_one_typed_error(tmp_path):
    with pytest.raises(VolumeError, match="FILE_MISSING"):
        read_landmarks(tmp_path / "none.csv")
    with pytest.raises(TransformError, match="no landmark file"):
        read_landmarks(tmp_path / "points.json")
