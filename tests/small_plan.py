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


def small_classifier(*, dim=3, heads=3, in_channels=1):
    """A ResNet of one narrow block a stage."""
    strides = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1))
    return NetworkPlan(
        architecture="resnet18",
        dim=dim,
        in_channels=in_channels,
        heads=heads,
        strides=tuple(stride[3 - dim :] for stride in strides),
        options={"depths": (1, 1, 1, 1), "width": 0.0625},
    )


def small_registration(*, dim=3, in_channels=1):
    """A pyramid of two narrow levels."""
    return NetworkPlan(
        architecture="pyramid",
        dim=dim,
        in_channels=2 * in_channels,
        heads=dim,
        features=(4, 4),
        strides=((2,) * dim,) * 2,
        kernels=((3,) * dim,) * 2,
        blocks=(1, 1),
        deep_supervision=False,
    )


def small_hovernet(*, dim=3, heads=3, in_channels=1):
    """A HoVerNet of one narrow unit a stage that keeps the size of its windows."""
    return NetworkPlan(
        architecture="hovernet",
        dim=dim,
        in_channels=in_channels,
        heads=heads,
        options={"depths": (1, 1, 1, 1), "width": 0.125, "padded": True},
    )


def small_window(architecture, dim):
    """A window that the network takes."""
    if architecture == "monai_hovernet":
        return (256, 256)  # the only one
    size = {2: (32, 32), 3: (8, 32, 32)}[dim]
    # The first convolution of the original HoVerNet takes three voxels off each side.
    return tuple(side + 6 for side in size) if architecture == "hovernet_original" else size


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
    classes=None,
    registration=None,
):
    """A plan with one configuration, ``small``; with ``classes`` of a classifier, with ``registration`` of pairs."""
    scheme = LabelScheme(labels=labels or LABELS, regions_class_order=regions_class_order)
    network = small_network(architecture, dim=dim, heads=scheme.heads, in_channels=channels)
    if classes is not None:
        network = small_classifier(dim=dim, heads=len(classes.names), in_channels=channels)
    if registration is not None:
        network = small_registration(dim=dim, in_channels=channels)
    if task == "nuclei":
        network = small_hovernet(dim=dim, heads=scheme.heads, in_channels=channels)
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
        network=network,
        registration=registration,
        training=TrainingPlan(epochs=2, iterations_per_epoch=2, validation_iterations=1),
    )
    return Plan(
        name="small",
        preset="test",
        task=task,
        dataset="Test",
        channels=tuple(f"channel{number}" for number in range(channels)),
        labels=scheme,
        classes=classes,
        fingerprint_sha256="",
        configurations={"small": configuration},
        default="small",
    )
