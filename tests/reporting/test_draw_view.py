"""Pictures against the patient: sides, scale and where the lines run."""

import io
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from medarch.core.labels import LabelScheme
from medarch.reporting.choose_view import PLANES, choose_view
from medarch.reporting.display_case import load_display_case
from medarch.reporting.draw_view import PIXELS, colours_of, draw_view

LABELS = LabelScheme(labels={"background": 0, "box": 1})
ORIENTATIONS = ("RAS", "LPS", "LPI", "ASL", "PIR", "SRA")


def _save(path, array, affine, axcodes="RAS"):
    """Write an array given in RAS order as a file of another orientation (nibabel does the turning)."""
    image = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axcodes))
    nib.save(image.as_reoriented(turn), path)
    return path


def _pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def _coloured(outlines, colour):
    """Pixels (row, column) that are drawn fully in a colour."""
    wanted = np.round(np.array(to_rgb(colour)) * 255)
    near = np.abs(outlines[..., :3].astype(float) - wanted).max(axis=-1) < 24
    return np.argwhere(near & (outlines[..., 3] > 200))


def _glyph(letter):
    """The letter as the report writes it, cropped."""
    figure = Figure(figsize=(PIXELS / 100,) * 2, dpi=100, facecolor="black")
    figure.text(0.5, 0.5, letter, color="white", fontsize=15, fontweight="bold")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _crop(np.asarray(canvas.buffer_rgba())[..., 0])


def _crop(patch):
    rows, columns = np.nonzero(patch > 100)
    return patch[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)


def _read_letter(patch):
    found = _crop(patch)

    def difference(letter):
        glyph = _glyph(letter)
        size = np.maximum(found.shape, glyph.shape)
        padded = [np.pad(part, [(0, s - n) for s, n in zip(size, part.shape, strict=True)]) for part in (found, glyph)]
        return np.abs(padded[0] - padded[1]).mean()

    return min("RLAPSI", key=difference)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.2, 5.0)])
