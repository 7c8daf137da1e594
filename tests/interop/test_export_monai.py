"""MONAI bundles, checked and run by MONAI."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_models import MODELS, REGIONS, cascade, changed, plan_3d, write_model

from medarch import api
from medarch.core.errors import PlanError, UsageError
from medarch.core.plan import ChannelNormalisation, InferencePlan, IntensityStatistics, Plan

pytest.importorskip("ignite", reason="MONAI's workflows need pytorch-ignite")
pytest.importorskip("jsonschema", reason="MONAI checks metadata with jsonschema")
bundle = pytest.importorskip("monai.bundle")

HIPPOCAMPUS = Path(__file__).parents[2] / "data_samples" / "hippocampus" / "imagesTr"
CT = ChannelNormalisation(
    scheme="ct",
    statistics=IntensityStatistics(mean=50, std=30, median=50, min=0, max=200, percentile_00_5=5, percentile_99_5=120),
)


def plan_of_one_tile(*arguments, flips=(0, 2), recipe=None, **settings):
    """A tile holds an image, so that it does not matter how MONAI lays tiles; 1 mm, so that nothing is resampled."""
    return changed(
        plan_3d(*arguments, spacing_mm=(1.0, 1.0, 1.0), **settings),
        patch_voxels=(56, 72, 64),
        inference=InferencePlan(mirror_axes=flips),
        recipe=recipe or {},
    )


def exported(tmp_path, plan, **options):
    model = write_model(tmp_path / "model", plan, folds=("0", "1"))
    return model, api.export(model, tmp_path / "bundle", as_format="monai", **options)


def dice(mine, other):
    values = np.union1d(np.unique(mine), np.unique(other))
    return [2 * ((mine == v) & (other == v)).sum() / ((mine == v).sum() + (other == v).sum()) for v in values if v]


@pytest.mark.parametrize(
    "plan",
    [
        plan_of_one_tile(),
        plan_of_one_tile(orientation="RAS", flips=(), recipe={"axes": (1, 2, 0)}),
        plan_of_one_tile(REGIONS, regions_class_order=(1, 2)),
        plan_of_one_tile(channels=2, flips=()),
        plan_of_one_tile(flips=(), recipe={"normalisation": (CT,)}),
    ],
    ids=["labels and flips", "turned, other axes", "regions", "two channels", "CT"],
)
def test_monai_gives_our_labels_of_real_images(plan, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for source in sorted(HIPPOCAMPUS.glob("*.nii.gz"))[:2]:
        case = source.name.removesuffix(".nii.gz").removesuffix("_0000")
        for channel in range(len(plan.channels)):
            shutil.copy(source, images / f"{case}_{channel:04d}.nii.gz")
    model, folder = exported(tmp_path, plan)
    bundle.run(
        config_file=str(folder / "configs" / "inference.json"),
        bundle_root=str(folder),
        dataset_dir=str(images),
        output_dir=str(tmp_path / "theirs"),
        device="$torch.device('cpu')",
    )
    ours = api.predict(model, images, tmp_path / "ours", device="cpu", engine="eager")
    assert len(ours.cases) == 2
    for row in ours.cases:
        [theirs] = [nib.load(path) for path in (tmp_path / "theirs").glob(f"{row.case}*")]
        mine = nib.load(row.output)
        np.testing.assert_allclose(theirs.affine, mine.affine, atol=1e-5)
        scores = dice(np.asarray(mine.dataobj), np.asarray(theirs.dataobj))
        assert scores
        assert min(scores) >= 0.999


def test_monai_finds_network_and_metadata_in_order(tmp_path):
    _, folder = exported(tmp_path, plan_of_one_tile())
    meta, config = folder / "configs" / "metadata.json", folder / "configs" / "inference.json"
    bundle.verify_net_in_out(
        net_id="network_def", meta_file=str(meta), config_file=str(config), bundle_root=str(folder), device="cpu"
    )
    # MONAI would download the schema; what its specification demands is written out here.
    tensor = {
        "type": "object",
        "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
        "properties": {"num_channels": {"type": "integer"}, "spatial_shape": {"type": "array"}},
    }
    ends = {"type": "object", "minProperties": 1, "additionalProperties": tensor}
    schema = {
        "type": "object",
        "required": ["schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description",
                     "authors", "copyright", "required_packages_version", "network_data_format"],
        "properties": {
            "changelog": {"type": "object"},
            "required_packages_version": {"type": "object"},
            "network_data_format": {"type": "object", "required": ["inputs", "outputs"],
                                    "properties": {"inputs": ends, "outputs": ends}},
        },
    }  # fmt: skip
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    bundle.verify_metadata(meta_file=str(meta), filepath=str(tmp_path / "schema.json"))
    broken = json.loads(meta.read_text())
    del broken["network_data_format"]["inputs"]["image"]["dtype"]
    meta.write_text(json.dumps(broken))
    with pytest.raises(ValueError, match="dtype"):
        bundle.verify_metadata(meta_file=str(meta), filepath=str(tmp_path / "schema.json"))


def test_the_plan_lies_in_the_bundle_and_no_pickle(tmp_path):
    plan = plan_of_one_tile()
    _, folder = exported(tmp_path, plan, folds=["1"])
    assert Plan.load(folder / "configs" / "plan.json") == plan
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "LICENSE", "README.md", "inference.json", "metadata.json", "model.ts", "plan.json",
    ]  # fmt: skip
    assert "folds 1" in (folder / "docs" / "README.md").read_text()


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (MODELS["2d"], "3D networks only"),
        (plan_3d(spacing_mm=(9.0, 1.5, 1.5)), "thick slices"),
        (changed(plan_3d(channels=2), recipe={"normalisation": (CT, ChannelNormalisation(scheme="zscore"))}), "differ"),
        (
            changed(plan_3d(), recipe={"normalisation": (ChannelNormalisation(scheme="zscore", inside_mask=True),)}),
            "inside a mask",
        ),
    ],
    ids=["2d", "thick slices", "mixed channels", "masked"],
)
def test_what_monai_has_no_words_for_is_refused_by_name(plan, named, tmp_path):
    with pytest.raises(PlanError, match=named):
        exported(tmp_path, plan)
    assert not (tmp_path / "bundle").exists()


def test_a_cascade_and_an_existing_folder_are_refused(tmp_path):
    cascade(tmp_path / "cascade")
    with pytest.raises(PlanError, match="cascade"):
        api.export(tmp_path / "cascade", tmp_path / "bundle", as_format="monai")
    model, folder = exported(tmp_path, plan_of_one_tile())
    with pytest.raises(UsageError, match="exists"):
        api.export(model, folder, as_format="monai")
