"""Transform files mean the same to us and to ITK, in both directions, in every orientation."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from oblique_grid import ORIENTATIONS, oblique_grid

from medarch.core.errors import GeometryError, TransformError, VolumeError
from medarch.core.geometry import Geometry
from medarch.core.spatial_transform import AffineTransform, DisplacementField, TransformChain
from medarch.io.transforms.itk_transform import from_itk
from medarch.io.transforms.read_transform import read_transform
from medarch.io.transforms.write_transform import write_transform

FLIP = np.array([-1.0, -1.0, 1.0])
FLAT = Geometry.from_array((9, 7, 1), [[-1.5, 0, 0, -3.0], [0, -2.5, 0, 4.0], [0, 0, 1, 0], [0, 0, 0, 1]])


def field_on(geometry: Geometry, *, seed: int = 0, dtype: type = np.float32) -> DisplacementField:
    voxels = np.random.default_rng(seed).normal(size=(3, *geometry.shape)).astype(dtype)
    return DisplacementField.from_voxels(voxels, geometry)


def affine_3d() -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(3).normal(size=(3, 4)) * (0.1, 0.1, 0.1, 8.0)
    return AffineTransform.from_matrix(matrix)


def nodes(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Some voxels of a grid and where they lie (RAS)."""
    index = np.random.default_rng(1).integers(0, geometry.shape, size=(12, 3))
    return index, index @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]


def itk_image(path: Path):
    return SimpleITK.ReadImage(str(path), SimpleITK.sitkVectorFloat64)


def itk_moves(transform, points: np.ndarray) -> np.ndarray:
    """Where ITK sends RAS points."""
    size = transform.GetDimension()
    moved = points.copy()
    for point in moved:
        point[:size] = FLIP[:size] * transform.TransformPoint((FLIP * point)[:size].tolist())
    return moved


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_itk_moves_the_nodes_of_a_written_field_as_we_do_in_every_orientation(tmp_path, axcodes):
    geometry = oblique_grid(axcodes)
    field = field_on(geometry)
    index, points = nodes(geometry)
    expected = points + field.vectors[:, *index.T].T
    for suffix in (".nii.gz", ".nrrd", ".mha", ".h5", ".tfm"):
        path = tmp_path / f"field{suffix}"
        write_transform(path, field)
        if suffix in (".h5", ".tfm"):
            transform = SimpleITK.ReadTransform(str(path))
        else:
            transform = SimpleITK.DisplacementFieldTransform(itk_image(path))
        # ITK rounds the headers of its grids: 1e-6 mm in the place of a node times the slope between two nodes.
        np.testing.assert_allclose(itk_moves(transform, points), expected, atol=1e-4)
        (again,) = read_transform(path).parts
        np.testing.assert_allclose(again.vectors, field.vectors, atol=1e-6)
        np.testing.assert_allclose(again.geometry.matrix, geometry.matrix, atol=1e-5)
        assert (again.dimension, again.interpolation) == (3, "linear")


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_a_field_of_float64_survives_to_the_last_bit(tmp_path, suffix):
    field = field_on(oblique_grid("LIP"), dtype=np.float64)
    write_transform(tmp_path / f"field{suffix}", field)
    np.testing.assert_array_equal(read_transform(tmp_path / f"field{suffix}").parts[0].vectors, field.vectors)


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "AIL"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_fields_that_itk_wrote_are_read_alike(tmp_path, axcodes, suffix):
    geometry = oblique_grid(axcodes)
    write_transform(tmp_path / "ours.h5", field_on(geometry))
    image = SimpleITK.DisplacementFieldTransform(
        SimpleITK.ReadTransform(str(tmp_path / "ours.h5"))
    ).GetDisplacementField()
    SimpleITK.WriteImage(image, str(tmp_path / f"theirs{suffix}"))
    (read,) = read_transform(tmp_path / f"theirs{suffix}").parts
    np.testing.assert_allclose(read.vectors, field_on(geometry).vectors, atol=1e-6)
    np.testing.assert_allclose(read.geometry.matrix, geometry.matrix, atol=1e-5)