@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_a_marker_right_front_and_up_lies_at_those_letters(tmp_path, axcodes, spacing):
    shape = np.round(50 / np.array(spacing)).astype(int)
    array = np.zeros(shape, np.float32)
    marker = [slice(int(0.65 * size), int(np.ceil(0.85 * size))) for size in shape]  # RAS indices grow that way
    array[tuple(marker)] = 1000
    image = _save(tmp_path / "image.nii.gz", array, np.diag((*spacing, 1.0)), axcodes)
    case = load_display_case(image, reference=None, prediction=None)
    view = replace(choose_view(case), indices=np.unravel_index(case.image.argmax(), case.image.shape))
    for plane in PLANES:
        grey = _pixels(draw_view(case, view, plane, labels=LABELS).image)
        inner = grey[45:-60, 45:-45]  # without letters and scale bar
        row, column = np.argwhere(inner > 200).mean(axis=0) + 45
        assert row < PIXELS / 2 - 20
        assert column < PIXELS / 2 - 20
        edge, half = slice(0, 40), slice(PIXELS // 2 - 25, PIXELS // 2 + 25)
        read = [_read_letter(part) for part in (grey[half, edge], grey[half, -40:], grey[edge, half], grey[-40:, half])]
        assert "".join(read) == {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}[plane.name]


def test_display_is_the_array_nibabel_turns(tmp_path):
    rng = np.random.default_rng(1)
    array = rng.normal(size=(7, 8, 9)).astype(np.float32)
    path = _save(tmp_path / "image.nii.gz", array, np.diag((1.0, 2.0, 3.0, 1.0)), "PIR")
    stored = nib.load(path)
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(stored.affine), nib.orientations.axcodes2ornt("LPI")
    )
    expected = stored.as_reoriented(turn)
    case = load_display_case(path, reference=None, prediction=None)
    np.testing.assert_array_equal(case.image, expected.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(case.geometry.matrix, expected.affine)


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_slice_numbers_are_those_of_the_file(tmp_path, axcodes):
    label = np.zeros((9, 11, 13), np.uint8)
    label[2, 3, 4] = 1
    path = _save(tmp_path / "label.nii.gz", label, np.eye(4), axcodes)
    case = load_display_case(path, reference=path, prediction=None)
    view = choose_view(case)
    told = {case.file_slice(axis, view.indices[axis]) for axis in range(3)}
    stored = np.argwhere(np.asarray(nib.load(path).dataobj))[0]
    assert told == {f"{axis} = {index}" for axis, index in zip("ijk", stored, strict=True)}


@pytest.fixture(scope="module")
def ball(tmp_path_factory):
    """A ball of 40 mm, and one 6 mm further to the left as prediction, on 10 mm slices."""
    folder = tmp_path_factory.mktemp("ball")
    spacing = np.array((1.0, 1.0, 10.0))
    centres = np.indices((90, 80, 8)) * spacing[:, None, None, None]
    reference = ((centres - np.array((45, 40, 35))[:, None, None, None]) ** 2).sum(axis=0) < 20**2
    affine = np.diag((*spacing, 1.0))
    files = [
        _save(folder / f"{name}.nii.gz", array.astype(kind), affine)
        for name, array, kind in (
            ("image", reference * 100, np.float32),
            ("reference", reference, np.uint8),
            ("prediction", np.roll(reference, -6, axis=0), np.uint8),
        )
    ]
    return load_display_case(files[0], reference=files[1], prediction=files[2])


def test_anisotropic_voxels_are_drawn_to_scale(ball):
    view = choose_view(ball)
    mm = view.edge_mm / PIXELS
    for plane in PLANES:
        outlines = _pixels(draw_view(ball, view, plane, labels=LABELS).outlines)
        assert outlines.shape[:2] == (PIXELS, PIXELS)
        found = _coloured(outlines, colours_of(0)[0])
        down, across = (np.ptp(found, axis=0) + 1) * mm
        # 39 voxels of 1 mm; 4 slices of 10 mm (the ball's centre lies between two slices).
        assert across == pytest.approx(39, abs=1.5)
        assert down == pytest.approx(39 if plane.name == "axial" else 40, abs=1.5)


@pytest.mark.parametrize("plane", PLANES, ids=lambda plane: plane.name)
def test_outlines_run_along_the_border_of_the_labels(ball, plane):
    view = choose_view(ball)
    outlines = _pixels(draw_view(ball, view, plane, labels=LABELS).outlines)
    corner = [view.centre_mm[axis] - view.edge_mm / 2 for axis in (plane.rows, plane.columns)]
    edges = [ball.geometry.spacing_mm[axis] for axis in (plane.rows, plane.columns)]
    for labels, colour, covered in ((ball.reference, 0, 0.6), (ball.prediction, 1, 0.3)):
        cut = np.take(labels, view.indices[plane.normal], axis=plane.normal).T
        contour = np.concatenate(find_contours(np.pad(cut, 1).astype(float), 0.5)) - 1
        dense = np.concatenate([contour[:-1] + (contour[1:] - contour[:-1]) * step for step in np.linspace(0, 1, 20)])
        expected = ((dense + 0.5) * edges - corner) * (PIXELS / view.edge_mm) - 0.5
        drawn = _coloured(outlines, colours_of(0)[colour])
        assert cKDTree(expected).query(drawn)[0].max() < 2.5  # no line where there is no border
        near = cKDTree(drawn).query(expected)[0] < 2.5
        assert near.mean() > covered  # dashes have gaps, and lie over the reference


def test_the_prediction_is_dashed_and_the_reference_is_not(ball):
    outlines = _pixels(draw_view(ball, choose_view(ball), PLANES[0], labels=LABELS).outlines)
    pieces = [_connected(_coloured(outlines, colour)) for colour in colours_of(0)]
    assert pieces[1] > 10 > pieces[0]  # the dashes cut the reference where they cross it


def _connected(found):
    mask = np.zeros((PIXELS, PIXELS), bool)
    mask[tuple(found.T)] = True
    return ndimage.label(mask, np.ones((3, 3)))[1]


def test_outlines_are_transparent_elsewhere(ball):
    outlines = _pixels(draw_view(ball, choose_view(ball), PLANES[0], labels=LABELS).outlines)
    assert (outlines[..., 3] == 0).mean() > 0.9


def test_real_heart_with_10_mm_slices_is_drawn_to_scale(shared_data):
    folder = shared_data / "ACDC_subset30"
    reference = folder / "labelsTr" / "patient001_frame01.nii.gz"
    case = load_display_case(
        folder / "imagesTr" / "patient001_frame01_0000.nii.gz", reference=reference, prediction=None
    )
    labels = LabelScheme(labels={"background": 0, "RV": 1, "MYO": 2, "LV": 3})
    view, coronal = choose_view(case), PLANES[1]
    cut = np.take(case.reference, view.indices[1], axis=1) == 2
    height_mm = (np.ptp(np.flatnonzero(cut.any(axis=0))) + 1) * nib.load(reference).header.get_zooms()[2]
    drawn = _coloured(_pixels(draw_view(case, view, coronal, labels=labels).outlines), colours_of(1)[0])
    assert np.ptp(drawn[:, 0]) * view.edge_mm / PIXELS == pytest.approx(height_mm, rel=0.03)
