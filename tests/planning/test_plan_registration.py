"""Registrations planned: folds, how far images lie apart, and what follows from it."""

import math

import numpy as np
import pytest

from medarch.core.dataset import Case, Dataset, Pair
from medarch.core.errors import PlanError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics, PairStatistics
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.landmarks import Landmarks
from medarch.core.plan import Device
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.write_volume import write_volume
from medarch.planning.make_splits import make_splits
from medarch.planning.pair_statistics import pair_statistics
from medarch.planning.plan_registration import plan_registration
from medarch.planning.search_configuration import Budget

CPU = Device(kind="cpu", name="test", memory_bytes=2**34)
INTENSITIES = IntensityStatistics(
    mean=1.0, median=1.0, std=1.0, min=0.0, max=2.0, percentile_00_5=0.0, percentile_99_5=2.0
)
STATISTICS = {
    "pairs": 16, "of": "labels", "one_grid": False, "overlap_world": 0.2, "overlap_centres": 0.5,
    "range_world_mm": 40.0, "range_centres_mm": 8.0,
}  # fmt: skip


def dataset(cases=12, *, labels=2, patients=None, labelled=None, **changes):
    labelled = cases if labelled is None else labelled
    made = tuple(
        Case(
            id=f"c{number:02d}",
            images=(),
            label="/l" if labels and number < labelled else None,
            patient=None if patients is None else f"p{number % patients}",
        )
        for number in range(cases)
    )
    values = {
        "name": "Made",
        "task": "registration",
        "root": "/",
        "layout": "nnunet",
        "channels": ("MR",),
        "labels": LabelScheme(labels={"background": 0, **{f"l{value}": value for value in range(1, labels + 1)}}),
        "cases": made,
    }
    return Dataset(**(values | changes))


def planned(made=None, *, shape=(40, 48, 44), spacing_mm=(1.0, 1.0, 1.0), time_s=600.0, memory=2**34, speed=1e6, **kw):
    """Plan where a training step takes a time in proportion to its voxels."""
    made = made or dataset()
    cases = tuple(
        CaseFingerprint(
            id=case.id, shape=shape, shape_after_crop=shape, spacing_mm=spacing_mm, axcodes="RAS", label_voxels={},
            content_sha256="",
        )
        for case in made.cases
    )  # fmt: skip
    fingerprint = Fingerprint(
        dataset="Made",
        dataset_sha256="",
        cases=cases,
        intensities=(INTENSITIES,),
        median_relative_size_after_crop=1.0,
        num_training=len(cases),
        pairs=PairStatistics(**(STATISTICS | kw.pop("statistics", {}))),
    )

    def measure(plan, configuration, *, batch_size, device):
        return batch_size * math.prod(configuration.patch_voxels) / speed

    return plan_registration(fingerprint, made, budget=Budget(CPU, "float32", memory, time_s), measure=measure, **kw)


def test_the_grid_holds_the_images_and_every_decision_has_a_reason():
    plan = planned()
    configuration = plan.configuration()
    assert plan.task == "registration"
    assert sorted(configuration.patch_voxels) == [40, 44, 48]
    assert configuration.network.in_channels == 2
    assert configuration.network.heads == 3
    assert configuration.preprocessing.crop == "none"
    decisions = {reason.decision for reason in plan.reasons}
    assert decisions >= {"alignment", "spacing_mm", "grid", "levels", "similarity", "smoothness", "label_weight"}


def test_images_are_laid_on_each_other_where_they_overlap_more():
    assert planned().configuration().registration.alignment == "centres"
    for changes in ({"overlap_world": 0.48}, {"one_grid": True}):
        assert planned(statistics=changes).configuration().registration.alignment == "world"


def test_labels_are_trained_on_where_every_case_has_them_and_many_at_half_the_resolution():
    few = planned().configuration().registration
    assert few.label_weight > 0
    assert few.label_stride == 1
    assert planned(dataset(labels=27)).configuration().registration.label_stride == 2
    for made in (dataset(labels=0), dataset(labelled=5)):
        assert planned(made).configuration().registration.label_weight == 0


def test_after_training_on_images_alone_predictions_are_refined_and_the_plan_says_so():
    for made, refined in ((dataset(), False), (dataset(labels=0), True)):
        plan = planned(made)
        assert (plan.configuration().registration.refinement > 0) == refined
        reason = next(reason for reason in plan.reasons if reason.decision == "refine_iterations")
        assert ("goes on" in reason.because) == refined