def test_intent_1006_means_ras_to_us_as_it_does_to_itk(tmp_path):
    geometry = oblique_grid("PIR")
    vectors = field_on(geometry).vectors
    for intent in (1006, 1007):
        image = nibabel.Nifti1Image(np.moveaxis(vectors, 0, -1)[:, :, :, None], geometry.matrix)
        image.header["intent_code"] = intent
        nibabel.save(image, tmp_path / f"{intent}.nii.gz")
        index, points = nodes(geometry)
        transform = SimpleITK.DisplacementFieldTransform(itk_image(tmp_path / f"{intent}.nii.gz"))
        (read,) = read_transform(tmp_path / f"{intent}.nii.gz").parts
        np.testing.assert_allclose(itk_moves(transform, points), points + read.vectors[:, *index.T].T, atol=1e-4)
    np.testing.assert_array_equal(read_transform(tmp_path / "1006.nii.gz").parts[0].vectors, vectors)


@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".txt", ".mat"])
def test_itk_moves_points_by_a_written_affine_as_we_do(tmp_path, suffix):
    affine = affine_3d()
    path = tmp_path / f"affine{suffix}"
    write_transform(path, affine)
    points = np.random.default_rng(2).normal(size=(5, 3)) * 50
    expected = points @ affine.matrix[:3, :3].T + affine.matrix[:3, 3]
    np.testing.assert_allclose(itk_moves(SimpleITK.ReadTransform(str(path)), points), expected, atol=1e-10)
    (read,) = read_transform(path).parts
    np.testing.assert_allclose(read.matrix, affine.matrix, atol=1e-12)


def itk_linear() -> list:
    euler = SimpleITK.Euler3DTransform((10.0, -20.0, 30.0), 0.1, -0.2, 0.3, (4.0, 5.0, 6.0))
    similarity = SimpleITK.Similarity3DTransform()
    similarity.SetScale(1.3)
    similarity.SetTranslation((1.0, 2.0, 3.0))
    versor = SimpleITK.VersorRigid3DTransform()
    versor.SetRotation((0.0, 0.6, 0.8), 0.4)
    return [euler, similarity, versor, SimpleITK.TranslationTransform(3, (1.0, 2.0, 3.0)), SimpleITK.Transform()]


@pytest.mark.parametrize("transform", itk_linear(), ids=lambda transform: transform.GetName())
def test_every_linear_transform_of_itk_is_read(tmp_path, transform):
    SimpleITK.WriteTransform(transform, str(tmp_path / "theirs.tfm"))
    points = np.random.default_rng(2).normal(size=(5, 3)) * 50
    chain = read_transform(tmp_path / "theirs.tfm")
    moved = points
    for part in chain.parts:
        moved = moved @ part.matrix[:3, :3].T + part.matrix[:3, 3]
    np.testing.assert_allclose(moved, itk_moves(transform, points), atol=1e-10)


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_a_chain_keeps_its_order_in_a_composite(tmp_path, suffix):
    geometry = oblique_grid("RAI")
    field, affine = field_on(geometry), affine_3d()
    path = tmp_path / f"chain{suffix}"
    write_transform(path, TransformChain((field, affine)))
    index, points = nodes(geometry)
    first = points + field.vectors[:, *index.T].T
    expected = first @ affine.matrix[:3, :3].T + affine.matrix[:3, 3]
    np.testing.assert_allclose(itk_moves(SimpleITK.ReadTransform(str(path)), points), expected, atol=1e-4)
    assert [type(part) for part in read_transform(path).parts] == [DisplacementField, AffineTransform]


def test_a_composite_inside_a_composite_is_read_in_the_order_that_itk_applies():
    shift, turn = SimpleITK.TranslationTransform(3, (50.0, 0.0, 0.0)), SimpleITK.Euler3DTransform()
    turn.SetRotation(0.0, 0.0, 1.0)
    inner = SimpleITK.CompositeTransform([shift, turn])
    outer = SimpleITK.CompositeTransform(3)
    outer.AddTransform(SimpleITK.ScaleTransform(3, (2.0, 1.0, 1.0)))
    outer.AddTransform(inner)
    points = np.random.default_rng(2).normal(size=(5, 3)) * 50
    moved = points
    for part in from_itk(outer).parts:
        moved = moved @ part.matrix[:3, :3].T + part.matrix[:3, 3]
    np.testing.assert_allclose(moved, itk_moves(outer, points), atol=1e-10)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".h5", ".tfm"])
