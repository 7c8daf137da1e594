import math
from functools import lru_cache

import numpy as np
import pytest
import torch
from allocated_bytes import allocated_bytes

from medarch import api
from medarch.core.errors import PlanError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.labels import LabelScheme
from medarch.core.plan import Device
from medarch.networks.levers.without_levers import without_levers
from medarch.planning.choose_mirror_axes import choose_mirror_axes
from medarch.planning.lever_alternatives import lever_alternatives
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.plan_auto import plan_auto
from medarch.planning.search_configuration import Budget
from medarch.tasks.create_task import create_task

LABELS = LabelScheme(labels={"background": 0, "left": 1, "right": 2})
STATISTICS = IntensityStatistics(mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2)


def fingerprint(shape=(64, 64, 64), spacing=(1.0, 1.0, 1.0), *, cases=8, axcodes=("RAS",), centroids=None):
    rows = tuple(
        CaseFingerprint(
            id=f"case_{number}",
            shape=shape,
            shape_after_crop=shape,
            spacing_mm=spacing,
            axcodes=axcodes[number % len(axcodes)],
            label_voxels={0: 10, 1: 10, 2: 10},
            label_centroids_mm=centroids(number) if centroids else {},
            content_sha256=str(number),
        )
        for number in range(cases)
    )
    return Fingerprint(
        dataset="made", dataset_sha256="0", cases=rows, intensities=(STATISTICS,),
        median_relative_size_after_crop=1.0, num_training=cases,
    )  # fmt: skip


def plan(found, *, gib=16.0, time_s=None, seconds_per_gflop=0.003, kind="cpu", network=None):
    budget = Budget(Device(kind=kind, name="a machine", memory_bytes=2**36), "float32", int(gib * 2**30), time_s)

    @lru_cache
    def gflop(text):
        configuration = made_of[text]
        return predict_memory(*configuration, batch_size=1, device="cpu").flop / 1e9

    made_of = {}

    def measure(plan_, configuration, *, batch_size, device):
        key = configuration.to_json()
        made_of[key] = (plan_, configuration)
        return gflop(key) * batch_size * seconds_per_gflop

    return plan_auto(found, "made", ("MRI",), LABELS, budget=budget, network=network, measure=measure)


def test_less_memory_gives_a_smaller_patch_that_is_predicted_to_fit():
    voxels = []
    for gib in (1.0, 2.0, 8.0):
        configuration = plan(fingerprint((160, 160, 160)), gib=gib).configuration("3d_fullres")
        assert configuration.estimate.training_bytes <= gib * 2**30
        voxels.append(math.prod(configuration.patch_voxels))
    assert voxels[0] < voxels[1] < voxels[2]


def test_levers_bring_a_larger_patch_into_little_memory_and_the_reasons_say_what_each_costs():
    made = plan(fingerprint((160, 160, 160)), gib=1.0)
    configuration = made.configuration()
    reasons = {reason.decision.rpartition(".")[2]: reason for reason in made.reasons}
    levers = reasons["levers"].value.split(", ")
    assert {"accumulate", "stages"} & set(levers)
    assert all(f"{lever} (" in reasons["levers"].because for lever in levers)
    assert "without levers it would be" in reasons["patch"].because
    assert configuration.batch_size * configuration.training.accumulate == 2
    plain = predict_memory(made, without_levers(configuration), device="cpu")
    assert configuration.estimate.training_bytes <= 2**30 < plain.bytes


def test_alternatives_fill_the_same_memory_and_the_best_are_beaten_by_none():
    made = plan(fingerprint((96, 96, 96)), gib=0.7)
    found = lever_alternatives(made, made.configuration(), device="cpu", memory_bytes=int(0.7 * 2**30))
    assert {other.architecture for other in found} == {"plain_unet", "reversible_unet"}
    assert all(other.bytes <= 0.7 * 2**30 for other in found)
    assert found[0].time_per_voxel == 1
    own = [other.context for other in found if other.architecture == "plain_unet"]
    assert own == sorted(own), "more levers, no less context"
    assert own[-1] > own[0]
    best = [other for other in found if other.best]
    for one in best:
        assert not any(other.context > one.context and other.time_per_voxel < one.time_per_voxel for other in found)
    assert max(found, key=lambda other: other.context).context in [one.context for one in best]


def test_alternatives_need_a_memory_to_fill():
    made = plan(fingerprint()).model_copy(update={"device": None})
    with pytest.raises(PlanError, match="without looking at a device"):
        api.plan_alternatives(made)


def test_nothing_fits_into_too_little_memory():
    with pytest.raises(PlanError, match="--memory"):
        plan(fingerprint(), gib=0.2)


def test_less_time_gives_a_narrower_network_and_a_schedule_that_ends_with_it():
    short, long = (plan(fingerprint(), time_s=seconds).configuration() for seconds in (60, 100_000))
    assert short.network.features[0] < long.network.features[0] == 32
    assert short.training.time_budget_s == 60
    assert short.training.epochs * short.training.iterations_per_epoch * short.estimate.seconds_per_step > 60