def test_landmarks_are_trained_on_where_cases_have_them_weighted_by_how_far_the_field_has_to_reach():
    made = dataset()
    cases = tuple(case.model_copy(update={"landmarks": "/p.csv"}) for case in made.cases[:5])
    plan = planned(made.model_copy(update={"cases": (*cases, *made.cases[5:])}))
    assert plan.configuration().registration.landmark_weight == pytest.approx(1 / 8, abs=0.01)
    assert "5 cases" in next(reason.because for reason in plan.reasons if reason.decision == "landmark_weight")
    assert planned().configuration().registration.landmark_weight == 0


LANDMARKS = {
    "pairs": 9, "distance_world_mm": 5.0, "distance_centres_mm": 3.0, "range_world_mm": 10.0, "range_centres_mm": 6.0,
}  # fmt: skip


def test_without_labels_landmarks_say_more_than_bright_voxels():
    world = {"overlap_world": 0.5, "of": "brightness"}
    assert planned(statistics=world).configuration().registration.alignment == "world"
    found = planned(statistics=world | {"landmarks": LANDMARKS})
    assert found.configuration().registration.alignment == "centres"
    reason = next(reason.because for reason in found.reasons if reason.decision == "alignment")
    assert "landmarks of 9 pairs" in reason
    assert "6 mm" in reason
    near = world | {"landmarks": LANDMARKS | {"distance_centres_mm": 4.6}}
    assert planned(statistics=near).configuration().registration.alignment == "world"
    labels = {"overlap_world": 0.5, "landmarks": LANDMARKS}
    assert planned(statistics=labels).configuration().registration.alignment == "world"


def test_window_and_smoothness_stay_however_far_a_field_has_to_reach_and_the_plan_says_so():
    near, far = (planned(statistics={"range_centres_mm": range_mm}) for range_mm in (2.0, 30.0))
    for name in ("window", "smoothness_weight"):
        assert len({getattr(plan.configuration().registration, name) for plan in (near, far)}) == 1
    for plan, range_mm in ((near, "2 mm"), (far, "30 mm")):
        reasons = {reason.decision: reason.because for reason in plan.reasons}
        assert range_mm in reasons["similarity"]
        assert "reach" in reasons["smoothness"]


def test_width_and_then_resolution_are_given_up_for_time_and_memory():
    whole = planned(time_s=None).configuration()
    narrow = planned(time_s=300.0).configuration()
    hurried = planned(time_s=20.0).configuration()
    assert narrow.patch_voxels == whole.patch_voxels
    assert narrow.network.features[0] < whole.network.features[0]
    assert math.prod(hurried.patch_voxels) < math.prod(whole.patch_voxels)
    assert hurried.preprocessing.spacing_mm[0] > whole.preprocessing.spacing_mm[0]
    tight = planned(time_s=None, memory=narrow.estimate.training_bytes - 2**20).configuration()
    assert math.prod(tight.patch_voxels) < math.prod(whole.patch_voxels)
    with pytest.raises(PlanError, match="no grid"):
        planned(memory=2**20)


def test_the_schedule_fills_the_budget():
    training = planned(time_s=600.0).configuration().training
    assert training.time_budget_s == 600.0
    assert training.validation_iterations == 6  # all pairs of three validation cases
    assert planned(dataset(60)).configuration().training.validation_iterations == 20
    assert planned(time_s=None).configuration().training.patience_epochs


def test_thick_slices_are_pooled_late_and_slices_are_2d():
    thick = planned(shape=(96, 96, 12), spacing_mm=(1.0, 1.0, 5.0)).configuration()
    assert thick.network.strides[0] == (1, 2, 2)
    flat = planned(shape=(64, 48, 1)).configuration()
    assert flat.name == "2d"
    assert flat.network.dim == flat.network.heads == 2
    assert sorted(flat.patch_voxels) == [48, 64]


def test_another_network_is_planned_for_if_asked():
    plan = planned(network={"architecture": "voxelmorph_diff", "options": {"squarings": 5}})
    assert plan.configuration().network.architecture == "voxelmorph_diff"
    assert plan.configuration().network.options == {"squarings": 5}


def sides(made):
    return [(set(split.train), set(split.val)) for split in make_splits(made)]


