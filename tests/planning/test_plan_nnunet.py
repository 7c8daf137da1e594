"""What golden plans do not show: odd images, tiny budgets, regions, cascades, and the details of training."""

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from medarch.core.errors import PlanError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.labels import LabelScheme
from medarch.core.plan import Plan
from medarch.planning.feature_map_size import feature_map_size
from medarch.planning.nnunet_presets import NNUNET_PRESETS
from medarch.planning.plan_nnunet import plan_nnunet
from medarch.planning.unet_topology import unet_topology

STATISTICS = IntensityStatistics(
    mean=1.0, median=1.0, std=2.0, min=-3.0, max=9.0, percentile_00_5=-2.0, percentile_99_5=8.0
)
LABELS = LabelScheme(labels={"background": 0, "organ": 1})


def fingerprint(*grids, relative_size: float = 1.0, channels: int = 1) -> Fingerprint:
    """Cases of ``((I, J, K), (spacing i, j, k))``."""
    return Fingerprint(
        dataset="Test",
        dataset_sha256="",
        cases=tuple(
            CaseFingerprint(
                id=f"case_{number}",
                shape=shape,
                shape_after_crop=shape,
                spacing_mm=spacing,
                axcodes="RAS",
                label_voxels={},
                content_sha256="",
            )
            for number, (shape, spacing) in enumerate(grids)
        ),
        intensities=(STATISTICS,) * channels,
        median_relative_size_after_crop=relative_size,
        num_training=len(grids),
    )


def plan(*grids, labels: LabelScheme = LABELS, channels: tuple[str, ...] = ("MRI",), **options) -> Plan:
    relative_size = options.pop("relative_size", 1.0)
    found = fingerprint(*grids, relative_size=relative_size, channels=len(channels))
    return plan_nnunet(found, "Test", channels, labels, **options)


@pytest.mark.parametrize(
    ("patch", "stages", "features", "residual", "expected"),
    [
        ((128, 128, 128), 6, (32, 64, 128, 256, 320, 320), False, 452_796_416),
        ((512, 512), 8, (32, 64, 128, 256, 512, 512, 512, 512), False, 82_886_656),
        ((128, 128, 128), 6, (32, 64, 128, 256, 320, 320), True, 557_420_544),
    ],
)
def test_feature_map_size_equals_nnunets_count(patch, stages, features, residual, expected) -> None:
    dim = len(patch)
    strides = ((1,) * dim,) + ((2,) * dim,) * (stages - 1)
    found = feature_map_size(patch, strides=strides, features=features, heads=3, residual=residual)
    assert found == expected


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thickness", [0.1, 1.0, 999.0])
def test_2d_images_get_a_2d_plan_whichever_axis_is_thin(axis: int, thickness: float) -> None:
    shape, spacing = [300, 300, 300], [0.7, 0.7, 0.7]
    shape[axis], spacing[axis] = 1, thickness
    found = plan((tuple(shape), tuple(spacing)))
    assert list(found.configurations) == [found.default] == ["2d"]
    configuration = found.configuration()
    assert configuration.preprocessing.axes[0] == axis
    assert configuration.preprocessing.spacing_mm == (None, 0.7, 0.7)
    assert configuration.median_shape == (300, 300)
    assert any(reason.decision == "3d_fullres" and "2D images" in reason.because for reason in found.reasons)


def test_a_few_slices_end_the_search_for_a_low_resolution(capsys: pytest.CaptureFixture[str]) -> None:
    found = plan(((2000, 2000, 2), (0.2, 0.2, 0.2)))
    assert "3d_fullres" in found.configurations
    assert all(min(configuration.patch_voxels) >= 1 for configuration in found.configurations.values())
    assert capsys.readouterr().out == ""


def test_one_case_is_enough_to_plan() -> None:
    found = plan(((100, 120, 60), (1.0, 1.0, 2.0)))
    assert found.default == "3d_fullres"
    assert found.configuration().batch_size == 2
    assert found.configuration().preprocessing.axes == (2, 1, 0)
    assert found.configuration().preprocessing.spacing_mm == (2.0, 1.0, 1.0)


