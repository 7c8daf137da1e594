"""Every configuration of 30 plans that nnU-Net wrote itself must come out of its fingerprint again."""

import json
import math
from pathlib import Path

import pytest
from nnunet_files import read_nnunet_dataset, read_nnunet_fingerprint

from medarch.core.plan import Configuration, Plan
from medarch.planning.feature_map_size import feature_map_size
from medarch.planning.plan_nnunet import plan_nnunet

DATASETS = (
    "Dataset001_BrainTumour",
    "Dataset002_Heart",
    "Dataset003_Liver",
    "Dataset004_Hippocampus",
    "Dataset005_Prostate",
    "Dataset006_Lung",
    "Dataset007_Pancreas",
    "Dataset008_HepaticVessel",
    "Dataset009_Spleen",
    "Dataset010_Colon",
)
PRESETS = {"nnunet": "ConvolutionalEncoder", "resenc-m": "ResidualEncoderM", "resenc-l": "ResidualEncoderL"}
ARCHITECTURES = {"PlainConvUNet": "plain_unet", "ResidualEncoderUNet": "residual_unet"}
# Patch and batch of nnUNetPlannerResEncXL (nnU-Net 2.8.1, run on the stored fingerprints); no stored plans hold them.
XL = {
    "Dataset001_BrainTumour": {
        "2d": ((192, 160), 444),
        "3d_fullres": ((160, 192, 160), 5),
    },
    "Dataset002_Heart": {
        "2d": ((320, 256), 166),
        "3d_fullres": ((128, 320, 256), 3),
    },
    "Dataset003_Liver": {
        "2d": ((512, 512), 52),
        "3d_lowres": ((224, 256, 224), 2),
        "3d_fullres": ((224, 256, 224), 2),
    },
    "Dataset004_Hippocampus": {
        "2d": ((56, 40), 6711),
        "3d_fullres": ((40, 56, 40), 183),
    },
    "Dataset005_Prostate": {
        "2d": ((320, 320), 133),
        "3d_fullres": ((20, 320, 320), 8),
    },
    "Dataset006_Lung": {
        "2d": ((512, 512), 52),
        "3d_fullres": ((128, 320, 320), 2),
    },
    "Dataset007_Pancreas": {
        "2d": ((512, 512), 52),
        "3d_fullres": ((64, 384, 384), 2),
    },
    "Dataset008_HepaticVessel": {
        "2d": ((512, 512), 52),
        "3d_fullres": ((128, 320, 320), 2),
    },
    "Dataset009_Spleen": {
        "2d": ((512, 512), 52),
        "3d_fullres": ((112, 320, 256), 2),
    },
    "Dataset010_Colon": {
        "2d": ((512, 512), 52),
        "3d_fullres": ((80, 320, 320), 2),
    },
}
SCHEMES = {"CTNormalization": "ct", "ZScoreNormalization": "zscore"}


def plan(folder: Path, preset: str) -> Plan:
    channels, labels, _ = read_nnunet_dataset(folder)
    return plan_nnunet(read_nnunet_fingerprint(folder), folder.name, channels, labels, preset=preset)


def golden(folder: Path, preset: str) -> dict:
    return json.loads((folder / f"plans_{PRESETS[preset]}.json").read_text())


def described_by_nnunet(stored: dict) -> dict:
    network = stored["architecture"]["arch_kwargs"]
    return {
        "patch": stored["patch_size"],
        "batch": stored["batch_size"],
        "batch_dice": stored["batch_dice"],
        "spacing": stored["spacing"],
        "median": [round(size) for size in stored["median_image_size_in_voxels"]],
        "architecture": ARCHITECTURES[stored["architecture"]["network_class_name"].split(".")[-1]],
        "features": network["features_per_stage"],
        "strides": network["strides"],
        "kernels": network["kernel_sizes"],
        "blocks": network.get("n_conv_per_stage", network.get("n_blocks_per_stage")),
        "decoder_blocks": network["n_conv_per_stage_decoder"],
        "normalisation": [SCHEMES[scheme] for scheme in stored["normalization_schemes"]],
        "inside_mask": stored["use_mask_for_norm"],
        "next_stage": stored.get("next_stage"),
        "orders": [stored[f"resampling_fn_{kind}_kwargs"]["order"] for kind in ("data", "seg")],
    }


