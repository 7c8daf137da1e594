"""Plans of classifications: what they decide and why, on made-up fingerprints and costs."""

import math

import pytest

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case, Dataset
from medarch.core.errors import PlanError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.labels import LabelScheme
from medarch.core.plan import Device, NetworkPlan
from medarch.planning.class_weights import class_weights
from medarch.planning.classifier_strides import classifier_strides
from medarch.planning.plan_classification import plan_classification
from medarch.planning.search_configuration import Budget

NAMES = ("normal", "lesion")
CPU = Device(kind="cpu", name="test", memory_bytes=2**34)
INTENSITIES = IntensityStatistics(
    mean=1.0, median=1.0, std=1.0, min=0.0, max=2.0, percentile_00_5=0.0, percentile_99_5=2.0
)


def study(shape=(48, 40, 32), spacing_mm=(1.0, 1.0, 1.0), *, cases=40, lesions=8, multi_label=False):
    ids = [f"c{number:02d}" for number in range(cases)]
    made = tuple(Case(id=case, images=(), classes=NAMES[n < lesions :][:1]) for n, case in enumerate(ids))
    dataset = Dataset(
        name="Made",
        task="classification",
        root="/",
        layout="classes",
        channels=("MR",),
        labels=LabelScheme(labels={"background": 0}),
        classes=ClassScheme(names=NAMES, multi_label=multi_label),
        cases=made,
    )
    entries = tuple(
        CaseFingerprint(
            id=case,
            shape=shape,
            shape_after_crop=shape,
            spacing_mm=spacing_mm,
            axcodes="RAS",
            label_voxels={},
            content_sha256="",
        )
        for case in ids
    )
    fingerprint = Fingerprint(
        dataset="Made",
        dataset_sha256="",
        cases=entries,
        intensities=(INTENSITIES,),
        median_relative_size_after_crop=1.0,
        num_training=cases,
        class_counts={"normal": cases - lesions, "lesion": lesions},
    )
    return fingerprint, dataset


def planned(*args, time_s=600.0, memory=2**34, speed=1e6, network=None, **kwargs):
    """Plan where a training step takes a time in proportion to input and squared width."""

    def measure(plan, configuration, *, batch_size, device):
        width = configuration.network.options.get("width", 1.0)
        return batch_size * math.prod(configuration.patch_voxels) * width**2 / speed

    fingerprint, dataset = study(*args, **kwargs)
    budget = Budget(CPU, "float32", memory, time_s)
    return plan_classification(fingerprint, dataset, budget=budget, network=network, measure=measure)


def test_the_input_holds_the_cases_and_every_decision_has_a_reason():
    plan = planned()
    configuration = plan.configuration()
    assert plan.task == "classification"
    assert sorted(configuration.patch_voxels) == [32, 40, 48]
    assert configuration.network.heads == 2
    assert {reason.decision for reason in plan.reasons} >= {
        "spacing_mm", "class_weights", "input", "network", "batch", "schedule", "mirror_axes",
    }  # fmt: skip
    assert all(reason.because for reason in plan.reasons)
    assert type(plan).parse(plan.to_json()) == plan


def test_less_time_gives_a_narrower_then_a_coarser_network():
    plans = [planned(time_s=time_s) for time_s in (1e5, 30.0, 2.0)]
    widths = [plan.configuration().network.options["width"] for plan in plans]
    sizes = [math.prod(plan.configuration().patch_voxels) for plan in plans]
    assert widths[0] == 1.0 > widths[1]
    assert sizes[0] == sizes[1] > sizes[2]
    assert plans[2].configuration().preprocessing.spacing_mm > plans[0].configuration().preprocessing.spacing_mm


def test_without_a_budget_the_plateau_ends_the_run():
    training = planned(time_s=None).configuration().training
    assert training.time_budget_s is None
    assert training.patience_epochs
    assert training.iterations_per_epoch == math.ceil(32 / 10)  # four of five folds, in batches of a quarter


def test_pictures_are_planned_in_2d():
    configuration = planned((64, 48, 1)).configuration()
    assert configuration.name == "2d"
    assert configuration.network.dim == 2
    assert sorted(configuration.patch_voxels) == [48, 64]
    assert configuration.preprocessing.spacing_mm[0] is None


def test_another_network_can_be_asked_for():
    configuration = planned(network={"architecture": "resnet34", "options": {"width": 0.125}}).configuration()
    assert configuration.network.architecture == "resnet34"
    assert configuration.network.options == {"width": 0.125}


def test_too_little_memory_is_said():
    with pytest.raises(PlanError, match="memory"):
        planned(memory=2**20)


def test_rare_classes_count_more_by_the_root_of_their_rarity():
    fingerprint, dataset = study()
    normal, lesion = class_weights(fingerprint, dataset.classes)
    assert lesion / normal == pytest.approx(math.sqrt(32 / 8), rel=1e-3)
    assert 32 * normal + 8 * lesion == pytest.approx(40, rel=1e-3)
    fingerprint, dataset = study(multi_label=True)
    assert class_weights(fingerprint, dataset.classes) == pytest.approx((0.5, 2.0))


def test_no_weight_is_without_bound():
    fingerprint, dataset = study(cases=2000, lesions=2)
    weights = class_weights(fingerprint, dataset.classes)
    assert weights[1] / weights[0] == pytest.approx(10, rel=1e-3)
    fingerprint, dataset = study(lesions=0)
    assert class_weights(fingerprint, dataset.classes) == (1.0, 1.0)


def test_small_inputs_are_halved_less_often_and_thick_axes_late():
    network = NetworkPlan(architecture="resnet18", dim=3, in_channels=1, heads=2)
    assert classifier_strides(network, (64, 96, 96), (1.0, 1.0, 1.0)) == ()
    halved = classifier_strides(network, (16, 40, 64), (1.0, 1.0, 1.0))
    assert [math.prod(axis) for axis in zip(*halved, strict=True)] == [8, 16, 32]
    assert [stride[0] for stride in halved] == [2, 2, 2, 1, 1]
    thick = classifier_strides(network, (16, 64, 64), (5.0, 1.0, 1.0))
    assert [stride[0] for stride in thick] == [1, 1, 2, 2, 2]