def test_the_coarsest_axis_comes_first() -> None:
    found = plan(((40, 256, 200), (4.0, 1.0, 0.9)))
    preprocessing = found.configuration().preprocessing
    assert preprocessing.axes == (0, 2, 1)
    assert preprocessing.spacing_mm == (4.0, 0.9, 1.0)
    assert preprocessing.orientation is None


def test_a_thick_axis_takes_the_10th_percentile_of_its_spacings() -> None:
    grids = [((320, 320, 20), (0.5, 0.5, spacing)) for spacing in (3.0, 4.0, 4.0, 4.0, 5.0)]
    assert plan(*grids).configuration().preprocessing.spacing_mm == pytest.approx((3.4, 0.5, 0.5))


def test_a_given_target_spacing_is_meant_along_file_axes() -> None:
    found = plan(((100, 120, 60), (1.0, 1.0, 2.0)), target_spacing_mm=(0.8, 0.9, 1.5))
    assert found.configuration().preprocessing.spacing_mm == (1.5, 0.9, 0.8)
    assert found.configuration().median_shape == (80, 133, 125)


def test_cascade_sees_the_labels_of_the_stage_before_as_channels() -> None:
    labels = LabelScheme(labels={"background": 0, "liver": 1, "tumour": 2, "ignore": 3})
    found = plan(((512, 512, 400), (0.8, 0.8, 1.0)), labels=labels, channels=("CT",))
    low, full, cascade = (found.configurations[f"3d_{name}"] for name in ("lowres", "fullres", "cascade_fullres"))
    assert (low.next_stage, cascade.previous_stage) == ("3d_cascade_fullres", "3d_lowres")
    assert (low.batch_dice, full.batch_dice, cascade.batch_dice) == (False, True, True)
    assert cascade.network == full.network.model_copy(update={"in_channels": 1 + 2})
    assert cascade.preprocessing == full.preprocessing
    assert full.network.heads == 3
    assert found.default == "3d_fullres"


def test_regions_have_one_head_each() -> None:
    labels = LabelScheme(labels={"background": 0, "whole": (1, 2), "core": 2}, regions_class_order=(1, 2))
    assert plan(((100, 100, 100), (1.0, 1.0, 1.0)), labels=labels).configuration().network.heads == 2


def test_normalisation_follows_the_channel_name_and_the_crop() -> None:
    names = ("ct", "T1", "noNorm", "rescale_to_0_1", "rgb_to_0_1", "ZScore")
    found = plan(((100, 100, 100), (1.0, 1.0, 1.0)), channels=names, relative_size=0.74)
    channels = found.configuration().preprocessing.normalisation
    assert [channel.scheme for channel in channels] == [
        "ct",
        "zscore",
        "none",
        "rescale_to_0_1",
        "rgb_to_0_1",
        "zscore",
    ]
    assert [channel.inside_mask for channel in channels] == [False, True, False, False, False, True]
    assert channels[0].statistics == STATISTICS
    assert found.configuration().training.augmentation.mask_outside == (1, 5)
    whole = plan(((100, 100, 100), (1.0, 1.0, 1.0)), channels=names, relative_size=0.75)
    assert whole.configuration().training.augmentation.mask_outside == ()


def test_augmentation_suits_the_shape_of_the_patch() -> None:
    cube = plan(((128, 128, 128), (1.0, 1.0, 1.0)))
    slab = plan(((320, 320, 20), (0.6, 0.6, 3.6)))
    strip = plan(((300, 100, 100), (1.0, 1.0, 1.5)))
    augmentations = [found.configuration().training.augmentation for found in (cube, slab)]
    assert [each.dummy_2d for each in augmentations] == [False, True]
    assert [each.rotation_degrees for each in augmentations] == [(30.0, 30.0, 30.0), (180.0, 0.0, 0.0)]
    flat = [found.configurations["2d"].training.augmentation for found in (cube, strip)]
    assert [each.rotation_degrees for each in flat] == [(180.0,), (15.0,)]
    assert all(each.mirror_axes == (0, 1) and not each.dummy_2d for each in flat)
    assert strip.configurations["2d"].inference.mirror_axes == (0, 1)


