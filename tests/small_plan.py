"""A plan small enough for tests: two stages, a handful of features."""

from medarch.core.labels import LabelScheme
from medarch.core.plan import ChannelNormalisation, Configuration, NetworkPlan, Plan, PreprocessingPlan, TrainingPlan

LABELS = {"background": 0, "organ": 1, "lesion": 2}


def small_network(architecture="plain_unet", *, dim=3, heads=3, in_channels=1, **changes):
    """Three stages with anisotropic strides, as plans for thick slices have them."""
    values = {
        "architecture": architecture,
        "dim": dim,
        "in_channels": in_channels,
        "heads": heads,
        "features": (4, 6, 8),
        "strides": ((1, 1, 1), (1, 2, 2), (2, 2, 2)) if dim == 3 else ((1, 1), (2, 2), (1, 2)),
        "kernels": ((1, 3, 3), (3, 3, 3), (3, 3, 3)) if dim == 3 else ((3, 3),) * 3,
        "blocks": (1, 2, 1),
        "decoder_blocks": (1, 1),
    }
    return NetworkPlan(**(values | changes))


def small_plan(
    labels=None,
    *,
    regions_class_order=None,
    architecture="plain_unet",
    dim=3,
    batch_dice=False,
    channels=1,
    task="segmentation",
    orientation="RAS",
    spacing_mm=(2.0, 1.5, 1.5),
):
    """A plan with one configuration, ``small``."""
    scheme = LabelScheme(labels=labels or LABELS, regions_class_order=regions_class_order)
    configuration = Configuration(
        name="small",
        patch_voxels=(8, 16, 16) if dim == 3 else (16, 16),
        batch_size=2,
        batch_dice=batch_dice,
        median_shape=(12, 20, 24),
        preprocessing=PreprocessingPlan(
            orientation=orientation,
            axes=(2, 1, 0),
            spacing_mm=spacing_mm,
            normalisation=(ChannelNormalisation(scheme="zscore"),) * channels,
        ),
        network=small_network(architecture, dim=dim, heads=scheme.heads, in_channels=channels),
        training=TrainingPlan(epochs=2, iterations_per_epoch=2, validation_iterations=1),
    )
    return Plan(
        name="small",
        preset="test",
        task=task,
        dataset="Test",
        channels=tuple(f"channel{number}" for number in range(channels)),
        labels=scheme,
        fingerprint_sha256="",
        configurations={"small": configuration},
        default="small",
    )