def test_scans_of_one_person_stay_on_one_side():
    made = dataset(20, patients=7)
    owner = {case.id: case.patient for case in made.cases}
    folds = sides(made)
    assert len(folds) == 5
    assert set.union(*(val for _, val in folds)) == set(owner)
    for train, val in folds:
        assert not {owner[case] for case in train} & {owner[case] for case in val}
        assert 2 <= len(val) <= 6


def test_listed_pairs_stay_on_one_side_and_fewer_groups_make_fewer_folds():
    pairs = (Pair(fixed="c00", moving="c01"), Pair(fixed="c01", moving="c02"), Pair(fixed="c03", moving="c04"))
    folds = sides(dataset(6, pairs=pairs))
    assert len(folds) == 3  # c00-c02, c03-c04, c05
    assert {frozenset(val) for _, val in folds} == {
        frozenset(("c00", "c01", "c02")), frozenset(("c03", "c04")), frozenset(("c05",))
    }  # fmt: skip


def test_an_atlas_is_on_no_side():
    folds = sides(dataset(11, atlas="c05"))
    assert all("c05" not in train | val for train, val in folds)
    assert sum(len(val) for _, val in folds) == 10


@pytest.mark.parametrize("labelled", [True, False])
def test_overlap_and_range_are_those_of_boxes_that_were_moved(tmp_path, labelled):
    """Boxes of 6³ voxels of 2 mm, each image 4 mm further along x in its grid, the grids 10 mm apart in the world."""
    cases = []
    for number in range(3):
        array = np.zeros((20, 12, 12), np.float32)
        array[2 + 2 * number : 8 + 2 * number, 3:9, 3:9] = 1
        affine = np.diag([2.0, 2, 2, 1])
        affine[0, 3] = 10 * number
        grid = Geometry.from_array(array.shape, affine)
        image, label = tmp_path / f"i{number}.nii.gz", tmp_path / f"l{number}.nii.gz"
        write_volume(image, array + np.linspace(0, 0.01, 12, dtype=np.float32), grid)
        write_volume(label, array.astype(np.uint8), grid)
        cases.append(Case(id=f"c{number}", images=(image,), label=label if labelled else None))
    labels = {"background": 0, "box": 1} if labelled else {"background": 0}
    pairs = (Pair(fixed="c0", moving="c1"), Pair(fixed="c1", moving="c2"))
    changes = {"labels": LabelScheme(labels=labels), "cases": tuple(cases)}
    made = dataset(3, labels=0, pairs=pairs).model_copy(update=changes)
    found = pair_statistics(made)
    assert found.of == ("labels" if labelled else "brightness")
    assert not found.one_grid
    assert found.pairs == 2
    assert found.overlap_centres == pytest.approx(4 / 6)
    assert found.range_centres_mm == pytest.approx(4)
    assert found.overlap_world == 0
    assert found.range_world_mm == pytest.approx(14)


def test_landmarks_of_one_name_are_measured_between_cases_that_have_them(tmp_path):
    """Images of 2 mm voxels, one 10 voxels longer at its far end in x, so that its centre lies 10 mm further."""
    cases = []
    for number, length in enumerate((20, 30, 20)):
        image = tmp_path / f"i{number}.nii.gz"
        array = np.linspace(0, 1, length * 144, dtype=np.float32).reshape(length, 12, 12)
        write_volume(image, array, Geometry.from_array(array.shape, np.diag([2.0, 2, 2, 1])))
        marks = tmp_path / f"p{number}.csv"
        names = ("a", "b", f"own{number}")
        points = ((4.0 + 10 * number, 4, 4), (8.0 + 20 * number, 4, 4), (0.0, 0, 0))
        write_landmarks(marks, Landmarks(names=names, points_mm=points))
        cases.append(Case(id=f"c{number}", images=(image,), landmarks=marks if number < 2 else None))
    changes = {"labels": LabelScheme(labels={"background": 0}), "cases": tuple(cases)}
    made = dataset(3, labels=0).model_copy(update=changes)
    found = pair_statistics(made).landmarks
    assert found.pairs == 2  # both orders of the two that have some
    assert found.distance_world_mm == pytest.approx(15)
    assert found.distance_centres_mm == pytest.approx(5)
    assert found.range_world_mm == pytest.approx(20)
    assert found.range_centres_mm == pytest.approx(10)
    alone = made.model_copy(update={"cases": (cases[0], cases[2])})
    assert pair_statistics(alone).landmarks is None
