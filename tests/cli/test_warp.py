"""``medarch warp`` on real scans, with files that SimpleITK wrote and applies."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from typer.testing import CliRunner

import medarch
from medarch.cli.app import app
from medarch.core.errors import UsageError
from medarch.core.landmarks import Landmarks
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.transforms.read_landmarks import read_landmarks
from medarch.io.transforms.write_landmarks import write_landmarks

CASES = Path(__file__).parents[2] / "data_samples" / "hippocampus"


def run(*arguments):
    return CliRunner().invoke(app, ["warp", *map(str, arguments)])


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> dict[str, Path]:
    """Two scans, the moving one turned to another orientation and spacing, an affine and a displacement field."""
    folder = tmp_path_factory.mktemp("pair")
    images = sorted((CASES / "imagesTr").glob("*.nii.gz"))[:2]
    labels = [CASES / "labelsTr" / image.name.replace("_0000.nii.gz", ".nii.gz") for image in images]
    for name, path in zip(("fixed", "moving", "fixed_label", "moving_label"), [*images, *labels], strict=True):
        image = SimpleITK.ReadImage(str(path))
        if "moving" in name:
            image = SimpleITK.PermuteAxes(image, (2, 0, 1))
            image.SetSpacing((1.2, 0.9, 1.1))
        SimpleITK.WriteImage(image, str(folder / f"{name}.nii.gz"))
    fixed, moving = (
        SimpleITK.ReadImage(str(folder / f"{name}.nii.gz"), SimpleITK.sitkFloat32) for name in ("fixed", "moving")
    )
    centred = SimpleITK.CenteredTransformInitializer(
        fixed, moving, SimpleITK.Euler3DTransform(), SimpleITK.CenteredTransformInitializerFilter.GEOMETRY
    )
    euler = SimpleITK.Euler3DTransform(centred)
    euler.SetRotation(0.1, -0.05, 0.2)
    SimpleITK.WriteTransform(SimpleITK.AffineTransform(3), str(folder / "identity.tfm"))
    affine = SimpleITK.AffineTransform(3)
    affine.SetCenter(euler.GetCenter())
    affine.SetMatrix(euler.GetMatrix())
    affine.SetTranslation(euler.GetTranslation())
    SimpleITK.WriteTransform(affine, str(folder / "affine.mat"))
    noise = np.random.default_rng(0).normal(size=(*fixed.GetSize()[::-1], 3))
    smooth = ndimage.gaussian_filter(noise, (7, 7, 7, 0), mode="nearest")
    field = SimpleITK.GetImageFromArray(5 * smooth / np.linalg.norm(smooth, axis=-1).max(), isVector=True)
    field.CopyInformation(fixed)
    SimpleITK.WriteImage(field, str(folder / "field.nii.gz"))
    composite = SimpleITK.CompositeTransform(3)
    composite.AddTransform(affine)
    composite.AddTransform(SimpleITK.DisplacementFieldTransform(field))
    SimpleITK.WriteTransform(composite, str(folder / "both.h5"))
    return {path.name.split(".")[0]: path for path in folder.iterdir()}


def resampled(pair, name="moving", mode=SimpleITK.sitkLinear):
    composite = SimpleITK.ReadTransform(str(pair["both"]))
    reference = SimpleITK.ReadImage(str(pair["fixed"]))
    warped = SimpleITK.Resample(
        SimpleITK.ReadImage(str(pair[name])), reference, composite, mode, 0.0, SimpleITK.sitkFloat32
    )
    return SimpleITK.GetArrayFromImage(warped).T


@pytest.mark.parametrize("transforms", [("field", "affine"), ("both",)])
def test_an_image_is_that_of_simpleitk_on_the_grid_of_the_reference(pair, tmp_path, transforms):
    arguments = [part for name in transforms for part in ("-t", pair[name])]
    done = run(pair["moving"], tmp_path / "out.nii.gz", "--reference", pair["fixed"], *arguments)
    assert done.exit_code == 0, done.output
    warped = read_volume(tmp_path / "out.nii.gz")
    assert not read_geometry(pair["fixed"])[0].differences(warped.geometry)
    difference = np.abs(warped.array[0] - resampled(pair))
    assert difference.max() < 0.01
    assert warped.array.max() > 100


def test_labels_keep_their_values_and_type(pair, tmp_path):
    target = tmp_path / "out.nii.gz"
    done = run(pair["moving_label"], target, "-r", pair["fixed"], "-t", pair["both"], "-n", "nearest")
    assert done.exit_code == 0, done.output
    warped = read_volume(target).array[0]
    assert warped.dtype == read_volume(pair["moving_label"]).array.dtype
    expected = resampled(pair, "moving_label", SimpleITK.sitkNearestNeighbor)
    assert (warped != expected).mean() < 1e-3
    assert set(np.unique(warped)) == {0, 1, 2}
    done = run(pair["moving_label"], target, "-r", pair["fixed"], "-t", pair["both"])
    assert "looks like a label map" in done.stderr


def test_landmarks_follow_the_label_they_mark_and_come_back(pair, tmp_path):
    """The landmark is the centre of a label; in the warped label map it is near the centre again."""

    def centres(path) -> np.ndarray:
        volume = read_volume(path)
        index = [np.argwhere(volume.array[0] == value).mean(axis=0) for value in (1, 2)]
        return index @ volume.geometry.matrix[:3, :3].T + volume.geometry.matrix[:3, 3]

    there, back, labels = tmp_path / "there.csv", tmp_path / "back.fcsv", tmp_path / "labels.nii.gz"
    points = Landmarks(names=("anterior", "posterior"), points_mm=tuple(map(tuple, centres(pair["moving_label"]))))
    write_landmarks(tmp_path / "moving.fcsv", points)
    chain = ["-t", pair["field"], "-t", pair["affine"]]
    assert run(tmp_path / "moving.fcsv", there, *chain).exit_code == 0
    assert run(pair["moving_label"], labels, "-r", pair["fixed"], *chain, "-n", "nearest").exit_code == 0
    moved = read_landmarks(there)
    assert moved.names == points.names
    assert np.linalg.norm(moved.array - centres(labels), axis=1).max() < 1.5
    assert np.linalg.norm(moved.array - points.array, axis=1).min() > 3
    assert run(there, back, *chain, "--inverse").exit_code == 0
    np.testing.assert_allclose(read_landmarks(back).array, points.array, atol=1e-3)


def test_the_inverse_and_the_field_of_it_bring_an_image_back(pair, tmp_path):
    there, back, again = (tmp_path / f"{name}.nii.gz" for name in ("there", "back", "again"))
    chain = ["-t", pair["field"], "-t", pair["affine"]]
    assert run(pair["moving"], there, "-r", pair["fixed"], *chain, "-n", "cubic").exit_code == 0
    field = tmp_path / "inverse.nii.gz"
    options = ["-r", pair["moving"], *chain, "--inverse", "-n", "cubic", "--field", field]
    assert run(there, back, *options).exit_code == 0
    assert run(there, again, "-r", pair["moving"], "-t", field, "-n", "cubic").exit_code == 0
    original, returned, by_field = (read_volume(path).array[0] for path in (pair["moving"], back, again))
    inner = (slice(8, -8),) * 3
    assert np.corrcoef(original[inner].ravel(), returned[inner].ravel())[0, 1] > 0.98
    np.testing.assert_allclose(by_field, returned, atol=2)
    one_by_one = tmp_path / "one.nii.gz"
    reversed_chain = ["-t", f"[{pair['affine']},1]", "-t", f"[{pair['field']}, 1]"]
    assert run(there, one_by_one, "-r", pair["moving"], *reversed_chain, "-n", "cubic").exit_code == 0
    np.testing.assert_allclose(read_volume(one_by_one).array[0], returned, atol=1e-3)


def test_in_a_folder_a_bad_file_costs_only_itself(pair, tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    shutil.copy(pair["moving"], source / "good.nii.gz")
    (source / "broken.nii.gz").write_bytes(pair["moving"].read_bytes()[:2000])
    write_landmarks(source / "points.fcsv", Landmarks(names=("a",), points_mm=((-20.0, -20.0, 20.0),)))
    (source / "table.csv").write_text("patient,age\n1,50\n")
    done = run(source, output, "-r", pair["fixed"], "-t", pair["both"], "--json", "-j", "0")
    assert done.exit_code == 1
    content = json.loads(done.stdout.splitlines()[-1])
    assert sorted(content["written"]) == ["good.nii.gz", "points.fcsv"]
    assert 0 < content["written"]["good.nii.gz"]["inside"] <= 1
    assert sorted(content["failed"]) == ["broken.nii.gz", "table.csv"]
    assert sorted(path.name for path in output.iterdir()) == ["good.nii.gz", "points.fcsv"]


def test_folders_of_references_and_transforms_go_by_the_name_of_the_input(pair, tmp_path):
    for folder in ("in", "references", "transforms"):
        (tmp_path / folder).mkdir()
    for case in ("p1", "p2", "p3"):
        shutil.copy(pair["moving"], tmp_path / "in" / f"{case}.nii.gz")
        shutil.copy(pair["fixed"], tmp_path / "references" / f"{case}.nii.gz")
    shutil.copy(pair["both"], tmp_path / "transforms" / "p1.h5")
    shutil.copy(pair["identity"], tmp_path / "transforms" / "p2.tfm")
    folders = ["-r", tmp_path / "references", "-t", tmp_path / "transforms"]
    done = run(tmp_path / "in", tmp_path / "out", *folders, "-j", "2")
    assert done.exit_code == 1
    assert "2 file(s) written" in done.stdout
    assert "p3.nii.gz: E200 no single file for p3.nii.gz" in done.stderr
    assert np.abs(read_volume(tmp_path / "out" / "p1.nii.gz").array[0] - resampled(pair)).max() < 0.01


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transform": "none.h5"}, "E300 FILE_MISSING"),
        ({"transform": "fixed"}, "E320"),
        ({"source": "none.nii.gz"}, "E300 FILE_MISSING"),
        ({"reference": None}, "E900 an image needs a grid"),
        ({"output": "moving"}, "E900 the output would replace its own input"),
        ({"output": "out.xyz"}, "E300 cannot write"),
    ],
)
def test_what_cannot_be_done_exits_with_2_and_one_clear_error(pair, tmp_path, change, words):
    chosen = {"source": "moving", "output": "out.nii.gz", "reference": "fixed", "transform": "both"} | change
    paths = {key: name and pair.get(name, tmp_path / name) for key, name in chosen.items()}
    before = pair["moving"].read_bytes()
    reference = ["-r", paths["reference"]] if paths["reference"] else []
    done = run(paths["source"], paths["output"], *reference, "-t", paths["transform"])
    assert done.exit_code == 2
    assert words in done.stderr
    assert pair["moving"].read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_a_transform_for_elsewhere_is_named(pair, tmp_path):
    far = SimpleITK.TranslationTransform(3, (900.0, 0.0, 0.0))
    SimpleITK.WriteTransform(far, str(tmp_path / "far.tfm"))
    done = run(pair["moving"], tmp_path / "out.nii.gz", "-r", pair["fixed"], "-t", tmp_path / "far.tfm")
    assert done.exit_code == 2
    assert "E310 nothing of the input lies on the reference" in done.stderr
    with pytest.raises(UsageError, match="no transform"):
        medarch.warp(pair["moving"], tmp_path / "out.nii.gz", [], reference=pair["fixed"])


def test_a_picture_stays_a_picture(tmp_path):
    import PIL.Image

    pixels = np.random.default_rng(0).integers(0, 256, size=(40, 50, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "rgb.png")
    geometry = read_geometry(tmp_path / "rgb.png")[0]
    shift = SimpleITK.TranslationTransform(2, (-3.0 * geometry.affine[0][0], 0.0))
    SimpleITK.WriteTransform(shift, str(tmp_path / "shift.tfm"))
    done = run(tmp_path / "rgb.png", tmp_path / "out.png", "-r", tmp_path / "rgb.png", "-t", tmp_path / "shift.tfm")
    assert done.exit_code == 0, done.output
    moved = np.asarray(PIL.Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(moved[:, :-3], pixels[:, 3:])
    assert not moved[:, -3:].any()
