"""``medarch register`` on two 1 mm brains of different grids, from end to end."""

import json

import numpy as np
import pytest
import SimpleITK
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.io.read_volume import read_volume


@pytest.mark.slow
def test_two_native_brains_are_registered_and_simpleitk_makes_the_same_image_of_the_field(shared_data, tmp_path):
    folder = shared_data / "brain_oasis25" / "native_1mm"
    files = {name: folder / f"{name}.nii.gz" for name in ("1003_t1", "1007_t1", "1003_seg", "1007_seg")}
    arguments = [
        "register", str(files["1003_t1"]), str(files["1007_t1"]), str(tmp_path),
        "--labels", str(files["1003_seg"]), str(files["1007_seg"]), "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    fixed, moving = (SimpleITK.ReadImage(str(files[name]), SimpleITK.sitkFloat64) for name in ("1003_t1", "1007_t1"))
    assert fixed.GetSize() != moving.GetSize()
    ours = read_volume(tmp_path / "warped.nii.gz").array[0]
    top = float(ours.max())
    field = SimpleITK.ReadImage(str(tmp_path / "displacement.nii.gz"), SimpleITK.sitkVectorFloat64)
    for transform in (
        SimpleITK.DisplacementFieldTransform(field),
        SimpleITK.ReadTransform(str(tmp_path / "transform.h5")),
    ):
        theirs = SimpleITK.Resample(moving, fixed, transform, SimpleITK.sitkLinear, 0.0)
        difference = np.abs(SimpleITK.GetArrayFromImage(theirs).transpose(2, 1, 0) - ours)
        assert difference[1:-1, 1:-1, 1:-1].max() < 1e-3 * top
    dsc = {name: np.mean([row["values"]["dsc"] or 0 for row in report[name]]) for name in ("before", "rows")}
    assert dsc["rows"] > dsc["before"] + 0.2
    assert report["measures"]["values"]["folding_share"] == 0
    assert report["measures"]["values"]["inverse_consistency_mm"] < 0.1