def described_by_us(configuration: Configuration) -> dict:
    network, preprocessing = configuration.network, configuration.preprocessing
    return {
        "patch": list(configuration.patch_voxels),
        "batch": configuration.batch_size,
        "batch_dice": configuration.batch_dice,
        "spacing": [spacing for spacing in preprocessing.spacing_mm if spacing is not None],
        "median": list(configuration.median_shape),
        "architecture": network.architecture,
        "features": list(network.features),
        "strides": [list(stride) for stride in network.strides],
        "kernels": [list(kernel) for kernel in network.kernels],
        "blocks": list(network.blocks),
        "decoder_blocks": list(network.decoder_blocks),
        "normalisation": [channel.scheme for channel in preprocessing.normalisation],
        "inside_mask": [channel.inside_mask for channel in preprocessing.normalisation],
        "next_stage": configuration.next_stage,
        "orders": [preprocessing.image_order, preprocessing.label_order],
    }


def differences(ours: dict, theirs: dict) -> list[str]:
    return [
        f"{key}: medarch {ours[key]}, nnU-Net {theirs[key]}"
        for key in theirs
        if ours[key] != (pytest.approx(theirs[key], rel=1e-12) if key == "spacing" else theirs[key])
    ]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_plan_equals_the_one_nnunet_stored(shared_data: Path, dataset: str, preset: str) -> None:
    folder = shared_data / "nnunet_golden_plans" / dataset
    ours, theirs = plan(folder, preset), golden(folder, preset)
    assert sorted(ours.configurations) == sorted(theirs["configurations"])
    reader_axes = tuple(2 - axis for axis in theirs["transpose_forward"])
    wrong = []
    for name, stored in theirs["configurations"].items():
        configuration = ours.configurations[name]
        assert configuration.preprocessing.axes == reader_axes
        if "inherits_from" in stored:  # the cascade: 3d_fullres but for its place in the chain and its input
            assert configuration.previous_stage == stored["previous_stage"]
        own = theirs["configurations"][stored.get("inherits_from", name)]
        found = differences(described_by_us(configuration), described_by_nnunet(own))
        wrong += [f"{name} {line}" for line in found]
    assert not wrong, f"{dataset} {preset}:\n  " + "\n  ".join(wrong)


def test_golden_plans_hold_74_configurations_of_their_own(shared_data: Path) -> None:
    root = shared_data / "nnunet_golden_plans"
    stored = [golden(root / dataset, preset)["configurations"] for dataset in DATASETS for preset in PRESETS]
    assert sum("inherits_from" not in each for configurations in stored for each in configurations.values()) == 74


@pytest.mark.parametrize("dataset", DATASETS)
def test_xl_plans_equal_what_nnunet_plans(shared_data: Path, dataset: str) -> None:
    found = plan(shared_data / "nnunet_golden_plans" / dataset, "resenc-xl").configurations
    ours = {name: (configuration.patch_voxels, configuration.batch_size) for name, configuration in found.items()}
    ours.pop("3d_cascade_fullres", None)
    assert ours == XL[dataset]


@pytest.mark.parametrize("dataset", DATASETS)
def test_xl_spends_its_larger_budget_and_no_more(shared_data: Path, dataset: str) -> None:
    # Its budgets: 3.6e9 elements for 2 patches in 3D, 560e6 for 12 in 2D (40 GB).
    folder = shared_data / "nnunet_golden_plans" / dataset
    large, extra = plan(folder, "resenc-l"), plan(folder, "resenc-xl")
    _, labels, _ = read_nnunet_dataset(folder)
    for name in ("2d", "3d_fullres"):
        smaller, larger = large.configurations[name], extra.configurations[name]
        assert larger.preprocessing == smaller.preprocessing
        work = [each.batch_size * math.prod(each.patch_voxels) for each in (smaller, larger)]
        assert work[1] > work[0]
        network = larger.network
        elements = feature_map_size(
            larger.patch_voxels,
            strides=network.strides,
            features=network.features,
            heads=len(labels.labels),
            residual=True,
        )
        budget, batch = (3.6e9, 2) if network.dim == 3 else (560e6, 12)
        assert elements <= budget
        assert larger.batch_size <= budget * batch / elements + 0.5


def test_memory_scales_the_budget_linearly(shared_data: Path) -> None:
    folder = shared_data / "nnunet_golden_plans" / "Dataset004_Hippocampus"
    channels, labels, _ = read_nnunet_dataset(folder)
    fingerprint = read_nnunet_fingerprint(folder)
    halved = plan_nnunet(fingerprint, folder.name, channels, labels, preset="resenc-l", memory_gb=12)
    # The whole case fits either way, so that only the batch follows: 178 at 24 GB.
    assert halved.configuration().patch_voxels == (40, 56, 40)
    assert halved.configuration().batch_size in (88, 89, 90)
