"""``medarch template``: three images in, their mean and their transforms out."""

import json

import numpy as np
import SimpleITK
from small_pair import textured
from typer.testing import CliRunner

from medarch.cli.app import app
from medarch.core.geometry import Geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume


def test_a_folder_of_images_becomes_a_template_and_transforms(tmp_path):
    array = textured((20, 22, 18))
    for number, shift in enumerate((-3.0, 0.0, 4.0)):
        affine = np.eye(4)
        affine[0, 3] = shift
        write_volume(tmp_path / f"in/p{number}.nii.gz", array, Geometry.from_array(array.shape, affine))
    arguments = ["template", str(tmp_path / "in"), str(tmp_path / "out"), "--rounds", "1", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    mean = read_volume(tmp_path / "out" / report["template"])
    assert np.corrcoef(mean.array.ravel(), array.ravel())[0, 1] > 0.97
    assert sorted(report["transforms"]) == ["p0", "p1", "p2"]
    point = (-7.0, -11.0, 9.0)
    first, last = (
        SimpleITK.ReadTransform(str(tmp_path / "out" / report["transforms"][member])).TransformPoint(point)
        for member in ("p0", "p2")
    )
    # The first image lies at x = -3 mm (RAS), the last at 4: in ITK's LPS x falls by 7.
    np.testing.assert_allclose(np.subtract(last, first), (-7, 0, 0), atol=0.05)


def test_one_image_is_no_group(tmp_path):
    write_volume(tmp_path / "in/a.nii.gz", textured((8, 8, 8)), Geometry.from_array((8, 8, 8), np.eye(4)))
    result = CliRunner().invoke(app, ["template", str(tmp_path / "in"), str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "two images" in result.output
    assert not (tmp_path / "out").exists()