def test_a_field_of_2d_images_is_one_of_itk_s_2d_fields(tmp_path, suffix):
    voxels = np.random.default_rng(0).normal(size=(2, 9, 7)).astype(np.float32)
    field = DisplacementField.from_voxels(voxels, FLAT)
    assert field.dimension == 2
    path = tmp_path / f"field{suffix}"
    write_transform(path, field)
    if suffix in (".h5", ".tfm"):
        transform = SimpleITK.ReadTransform(str(path))
    else:
        transform = SimpleITK.DisplacementFieldTransform(itk_image(path))
    assert transform.GetDimension() == 2
    index, points = nodes(FLAT)
    np.testing.assert_allclose(itk_moves(transform, points), points + field.vectors[:, *index.T].T, atol=1e-5)
    (again,) = read_transform(path).parts
    assert again.dimension == 2
    np.testing.assert_allclose(again.vectors, field.vectors, atol=1e-6)
    np.testing.assert_allclose(again.geometry.matrix, FLAT.matrix, atol=1e-6)
    np.testing.assert_allclose(again.voxels()[:2, ..., 0], voxels, atol=1e-6)


def test_an_affine_of_2d_images_is_one_of_itk_s_2d_transforms(tmp_path):
    affine = AffineTransform.from_matrix([[1.1, 0.2, 3.0], [-0.1, 0.9, 4.0], [0, 0, 1]])
    for suffix in (".mat", ".tfm"):
        write_transform(tmp_path / f"affine{suffix}", affine)
        transform = SimpleITK.ReadTransform(str(tmp_path / f"affine{suffix}"))
        points = np.random.default_rng(2).normal(size=(5, 3))
        expected = points @ affine.matrix[:3, :3].T + affine.matrix[:3, 3]
        np.testing.assert_allclose(itk_moves(transform, points), expected, atol=1e-12)
        assert read_transform(tmp_path / f"affine{suffix}").parts[0].dimension == 2


def test_a_b_spline_of_itk_comes_back_with_its_coefficients(tmp_path):
    domain = SimpleITK.Image(20, 22, 18, SimpleITK.sitkFloat32)
    spline = SimpleITK.BSplineTransformInitializer(domain, [3, 4, 5])
    spline.SetParameters(np.random.default_rng(0).normal(size=len(spline.GetParameters())).tolist())
    SimpleITK.WriteTransform(spline, str(tmp_path / "theirs.h5"))
    chain = read_transform(tmp_path / "theirs.h5")
    assert chain.parts[0].interpolation == "bspline"
    write_transform(tmp_path / "ours.tfm", chain)
    points = np.random.default_rng(2).uniform(1, 16, size=(9, 3)) * (-1, -1, 1)
    moved = itk_moves(SimpleITK.ReadTransform(str(tmp_path / "ours.tfm")), points)
    np.testing.assert_allclose(moved, itk_moves(spline, points), atol=1e-10)


def test_voxels_and_millimetres_of_a_field_are_converted_there_and_back():
    geometry = oblique_grid("SRP")
    voxels = np.random.default_rng(0).normal(size=(3, *geometry.shape))
    field = DisplacementField.from_voxels(voxels, geometry)
    np.testing.assert_allclose(field.voxels(), voxels, atol=1e-12)
    # One voxel along j is one column of the affine.
    voxels[:] = np.array([0, 1, 0]).reshape(3, 1, 1, 1)
    vectors = DisplacementField.from_voxels(voxels, geometry).vectors
    np.testing.assert_allclose(vectors[:, 2, 3, 4], geometry.matrix[:3, 1])


def test_an_affine_between_voxels_of_two_grids_is_that_between_their_millimetres():
    fixed, moving = oblique_grid("LPS"), oblique_grid("ASR", shape=(8, 9, 7), spacing_mm=(3, 1, 2))
    index = np.c_[np.eye(3) * 0.6, [1.0, 2.0, 3.0]]
    affine = AffineTransform.from_voxels(index, fixed, moving)
    voxel = np.array([2.0, 5.0, 3.0, 1.0])
    there = moving.matrix @ [*(index @ voxel), 1.0]
    np.testing.assert_allclose(affine.matrix @ fixed.matrix @ voxel, there, atol=1e-10)


