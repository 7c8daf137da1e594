"""One test a row of the policy table; ignore label, regions, spacing, images."""

import math

import numpy as np
import pytest

from medarch.core.errors import EvaluationError
from medarch.core.labels import LabelScheme
from medarch.evaluation.measure_case import MEASURES, measure_case
from medarch.evaluation.surface_distances import surface_distances

ONE = LabelScheme(labels={"background": 0, "organ": 1})
SPACING = (1.0, 2.0, 3.0)
DIAGONAL = math.sqrt(20**2 + 40**2 + 60**2)


def volume(*boxes):
    found = np.zeros((20, 20, 20), dtype=np.uint8)
    for value, box in boxes:
        found[box] = value
    return found


NOTHING = volume()
CUBE = volume((1, np.s_[5:10, 5:10, 5:10]))


def measured(prediction, reference, *, labels=ONE, policy="medarch", spacing=SPACING, tolerance=1.0):
    return measure_case(
        prediction,
        reference,
        labels=labels,
        spacing_mm=spacing,
        case="a",
        nsd_tolerance_mm=tolerance,
        empty_policy=policy,
    )


@pytest.mark.parametrize("policy", ["medarch", "nnunet"])
def test_perfect_prediction_has_the_best_values(policy):
    (row,) = measured(CUBE, CUBE, policy=policy)
    assert row.status == "ok"
    assert list(row.values) == list(MEASURES)
    assert list(row.values.values()) == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert row.reference_ml == row.prediction_ml == pytest.approx(125 * 6 / 1000)


def test_missed_structure_counts_as_worst_case():
    (row,) = measured(NOTHING, CUBE)
    assert row.status == "missed"
    assert (row.values["dsc"], row.values["nsd"]) == (0, 0)
    assert row.values["hd95_mm"] == row.values["assd_mm"] == pytest.approx(DIAGONAL)
    assert row.values["volume_error_ml"] == pytest.approx(-0.75)
    assert row.values["relative_volume_error"] == -1


def test_spurious_structure_counts_as_worst_case():
    (row,) = measured(CUBE, NOTHING)
    assert row.status == "spurious"
    assert (row.values["dsc"], row.values["nsd"]) == (0, 0)
    assert row.values["hd95_mm"] == row.values["assd_mm"] == pytest.approx(DIAGONAL)
    assert row.values["volume_error_ml"] == pytest.approx(0.75)
    assert row.values["relative_volume_error"] is None


@pytest.mark.parametrize("policy", ["medarch", "nnunet"])
def test_empty_in_both_is_undefined(policy):
    (row,) = measured(NOTHING, NOTHING, policy=policy)
    assert row.status == "empty_both"
    assert [row.values[measure] for measure in ("dsc", "nsd", "hd95_mm", "assd_mm")] == [None] * 4
    assert row.values["volume_error_ml"] == 0
    assert row.values["relative_volume_error"] is None


@pytest.mark.parametrize(
    ("prediction", "reference", "status"), [(NOTHING, CUBE, "missed"), (CUBE, NOTHING, "spurious")]
)
def test_nnunet_policy_invents_no_distance(prediction, reference, status):
    (row,) = measured(prediction, reference, policy="nnunet")
    assert row.status == status
    assert [row.values[measure] for measure in ("dsc", "nsd", "hd95_mm", "assd_mm")] == [0, 0, None, None]


def test_no_distance_is_longer_than_the_diagonal():
    first, last = volume((1, np.s_[0, 0, 0])), volume((1, np.s_[-1, -1, -1]))
    (row,) = measured(first, last)
    assert row.status == "ok"
    assert 0.9 * DIAGONAL < row.values["hd95_mm"] <= DIAGONAL


def test_ignored_voxels_are_left_out_of_everything():
    labels = LabelScheme(labels={"background": 0, "organ": 1, "ignore": 2})
    reference = volume((1, np.s_[5:10, 5:10, 5:10]), (2, np.s_[12:, :, :]))
    noisy = volume((1, np.s_[5:10, 5:10, 5:10]), (1, np.s_[12:, 3:, :]))
    (row,) = measured(noisy, reference, labels=labels)
    assert list(row.values.values()) == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert row.prediction_ml == pytest.approx(0.75)