def test_a_patch_too_slow_for_the_budget_is_made_smaller_but_not_beyond_an_eighth():
    found = fingerprint((128, 128, 128))
    unhurried = plan(found).configuration()
    hurried = plan(found, time_s=600, seconds_per_gflop=0.01)
    voxels = math.prod(hurried.configuration().patch_voxels) / math.prod(unhurried.patch_voxels)
    assert 1 / 8 <= voxels < 1
    assert any(reason.decision.endswith("patch_for_time") for reason in hurried.reasons)


def test_ordered_classes_are_not_turned_half_way_round_either():
    def left_and_right(number):
        return {1: (-40.0, 0.0, 0.0), 2: (35.0 + number, float(number % 2) * 9 - 4.5, 0.0)}

    thin = fingerprint((256, 256, 10), (1.4, 1.4, 10.0), centroids=left_and_right)
    augmentation = plan(thin).configuration().training.augmentation
    assert augmentation.mirror_axes == (0, 1)
    assert augmentation.rotation_degrees == (30.0, 0.0, 0.0)
    free = plan(fingerprint((256, 256, 10), (1.4, 1.4, 10.0))).configuration().training.augmentation
    assert free.rotation_degrees == (180.0, 0.0, 0.0)


def test_without_a_time_budget_the_plateau_ends_the_run():
    training = plan(fingerprint()).configuration().training
    assert training.time_budget_s is None
    assert training.patience_epochs


def test_every_decision_has_a_reason():
    made = plan(fingerprint(), time_s=600)
    told = {reason.decision.split(".")[-1] for reason in made.reasons}
    assert {"budget", "orientation", "mirror_axes", "patch", "width", "batch", "optimiser", "schedule"} <= told
    assert all(reason.because for reason in made.reasons)
    assert not any(reason.decision.startswith("2d.") for reason in made.reasons)


def test_2d_images_and_thin_stacks_are_planned_in_2d():
    for shape in ((200, 180, 1), (1, 200, 180)):
        made = plan(fingerprint(shape, (1.0, 1.0, 1.0)))
        assert made.default == "2d"
        assert made.configuration().network.dim == 2


@pytest.mark.parametrize("cases", [1, 3])
def test_few_cases_and_extreme_anisotropy_are_planned(cases):
    made = plan(fingerprint((256, 256, 9), (0.4, 0.4, 20.0), cases=cases))
    assert made.configuration("3d_fullres").training.augmentation.dummy_2d


def test_cases_of_mixed_orientation_are_turned_to_the_commonest():
    made = plan(fingerprint(axcodes=("LPS", "LPS", "RAS")))
    assert made.configuration().preprocessing.orientation == "LPS"
    assert any("turned" in reason.because for reason in made.reasons if reason.decision == "orientation")


def test_an_axis_along_which_classes_lie_in_one_order_is_not_mirrored():
    rng = np.random.default_rng(0)

    def left_and_right(number):
        y, z = rng.normal(size=2) * 30
        return {1: (-40.0, 0.0, 0.0), 2: (35.0 + number, float(y), float(z))}

    axes, why = choose_mirror_axes(fingerprint(centroids=left_and_right, cases=20), orientation="LPS", axes=(2, 1, 0))
    assert axes == (0, 1)
    assert "left-right" in why


def test_classes_in_no_order_are_mirrored_everywhere():
    rng = np.random.default_rng(0)
    found = fingerprint(centroids=lambda _: {1: tuple(rng.normal(size=3)), 2: tuple(rng.normal(size=3))}, cases=20)
    assert choose_mirror_axes(found, orientation="RAS", axes=(2, 1, 0))[0] == (0, 1, 2)


def test_predicted_bytes_equal_what_a_real_step_allocates():
    made = plan(fingerprint((48, 48, 48)))
    configuration = made.configuration()
    predicted = predict_memory(made, configuration, batch_size=2, device="cpu")
    # Momentum and weight average, which the step below does not have.
    tensors = predicted.tensor_bytes - predicted.parts["optimiser"]
    task = create_task(made, configuration)

    def step():
        network = task.build_network().train()
        image = torch.randn(2, 1, *configuration.patch_voxels)
        label = torch.zeros(2, 1, *configuration.patch_voxels, dtype=torch.int16)
        task.loss(network(image), task.target(label)).backward()
        return network, image, label

    _, peak = allocated_bytes(step)
    assert peak > 300 * 2**20
    assert abs(tensors / peak - 1) < 0.05


def test_a_measured_step_is_a_plausible_time():
    made = plan(fingerprint((32, 32, 32)))
    assert 0.001 < measure_step_seconds(made, made.configuration(), batch_size=2, device="cpu") < 30
