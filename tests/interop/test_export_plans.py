"""Plans in nnU-Net's words, against 30 plans files that nnU-Net wrote itself."""

import json

import pytest
from nnunet_files import read_nnunet_dataset, read_nnunet_fingerprint
from small_models import changed
from small_plan import small_plan

from medarch.core.errors import PlanError
from medarch.core.fingerprint import CaseFingerprint
from medarch.interop.export_fingerprint import export_fingerprint
from medarch.interop.export_plans import export_plans
from medarch.interop.nnunet_reader import reader_order
from medarch.planning.plan_nnunet import plan_nnunet

DATASETS = (
    "001_BrainTumour", "002_Heart", "003_Liver", "004_Hippocampus", "005_Prostate", "006_Lung", "007_Pancreas",
    "008_HepaticVessel", "009_Spleen", "010_Colon",
)  # fmt: skip
PRESETS = {"nnunet": "ConvolutionalEncoder", "resenc-m": "ResidualEncoderM", "resenc-l": "ResidualEncoderL"}


def comparable(plans):
    """Rounded medians and spacings: medarch keeps whole voxels, and the last digit of a product is nobody's."""
    for configuration in plans["configurations"].values():
        if "spacing" in configuration:
            sizes = configuration["median_image_size_in_voxels"]
            configuration["median_image_size_in_voxels"] = [round(size) for size in sizes]
            configuration["spacing"] = [float(f"{size:.12g}") for size in configuration["spacing"]]
    return plans


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_plans_file_is_the_one_that_nnunet_wrote(shared_data, dataset, preset):
    folder = shared_data / "nnunet_golden_plans" / f"Dataset{dataset}"
    channels, labels, _ = read_nnunet_dataset(folder)
    fingerprint = read_nnunet_fingerprint(folder)
    plan = plan_nnunet(fingerprint, folder.name, channels, labels, preset=preset)
    # All stored files were planned under this name.
    plan = plan.model_copy(update={"name": "nnUNetPlans"})
    ours = export_plans(plan, dataset_name=folder.name, file_ending=".nii.gz", fingerprint=fingerprint)
    theirs = json.loads((folder / f"plans_{PRESETS[preset]}.json").read_text())
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_fingerprint_file_is_the_one_that_nnunet_wrote(shared_data, dataset):
    folder = shared_data / "nnunet_golden_plans" / f"Dataset{dataset}"
    ours = export_fingerprint(read_nnunet_fingerprint(folder), orientation=None)
    assert ours == json.loads((folder / "dataset_fingerprint.json").read_text())


def test_the_folders_of_residual_presets_are_named_as_nnunet_names_them(shared_data):
    folder = shared_data / "nnunet_golden_plans" / "Dataset003_Liver"
    channels, labels, _ = read_nnunet_dataset(folder)
    plan = plan_nnunet(read_nnunet_fingerprint(folder), folder.name, channels, labels, preset="resenc-m")
    plans = export_plans(plan, dataset_name=folder.name, file_ending=".nii.gz")
    assert plans["plans_name"] == "nnUNetResEncUNetMPlans"
    identifiers = {name: entry.get("data_identifier") for name, entry in plans["configurations"].items()}
    assert identifiers == {
        "2d": "nnUNetPlans_2d",
        "3d_fullres": "nnUNetPlans_3d_fullres",
        "3d_lowres": "nnUNetResEncUNetMPlans_3d_lowres",
        "3d_cascade_fullres": None,
    }


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (3.0, {"force_separate_z": None}),
        (5.0, {"force_separate_z": None, "separate_z_anisotropy_threshold": 5.0}),
        (0.0, {"force_separate_z": True}),
        (1e9, {"force_separate_z": False}),
    ],
)
def test_rules_of_resampling_are_expressed_in_nnunets_words(ratio, words):
    recipe = {"separate_plane_ratio": ratio, "coarse_order": 1, "image_order": 2, "score_order": 0}
    plans = export_plans(changed(small_plan(), recipe=recipe), dataset_name="Dataset001_A", file_ending=".nii.gz")
    entry = plans["configurations"]["small"]
    for kind, is_seg, order in (("data", False, 2), ("seg", True, 1), ("probabilities", False, 0)):
        assert entry[f"resampling_fn_{kind}_kwargs"] == {"is_seg": is_seg, "order": order, "order_z": 1, **words}


def test_decoder_blocks_are_listed_from_the_coarsest_stage():
    network = small_plan().configuration().network.model_copy(update={"decoder_blocks": (1, 2)})
    plans = export_plans(changed(small_plan(), network=network), dataset_name="Dataset001_A", file_ending=".nii.gz")
    architecture = plans["configurations"]["small"]["architecture"]["arch_kwargs"]
    assert architecture["n_conv_per_stage_decoder"] == [2, 1]


@pytest.mark.parametrize(
    ("axcodes", "order"), [("RAS", (2, 1, 0)), ("LPI", (2, 1, 0)), ("PIR", (1, 0, 2)), ("SRA", (0, 2, 1))]
)
def test_a_reader_that_turns_images_sees_their_axes_as_z_y_x_of_the_patient(axcodes, order):
    case = CaseFingerprint(
        id="a", shape=(9, 8, 7), shape_after_crop=(9, 8, 7), spacing_mm=(1, 2, 3), axcodes=axcodes, label_voxels={},
        content_sha256="",
    )  # fmt: skip
    assert reader_order(case, "RAS") == order
    assert reader_order(case, None) == (2, 1, 0)


@pytest.mark.parametrize(("what", "recipe"), [("axes", {"axes": (0, 1, 2)}), ("orientations", {"orientation": None})])
def test_what_nnunet_says_once_must_be_the_same_in_all_configurations(what, recipe):
    plan = small_plan()
    other = changed(plan, recipe=recipe).configuration().model_copy(update={"name": "other"})
    both = plan.model_copy(update={"configurations": {"small": plan.configuration(), "other": other}})
    with pytest.raises(PlanError, match=f"{what} that differ between configurations"):
        export_plans(both, dataset_name="Dataset001_A", file_ending=".nii.gz")


def test_a_file_ending_that_nnunet_cannot_read_is_refused():
    with pytest.raises(PlanError, match=r"file ending \.jpg"):
        export_plans(small_plan(), dataset_name="Dataset001_A", file_ending=".jpg")