def test_only_ignored_voxels_predicted_is_empty_in_both():
    labels = LabelScheme(labels={"background": 0, "organ": 1, "ignore": 2})
    (row,) = measured(CUBE, volume((2, np.s_[:])), labels=labels)
    assert row.status == "empty_both"


def test_ignore_equals_monais_ignore_index():
    import torch
    from monai.metrics import compute_surface_dice

    labels = LabelScheme(labels={"background": 0, "organ": 1, "ignore": 2})
    draw = np.random.default_rng(0)
    reference = draw.integers(0, 3, (9, 10, 11))
    prediction = draw.integers(0, 2, (9, 10, 11))
    (row,) = measured(prediction, reference, labels=labels, spacing=(0.5, 1.0, 1.5))
    one_hot = [np.stack([volume == value for value in range(3)])[None] for volume in (prediction, reference)]
    theirs = compute_surface_dice(
        *(torch.tensor(volume).float() for volume in one_hot),
        [1.0, 1.0],
        spacing=(0.5, 1.0, 1.5),
        use_subvoxels=True,
        ignore_index=2,
    )
    assert row.values["nsd"] == pytest.approx(theirs[0, 0].item(), abs=1e-5)


def test_a_region_is_the_union_of_its_values():
    labels = LabelScheme(labels={"background": 0, "whole": (1, 2), "core": (2,)}, regions_class_order=(1, 2))
    reference = volume((1, np.s_[4:10, 4:10, 4:10]), (2, np.s_[6:8, 6:8, 6:8]))
    prediction = volume((1, np.s_[4:10, 4:10, 4:10]), (2, np.s_[6:8, 6:8, 6:9]))
    whole, core = measured(prediction, reference, labels=labels)
    assert (whole.label, whole.values["dsc"], whole.values["nsd"]) == ("whole", 1.0, 1.0)
    assert core.values["dsc"] == pytest.approx(2 * 8 / (8 + 12))
    assert core.values["relative_volume_error"] == pytest.approx(0.5)
    assert core.values["volume_error_ml"] == pytest.approx(4 * 6 / 1000)


def test_distances_are_in_millimetres_along_every_axis():
    for axis, edge in enumerate(SPACING):
        (row,) = measured(np.roll(CUBE, 1, axis), CUBE)
        assert row.values["hd95_mm"] == edge


def test_a_class_in_one_slice_is_measured_in_3d_like_the_whole_volume():
    disc = volume((1, np.s_[5:12, 5:12, 9]))
    moved = np.roll(disc, 1, 0)
    (row,) = measured(moved, disc)
    whole = surface_distances(moved == 1, disc == 1, spacing_mm=SPACING)
    assert row.values["nsd"] == whole.nsd(1.0)
    assert row.values["assd_mm"] == whole.assd_mm()
    (flat,) = measured(moved[:, :, 9:10], disc[:, :, 9:10])
    assert flat.values["assd_mm"] != row.values["assd_mm"]


def test_every_class_is_measured_as_if_it_were_alone():
    labels = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "c": 3})
    draw = np.random.default_rng(0)
    prediction, reference = draw.integers(0, 4, (2, 8, 9, 10))
    for value, row in enumerate(measured(prediction, reference, labels=labels), start=1):
        (alone,) = measured(1 * (prediction == value), 1 * (reference == value))
        assert row.values == alone.values


@pytest.mark.parametrize("bad", [np.nan, 0.5, -1, 7, np.inf])
def test_a_value_that_is_no_label_is_an_error(bad):
    prediction = CUBE.astype(np.float32)
    prediction[0, 0, 0] = bad
    with pytest.raises(EvaluationError, match=r"E800 case a: the prediction holds values that are not labels"):
        measured(prediction, CUBE)


def test_whole_numbers_stored_as_float_are_labels():
    (row,) = measured(CUBE.astype(np.float32), CUBE.astype(np.int64))
    assert row.values["dsc"] == 1


def test_different_shapes_are_an_error():
    with pytest.raises(EvaluationError, match="different shapes"):
        measured(CUBE[:-1], CUBE)