def test_every_configuration_explains_its_decisions() -> None:
    found = plan(((512, 512, 400), (0.8, 0.8, 1.0)))
    decisions = {reason.decision for reason in found.reasons}
    for name in ("2d", "3d_fullres", "3d_lowres"):
        assert {f"{name}.patch_voxels", f"{name}.batch_size", f"{name}.batch_dice"} <= decisions
    assert {"spacing_mm", "axes", "orientation", "memory_gb", "normalisation.MRI", "3d_lowres.spacing_mm"} <= decisions
    assert all(reason.value and reason.because for reason in found.reasons)
    assert Plan.parse(found.to_json()) == found


def test_what_is_too_small_to_be_pooled_is_left_out() -> None:
    found = plan(((7, 6, 40), (1.0, 1.0, 1.0)))
    assert list(found.configurations) == [found.default] == ["3d_fullres"]
    assert found.configuration().patch_voxels == (40, 6, 7)
    assert any(
        reason.decision == "2d" and "6×7 voxels, which cannot be pooled" in reason.because for reason in found.reasons
    )
    with pytest.raises(PlanError, match="cannot be pooled"):  # the finest axis alone could be, and has 10 voxels
        plan(((10, 200, 200), (0.2, 2.0, 2.1)))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"memory_gb": 1e-6}, "no patch fits"),
        ({"memory_gb": 0.0}, "memory_gb"),
        ({"memory_gb": float("nan")}, "memory_gb"),
        ({"preset": "resenc-s"}, "no preset"),
        ({"target_spacing_mm": (1.0, 0.0, 1.0)}, "not positive"),
    ],
)
def test_impossible_wishes_are_refused_in_words(options: dict, complaint: str) -> None:
    with pytest.raises(PlanError, match=complaint):
        plan(((100, 100, 100), (1.0, 1.0, 1.0)), **options)


def test_fingerprints_that_do_not_suit_are_refused() -> None:
    with pytest.raises(PlanError, match="no case"):
        plan()
    with pytest.raises(PlanError, match="lines"):
        plan(((100, 1, 1), (1.0, 1.0, 1.0)))
    with pytest.raises(PlanError, match="cannot be pooled"):
        plan(((6, 6, 6), (1.0, 1.0, 1.0)))
    with pytest.raises(PlanError, match="does not fit the channels"):
        plan_nnunet(fingerprint(((9, 9, 9), (1.0, 1.0, 1.0))), "Test", ("T1", "T2"), LABELS)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(16, 500)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 8.0)] * 3),
    preset=st.sampled_from(sorted(NNUNET_PRESETS)),
    memory_gb=st.sampled_from([None, 1.0, 80.0]),
)
def test_any_volume_gets_a_patch_that_its_network_can_pool(shape, spacing, preset, memory_gb) -> None:
    try:
        found = plan((shape, spacing), preset=preset, memory_gb=memory_gb)
    except PlanError as error:
        if "cannot be pooled" not in str(error):
            raise
        reject()  # nnU-Net plans a network without a decoder for such a patch
    for configuration in found.configurations.values():
        network = configuration.network
        for axis, voxels in enumerate(configuration.patch_voxels):
            pools = sum(stride[axis] == 2 for stride in network.strides)
            assert voxels > 0
            assert voxels % 2**pools == 0
        lengths = {len(network.strides), len(network.kernels), len(network.features), len(network.blocks)}
        assert lengths == {len(network.decoder_blocks) + 1}
        assert configuration.batch_size >= 2


def test_topology_waits_for_coarse_axes() -> None:
    # The prostate's: 20 slices of 3.6 mm pool twice, once the plane has become as coarse.
    topology = unet_topology((3.6, 0.625, 0.625), (20, 320, 256))
    assert topology.divisor == (4, 64, 64)
    assert topology.kernels[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))
    assert topology.features == (32, 64, 128, 256, 320, 320, 320)