def test_an_affine_between_2d_images_leaves_z_alone():
    affine = AffineTransform.from_voxels([[1.0, 0.1, 2.0], [0.0, 0.9, 1.0]], FLAT, FLAT)
    assert affine.dimension == 2
    np.testing.assert_array_equal(affine.matrix[2], (0, 0, 1, 0))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("T.xfm", b"x", "no transform that medarch knows"),
        ("T.tfm", b"not a transform", "cannot be read"),
        ("T.h5", b"\x89HDF\r\n\x1a\n broken", "cannot be read"),
        ("T.mat", b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "cannot be read"),
        ("T.tfm", b"", "EMPTY_FILE"),
        ("T.nii.gz", b"no gzip", "NOT_NIFTI"),
    ],
)
def test_a_file_that_is_no_transform_gets_one_typed_error(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((TransformError, VolumeError), match=words):
        read_transform(tmp_path / name)


def test_a_missing_file_gets_one_typed_error(tmp_path):
    with pytest.raises(VolumeError, match="FILE_MISSING"):
        read_transform(tmp_path / "none.h5")


def test_an_image_is_not_taken_for_a_field(tmp_path):
    for channels in (1, 3):
        array = np.zeros((4, 5, 6) if channels == 1 else (4, 5, 6, 3), dtype=np.float32)
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "image.nii.gz")
        with pytest.raises(TransformError, match="does not say that it is a displacement field"):
            read_transform(tmp_path / "image.nii.gz")
    SimpleITK.WriteImage(SimpleITK.Image(4, 5, 6, SimpleITK.sitkFloat32), str(tmp_path / "image.mha"))
    with pytest.raises(TransformError, match="holds no displacement field"):
        read_transform(tmp_path / "image.mha")


def test_numbers_that_are_not_finite_are_refused_where_they_come_in(tmp_path):
    geometry = oblique_grid()
    vectors = np.zeros((3, *geometry.shape), dtype=np.float32)
    vectors[1, 2, 3, 4] = np.nan
    with pytest.raises(TransformError, match=r"not finite.*1 of 1680 voxels"):
        DisplacementField.from_voxels(vectors, geometry)
    image = nibabel.Nifti1Image(np.moveaxis(vectors, 0, -1)[:, :, :, None], geometry.matrix)
    image.header.set_intent("vector")
    nibabel.save(image, tmp_path / "nan.nii.gz")
    with pytest.raises(TransformError, match=r"nan.nii.gz.*not finite"):
        read_transform(tmp_path / "nan.nii.gz")
    with pytest.raises(TransformError, match="cannot be inverted"):
        AffineTransform.from_matrix(np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(TransformError, match="cannot be inverted"):
        AffineTransform.from_matrix(np.diag([1.0, np.inf, 1.0, 1.0]))


def test_a_format_that_cannot_hold_the_transform_says_so_and_writes_nothing(tmp_path):
    field, affine = field_on(oblique_grid()), affine_3d()
    chain = TransformChain((field, affine))
    for name, transform in (("a.nii.gz", affine), ("c.nii.gz", chain), ("c.mat", chain), ("f.mat", field)):
        with pytest.raises(TransformError, match="cannot hold this transform"):
            write_transform(tmp_path / name, transform)
    for name in ("inverse.nii.gz", "inverse.h5"):
        with pytest.raises(TransformError, match="inverse"):
            write_transform(tmp_path / name, TransformChain((field,)).inverse())
    assert not list(tmp_path.iterdir())


def test_a_sheared_grid_is_kept_in_nifti_and_refused_elsewhere(tmp_path):
    geometry = oblique_grid()
    matrix = geometry.matrix
    matrix[0, 1] += 0.5
    field = field_on(Geometry.from_array(geometry.shape, matrix))
    write_transform(tmp_path / "field.nii.gz", field)
    np.testing.assert_allclose(read_transform(tmp_path / "field.nii.gz").parts[0].geometry.matrix, matrix, atol=1e-5)
    for name in ("field.h5", "field.nrrd"):
        with pytest.raises(GeometryError, match="sheared"):
            write_transform(tmp_path / name, field)


def test_a_chain_is_of_one_dimension():
    flat = AffineTransform.from_matrix(np.eye(3))
    with pytest.raises(TransformError, match="2D and of 3D"):
        TransformChain((affine_3d(), flat))


def test_a_transform_that_medarch_does_not_know_is_named(tmp_path):
    spline = SimpleITK.BSplineTransformInitializer(SimpleITK.Image(9, 9, 9, SimpleITK.sitkFloat32), [2, 2, 2], order=2)
    SimpleITK.WriteTransform(spline, str(tmp_path / "quadratic.tfm"))
    with pytest.raises(TransformError, match="BSplineTransform cannot be applied"):
        read_transform(tmp_path / "quadratic.tfm")
