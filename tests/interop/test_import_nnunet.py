"""Trained nnU-Net models in: the same logits, the same recipe, and everything else refused by name."""

import json
import logging

import numpy as np
import pytest
import torch
from nnunet_model_folder import DATASET, architecture, configuration, double_networks, plans, write_folder
from safetensors.torch import load_file

import medarch
from medarch.core.dataset import Dataset
from medarch.core.errors import DatasetError, ModelError, UsageError
from medarch.core.plan import Plan
from medarch.inference.load_model import load_model
from medarch.inference.model_folder import ModelInfo
from medarch.interop.nnunet_model import read_nnunet_model

NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"
FLAT = architecture(dim=2)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results" / "Dataset777_Test" / NAME


def logits(model_folder, shape, *, seed=1):
    """Input and logits of each fold in double precision, so that (almost) nothing is rounded."""
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        return x, [network(x) for network in double_networks(model_folder)]


def plan_of(model_folder):
    plan = Plan.load(model_folder / "plan.json")
    return plan, plan.configuration()


def rewrite(folder, change):
    """Change the stored checkpoint of fold 0."""
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    change(content)
    torch.save(content, path)


NETWORKS = {
    "plain": architecture(),
    "residual": architecture("ResidualEncoderUNet"),
    "plain, 2d": FLAT,
    "residual, 2d": architecture("ResidualEncoderUNet", dim=2),
    "counts as one number": architecture(n_conv_per_stage=2, n_conv_per_stage_decoder=2),
    "dropout": architecture(dropout_op="torch.nn.modules.dropout.Dropout3d", dropout_op_kwargs={"p": 0.3}),
    "residual with dropout": architecture(
        "ResidualEncoderUNet", dropout_op="torch.nn.Dropout3d", dropout_op_kwargs={"p": 0.3}
    ),
    "no bias": architecture(conv_bias=False),
    "residual, no bias": architecture("ResidualEncoderUNet", conv_bias=False),
}


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_the_imported_network_gives_the_same_logits(folder, tmp_path, net):
    flat = "2d" in net["arch_kwargs"]["conv_op"]
    theirs = write_folder(folder, plans({"3d_fullres": configuration(net)}), mirror=(0, 1) if flat else (0, 1, 2))
    medarch.import_model(folder, tmp_path / "model")
    x, [ours] = logits(tmp_path / "model", (1, 16, 16) if flat else (1, 8, 16, 16))
    with torch.no_grad():
        torch.testing.assert_close(ours, theirs["0"].double()(x), atol=1e-5, rtol=0)


def test_every_fold_keeps_its_own_weights_and_prediction_is_float32(folder, tmp_path):
    theirs = write_folder(folder, plans(), folds=(0, 1, 4))
    result = medarch.import_model(folder, tmp_path / "model")
    assert result.folds == ("0", "1", "4")
    assert ModelInfo.load(tmp_path / "model" / "model.json").precision == "float32"
    x, ours = logits(tmp_path / "model", (1, 8, 16, 16))
    for mine, network in zip(ours, theirs.values(), strict=True):
        with torch.no_grad():
            torch.testing.assert_close(mine, network.double()(x), atol=1e-5, rtol=0)
    assert load_file(tmp_path / "model" / "weights_fold_0.safetensors")["heads.0.bias"].dtype == torch.float32


def test_an_imported_model_predicts_on_the_files_own_grid(folder, tmp_path):
    import nibabel as nib

    write_folder(folder, plans(transpose_forward=[1, 0, 2], transpose_backward=[1, 0, 2]))
    medarch.import_model(folder, tmp_path / "model")
    volume = np.random.default_rng(0).normal(100, 20, (23, 19, 11)).astype(np.float32)
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(volume, np.diag([-1.5, 1.4, 2.2, 1.0])), tmp_path / "in" / "case_0000.nii.gz")
    result = medarch.predict(tmp_path / "model", tmp_path / "in", tmp_path / "out", device="cpu")
    assert [row.status for row in result.cases] == ["done"], result
    labels = np.asarray(nib.load(result.cases[0].output).dataobj)
    assert labels.shape == volume.shape
    assert len(np.unique(labels)) > 1


def test_old_flat_plans_mean_the_same_as_new_ones(folder, tmp_path):
    net = architecture(features_per_stage=[4, 8, 10], n_conv_per_stage=[2, 2, 2])
    write_folder(folder, plans({"3d_fullres": configuration(net)}))
    medarch.import_model(folder, tmp_path / "new")
    old = configuration(net)
    settings = old.pop("architecture")["arch_kwargs"]
    old |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 10,
        "n_conv_per_stage_encoder": settings["n_conv_per_stage"],
        "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": settings["strides"],
        "conv_kernel_sizes": settings["kernel_sizes"],
    }
    content = plans({"3d_fullres": old})
    content["foreground_intensity_properties_by_modality"] = content.pop("foreground_intensity_properties_per_channel")
    (folder / "plans.json").write_text(json.dumps(content))
    medarch.import_model(folder, tmp_path / "old")
    assert (tmp_path / "old" / "plan.json").read_text() == (tmp_path / "new" / "plan.json").read_text()


def test_a_configuration_inherits_through_a_chain_and_keeps_what_it_overrides(folder, tmp_path):
    chain = {
        "3d_fullres": {"inherits_from": "middle", "spacing": [3.0, 1.0, 1.0]},
        "middle": {"inherits_from": "base", "batch_size": 9, "spacing": [9.0, 9.0, 9.0]},
        "base": configuration(),
    }
    content = plans({"3d_fullres": configuration()})
    write_folder(folder, content)
    (folder / "plans.json").write_text(json.dumps(plans(chain)))
    medarch.import_model(folder, tmp_path / "model")
    _, found = plan_of(tmp_path / "model")
    assert (found.batch_size, found.preprocessing.spacing_mm) == (9, (3.0, 1.0, 1.0))
    chain["base"] = {"inherits_from": "middle"}
    (folder / "plans.json").write_text(json.dumps(plans(chain)))
    with pytest.raises(ModelError, match="inherits from itself"):
        medarch.import_model(folder, tmp_path / "other")


def test_regions_and_the_ignore_label_are_kept(folder, tmp_path):
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4}
    dataset = DATASET | {"labels": labels, "regions_class_order": [1, 2, 3]}
    write_folder(folder, plans(), dataset=dataset, heads=3)
    result = medarch.import_model(folder, tmp_path / "model")
    assert result.classes == ("whole", "core", "enhancing")
    plan, found = plan_of(tmp_path / "model")
    assert plan.labels.regions_class_order == (1, 2, 3)
    assert plan.labels.ignore_value == 4
    assert found.network.heads == 3


def test_a_wrapped_network_is_unwrapped(folder, tmp_path):
    theirs = write_folder(folder, plans())

    def wrap(content):
        content["network_weights"] = {"module." + name: value for name, value in content["network_weights"].items()}

    rewrite(folder, wrap)
    medarch.import_model(folder, tmp_path / "model")
    x, [ours] = logits(tmp_path / "model", (1, 8, 16, 16))
    with torch.no_grad():
        torch.testing.assert_close(ours, theirs["0"].double()(x), atol=1e-5, rtol=0)


ALTERED = {
    "two different tensors": lambda w: w.update({"decoder.encoder.stages.0.0.convs.0.conv.bias": torch.ones(4)}),
    "missing": lambda w: [w.pop(name) for name in list(w) if name.startswith("decoder.transpconvs.0.bias")],
    "unknown tensor": lambda w: w.update({"decoder.attention.weight": torch.zeros(1)}),
    "without a place": lambda w: w.update({"decoder.seg_layers.7.weight": torch.zeros(1)}),
    "of shape": lambda w: w.update({"decoder.seg_layers.1.bias": torch.zeros(9)}),
}


@pytest.mark.parametrize(("message", "alter"), ALTERED.items(), ids=ALTERED)
def test_weights_load_strictly(folder, tmp_path, message, alter):
    write_folder(folder, plans())

    def change(content):
        # Tensors of their own, as in a file whose copies were written one by one.
        content["network_weights"] = {name: value.clone() for name, value in content["network_weights"].items()}

    rewrite(folder, change)
    medarch.import_model(folder, tmp_path / "unaltered")
    rewrite(folder, lambda content: alter(content["network_weights"]))
    with pytest.raises(ModelError, match=message):
        medarch.import_model(folder, tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "unaltered"]


def test_mirror_axes_come_from_the_checkpoint_and_none_means_none(folder, tmp_path):
    write_folder(folder, plans(), mirror=(0, 1))
    assert medarch.import_model(folder, tmp_path / "some").mirror_axes == (0, 1)
    assert plan_of(tmp_path / "some")[1].inference.mirror_axes == (0, 1)
    rewrite(folder, lambda content: content.update(inference_allowed_mirroring_axes=None))
    assert medarch.import_model(folder, tmp_path / "none").mirror_axes == ()
    rewrite(folder, lambda content: content.pop("inference_allowed_mirroring_axes"))
    medarch.import_model(folder, tmp_path / "unknown")
    assert plan_of(tmp_path / "unknown")[1].inference.mirror_axes == ()
    rewrite(folder, lambda content: content.update(inference_allowed_mirroring_axes=(0, 3)))
    with pytest.raises(ModelError, match="axes that are not there"):
        medarch.import_model(folder, tmp_path / "wrong")


class TestFoldsAndCheckpoints:
    def test_all_is_taken_only_when_alone_or_named(self, folder, tmp_path):
        write_folder(folder, plans(), folds=("all",))
        assert medarch.import_model(folder, dry_run=True).folds == ("all",)
        write_folder(folder, plans(), folds=(1, 0))
        assert medarch.import_model(folder, dry_run=True).folds == ("0", "1")
        assert medarch.import_model(folder, folds=["all"], dry_run=True).folds == ("all",)

    def test_best_stands_in_for_final_with_a_warning_only_when_no_fold_has_it(self, folder, caplog):
        write_folder(folder, plans(), folds=(0, 1), files=("best",))
        with caplog.at_level(logging.WARNING):
            assert medarch.import_model(folder, dry_run=True).checkpoint == "best"
        assert "checkpoint_best.pth is imported" in caplog.text
        with pytest.raises(ModelError, match=r"checkpoint_final\.pth"):
            medarch.import_model(folder, checkpoint="final", dry_run=True)
        caplog.clear()
        write_folder(folder, plans(), folds=(1,), files=("final",))
        assert medarch.import_model(folder, dry_run=True).folds == ("1",)
        assert caplog.text == ""
        with pytest.raises(ModelError, match="fold 0, 1"):
            medarch.import_model(folder, folds=["0", "1"], dry_run=True)
        assert medarch.import_model(folder, folds=["0", "1"], checkpoint="best", dry_run=True).folds == ("0", "1")

    def test_folds_of_another_trainer_are_refused(self, folder, tmp_path):
        write_folder(folder, plans(), folds=(0,))
        write_folder(folder, plans(), folds=(1,), trainer="nnUNetTrainer_5epochs")
        with pytest.raises(ModelError, match="belongs to another model"):
            medarch.import_model(folder, tmp_path / "model")


def with_network(**changes):
    return {"3d_fullres": configuration() | {"architecture": architecture(**changes)}}


def with_changes(**changes):
    return {"3d_fullres": configuration(**changes)}


def with_resampling(stage, name="resample_data_or_seg_to_shape", **kwargs):
    entry = configuration()
    entry[f"resampling_fn_{stage}"] = name
    entry[f"resampling_fn_{stage}_kwargs"] = entry[f"resampling_fn_{stage}_kwargs"] | kwargs
    return {"3d_fullres": entry}


def class_named(name):
    return {"3d_fullres": configuration(architecture() | {"network_class_name": name})}


REFUSED = {
    "my.own.PlainConvUNet": plans(class_named("my.own.PlainConvUNet")),
    "ResidualUNet": plans(class_named("dynamic_network_architectures.architectures.unet.ResidualUNet")),
    "BatchNorm3d": plans(with_network(norm_op="torch.nn.BatchNorm3d")),
    "Conv2d": plans(with_network(conv_op="torch.nn.Conv2d")),
    "torch.nn.ReLU": plans(with_network(nonlin="torch.nn.ReLU")),
    "negative_slope": plans(with_network(nonlin_kwargs={"negative_slope": 0.2})),
    "norm_op_kwargs": plans(with_network(norm_op_kwargs={"eps": 1e-3, "affine": True})),
    "nonlin_first = True": plans(with_network(nonlin_first=True)),
    "BottleneckD": plans(with_network(kind="ResidualEncoderUNet", block="x.BottleneckD")),
    "stem_channels = 9": plans(with_network(kind="ResidualEncoderUNet", stem_channels=9)),
    "squeeze_excitation": plans(with_network(kind="ResidualEncoderUNet", squeeze_excitation=True)),
    "MyPreprocessor": plans(with_changes(preprocessor_name="MyPreprocessor")),
    "MyNormalization": plans(with_changes(normalization_schemes=["MyNormalization"])),
    "normalization_schemes": plans(with_changes(normalization_schemes=["CTNormalization"] * 2)),
    "intensity statistics": plans(
        with_changes(normalization_schemes=["CTNormalization"]), foreground_intensity_properties_per_channel={}
    ),
    "Tiff3DIO": plans(image_reader_writer="Tiff3DIO"),
    "MyManager": plans(label_manager="MyManager"),
    "transpose_forward": plans(transpose_forward=[0, 0, 1]),
    "spacing": plans(with_changes(spacing=[1.0, 0.0, 1.0])),
    "resample_on_the_moon": plans(with_resampling("probabilities", "resample_on_the_moon")),
    "resample_torch_simple": plans(with_resampling("data", "resample_torch_simple")),
    "cval": plans(with_resampling("data", cval=3)),
    "one rule for the coarse axis": plans(with_resampling("data", order_z=1)),
    "order=7": plans(with_resampling("data", order=7)),
    "is_seg": plans(with_resampling("seg", is_seg=False)),
    "resampling of labels": plans(with_resampling("seg", order=3)),
    "not complete": plans({"3d_fullres": {k: v for k, v in configuration().items() if k != "batch_size"}}),
    "no configuration": plans({"2d": configuration()}),
    "describes no network": plans({"3d_fullres": {k: v for k, v in configuration().items() if k != "architecture"}}),
}


@pytest.mark.parametrize(("name", "content"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_reproduced_is_refused_by_name(folder, tmp_path, name, content):
    write_folder(folder, plans())
    (folder / "plans.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=name):
        medarch.import_model(folder, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize("content", ["[]", "{}", "null", "{", '{"configurations": []}'])
def test_plans_that_are_no_plans_are_a_clear_error(folder, tmp_path, content):
    write_folder(folder, plans())
    (folder / "plans.json").write_text(content)
    with pytest.raises((ModelError, DatasetError), match=r"plans\.json"):
        medarch.import_model(folder, tmp_path / "model")


@pytest.mark.parametrize("trainer", ["nnUNetTrainerBN", "nnUNet_Primus_M_Trainer", "nnUNet_PrimusV3S_Trainer"])
def test_a_trainer_with_another_network_is_refused_even_when_trusted(folder, tmp_path, trainer):
    write_folder(folder, plans(), trainer=trainer)
    with pytest.raises(ModelError, match=trainer):
        medarch.import_model(folder, tmp_path / "model", trust_trainer=trainer)


def test_an_unknown_trainer_is_refused_until_it_is_trusted_by_name(folder, tmp_path):
    write_folder(folder, plans(), trainer="nnUNetTrainer_ofMine")
    with pytest.raises(ModelError, match="--trust-trainer nnUNetTrainer_ofMine"):
        medarch.import_model(folder, tmp_path / "model")
    with pytest.raises(ModelError, match="nnUNetTrainer_ofMine"):
        medarch.import_model(folder, tmp_path / "model", trust_trainer="nnUNetTrainer_ofOthers")
    assert medarch.import_model(folder, tmp_path / "model", trust_trainer="nnUNetTrainer_ofMine").trainer


TRAINERS = ["nnUNetTrainer_250epochs", "nnUNetTrainer_4000epochs_NoMirroring", "nnUNetTrainerNoDeepSupervision"]


@pytest.mark.parametrize("trainer", [*TRAINERS, "nnUNetTrainer_onlyMirror01_DA5", "nnUNetTrainerAdanCosAnneal"])
def test_trainers_that_change_only_the_training_are_imported(folder, tmp_path, trainer):
    write_folder(folder, plans(), trainer=trainer)
    medarch.import_model(folder, tmp_path / "model")
    found = plan_of(tmp_path / "model")[1]
    assert found.network.deep_supervision == (trainer != "nnUNetTrainerNoDeepSupervision")


class TestPreprocessing:
    def recipe(self, folder, tmp_path, content, **options):
        write_folder(folder, content, **options)
        medarch.import_model(folder, tmp_path / "model")
        return plan_of(tmp_path / "model")[1].preprocessing

    @pytest.mark.parametrize(
        ("transpose", "axes"), [([0, 1, 2], (2, 1, 0)), ([2, 0, 1], (0, 2, 1)), ([1, 0, 2], (1, 2, 0))]
    )
    def test_the_transposition_applies_to_z_y_x(self, folder, tmp_path, transpose, axes):
        assert self.recipe(folder, tmp_path, plans(transpose_forward=transpose)).axes == axes

    @pytest.mark.parametrize(
        ("reader", "orientation"),
        [
            ("SimpleITKIO", None),
            ("NibabelIO", None),
            ("NaturalImage2DIO", None),
            ("NibabelIOWithReorient", "RAS"),
            ("SimpleITKIOWithReorient", "RAS"),
        ],
    )
    def test_readers_that_turn_images_turn_them_to_ras(self, folder, tmp_path, reader, orientation):
        assert self.recipe(folder, tmp_path, plans(image_reader_writer=reader)).orientation == orientation

    def test_slices_of_2d_keep_their_distance(self, folder, tmp_path):
        recipe = self.recipe(folder, tmp_path, plans({"3d_fullres": configuration(FLAT)}), mirror=(0, 1))
        assert recipe.spacing_mm == (None, 1.5, 1.25)

    def test_normalisation_keeps_statistics_and_mask_where_they_count(self, folder, tmp_path):
        names = ["CTNormalization", "ZScoreNormalization", "NoNormalization"]
        names += ["RescaleTo01Normalization", "RGBTo01Normalization"]
        content = plans(with_changes(normalization_schemes=names, use_mask_for_norm=[True] * 5))
        channels = {str(number): f"c{number}" for number in range(5)}
        found = self.recipe(folder, tmp_path, content, dataset=DATASET | {"channel_names": channels}, n_in=5)
        schemes = [(channel.scheme, channel.inside_mask) for channel in found.normalisation]
        assert schemes == [
            ("ct", False),
            ("zscore", True),
            ("none", False),
            ("rescale_to_0_1", False),
            ("rgb_to_0_1", False),
        ]
        assert found.normalisation[0].statistics.percentile_99_5 == 180.0

    @pytest.mark.parametrize(
        ("kwargs", "ratio"),
        [
            ({"force_separate_z": None}, 3.0),
            ({"force_separate_z": None, "separate_z_anisotropy_threshold": 5}, 5.0),
            ({"force_separate_z": True}, 0.0),
            ({"force_separate_z": False}, 1e9),
        ],
    )
    def test_the_coarse_axis_is_resampled_apart_as_the_plans_say(self, folder, tmp_path, kwargs, ratio):
        entry = configuration()
        for stage in ("data", "seg", "probabilities"):
            entry[f"resampling_fn_{stage}_kwargs"] |= kwargs | {"order_z": 1}
        recipe = self.recipe(folder, tmp_path, plans({"3d_fullres": entry}))
        assert (recipe.separate_plane_ratio, recipe.coarse_order) == (ratio, 1)
        assert (recipe.image_order, recipe.label_order, recipe.score_order) == (3, 1, 1)

    def test_missing_arguments_are_nnunets_defaults(self, folder, tmp_path):
        entry = configuration(resampling_fn_data_kwargs={}, resampling_fn_seg_kwargs={"is_seg": True, "order": 0})
        entry["resampling_fn_probabilities_kwargs"] = {}
        recipe = self.recipe(folder, tmp_path, plans({"3d_fullres": entry}))
        # Without force_separate_z nnU-Net's function never resamples an axis apart.
        assert (recipe.image_order, recipe.score_order, recipe.separate_plane_ratio) == (3, 3, 1e9)

    def test_resampling_with_torch_is_linear(self, folder, tmp_path):
        entry = configuration()
        for stage in ("data", "seg", "probabilities"):
            entry[f"resampling_fn_{stage}"] = "resample_torch_fornnunet"
            entry[f"resampling_fn_{stage}_kwargs"] = {
                "is_seg": stage == "seg",
                "force_separate_z": False,
                "memefficient_seg_resampling": False,
                "num_threads": 4,
            }
        recipe = self.recipe(folder, tmp_path, plans({"3d_fullres": entry}))
        assert (recipe.image_order, recipe.label_order, recipe.score_order) == (1, 1, 1)
        assert recipe.separate_plane_ratio == 1e9

    def test_no_resampling_keeps_every_axis(self, folder, tmp_path):
        entry = configuration()
        for stage in ("data", "seg", "probabilities"):
            entry[f"resampling_fn_{stage}"] = "no_resampling_hack"
            entry[f"resampling_fn_{stage}_kwargs"] = {}
        recipe = self.recipe(folder, tmp_path, plans({"3d_fullres": entry}))
        assert recipe.spacing_mm == (None, None, None)


class TestCascade:
    LOWRES = NAME.replace("3d_fullres", "3d_lowres")
    FULL = NAME.replace("3d_fullres", "3d_cascade_fullres")

    @pytest.fixture
    def stages(self, folder):
        content = plans(
            {
                "3d_lowres": configuration(next_stage="3d_cascade_fullres", spacing=[4.0, 3.0, 3.0]),
                "3d_fullres": configuration(),
                "3d_cascade_fullres": {
                    "inherits_from": "3d_fullres",
                    "previous_stage": "3d_lowres",
                    "architecture": architecture(),
                },
            }
        )
        # Two labels: two more input channels.
        write_folder(folder.with_name(self.FULL), content, name="3d_cascade_fullres", n_in=3)
        return folder.with_name(self.FULL), folder.with_name(self.LOWRES), content

    def test_the_earlier_stage_is_imported_into_the_folder(self, stages, tmp_path):
        full, low, content = stages
        write_folder(low, content, name="3d_lowres", folds=(0, 1))
        result = medarch.import_model(full, tmp_path / "model")
        assert result.previous_stage.configuration == "3d_lowres"
        model = load_model(tmp_path / "model")
        assert model.configuration.network.in_channels == 3
        assert model.configuration.previous_stage == "3d_lowres"
        assert model.previous.configuration.next_stage == "3d_cascade_fullres"
        assert ModelInfo.load(tmp_path / "model" / "previous_stage" / "model.json").folds == ("0", "1")

    def test_without_the_earlier_stage_a_warning_says_what_prediction_needs(self, stages, tmp_path, caplog):
        with caplog.at_level(logging.WARNING):
            result = medarch.import_model(stages[0], tmp_path / "model")
        assert "--previous-stage-predictions" in caplog.text
        assert (result.needs_previous_stage, result.previous_stage) == ("3d_lowres", None)
        assert not (tmp_path / "model" / "previous_stage").exists()

    def test_the_earlier_stage_can_be_given(self, stages, tmp_path):
        full, low, content = stages
        write_folder(tmp_path / "elsewhere" / low.name, content, name="3d_lowres")
        result = medarch.import_model(full, tmp_path / "model", previous_stage=tmp_path / "elsewhere")
        assert result.previous_stage.folds == ("0",)

    def test_another_model_is_no_earlier_stage(self, stages, folder, tmp_path):
        full, low, content = stages
        other = DATASET | {"labels": {"background": 0, "a": 1, "b": 2}}
        write_folder(low, content, name="3d_lowres", dataset=other)
        with pytest.raises(ModelError, match="not the earlier stage"):
            medarch.import_model(full, tmp_path / "model")
        write_folder(folder, content)
        with pytest.raises(ModelError, match="no configuration '3d_lowres'"):
            medarch.import_model(full, tmp_path / "model", previous_stage=folder)
        with pytest.raises(UsageError, match="no previous stage"):
            medarch.import_model(folder, tmp_path / "model", previous_stage=low)


class TestPostprocessing:
    CONTENT = {
        "input_folder": {"foreground_mean": {"Dice": 0.8}},
        "postprocessed": {"foreground_mean": {"Dice": 0.85}},
        "postprocessing_fns": ["remove_all_but_largest_component_from_segmentation"] * 3,
        "postprocessing_kwargs": [
            {"labels_or_regions": [1, 2]},
            {"labels_or_regions": 2},
            {"labels_or_regions": [[1, 2], 1]},
        ],
    }

    def write(self, folder, name, content):
        results = folder / f"crossval_results_folds_{name}"
        results.mkdir()
        (results / "postprocessing.json").write_text(json.dumps(content))
        (results / "postprocessing.pkl").write_bytes(b"cbuiltins\nexec\n(Vraise SystemExit\ntR.")

    def test_steps_of_exactly_these_folds_are_taken_from_the_json(self, folder, tmp_path):
        from medarch.core.postprocessing import Postprocessing

        write_folder(folder, plans(), folds=(0, 1))
        self.write(folder, "0_1", self.CONTENT)
        self.write(folder, "0_1_2", self.CONTENT | {"postprocessing_fns": [], "postprocessing_kwargs": []})
        result = medarch.import_model(folder, tmp_path / "model")
        assert result.postprocessing == ((1, 2), (2,), (1, 2))
        saved = Postprocessing.load(tmp_path / "model" / "postprocessing.json")
        assert (saved.dsc_before, saved.dsc_after) == (0.8, 0.85)

    def test_steps_of_other_folds_are_left_and_the_log_says_so(self, folder, tmp_path, caplog):
        write_folder(folder, plans(), folds=(0, 1))
        self.write(folder, "0_1", self.CONTENT)
        with caplog.at_level(logging.INFO):
            assert medarch.import_model(folder, tmp_path / "model", folds=["0"]).postprocessing is None
        assert "no postprocessing for folds 0" in caplog.text
        assert not (tmp_path / "model" / "postprocessing.json").exists()

    @pytest.mark.parametrize(
        ("change", "message"),
        [({"postprocessing_fns": ["fill_holes"] * 3}, "fill_holes"), ({"input_folder": {}}, "no postprocessing")],
    )
    def test_an_unknown_step_is_refused_by_name(self, folder, tmp_path, change, message):
        write_folder(folder, plans(), folds=(0, 1))
        self.write(folder, "0_1", self.CONTENT | change)
        with pytest.raises(ModelError, match=message):
            medarch.import_model(folder, tmp_path / "model")


class TestWriting:
    def test_an_existing_folder_is_replaced_only_when_asked_and_only_a_model(self, folder, tmp_path):
        write_folder(folder, plans())
        target = tmp_path / "model"
        medarch.import_model(folder, target)
        (target / "stale.txt").write_text("old")
        with pytest.raises(UsageError, match="--overwrite"):
            medarch.import_model(folder, target)
        assert (target / "stale.txt").exists()
        medarch.import_model(folder, target, overwrite=True)
        assert not (target / "stale.txt").exists()
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "chapter.tex").write_text("precious")
        with pytest.raises(UsageError, match="no model folder"):
            medarch.import_model(folder, tmp_path / "thesis", overwrite=True)
        assert (tmp_path / "thesis" / "chapter.tex").read_text() == "precious"

    def test_a_failed_import_leaves_an_existing_model_as_it_was(self, folder, tmp_path):
        write_folder(folder, plans(), folds=(0, 1))
        medarch.import_model(folder, tmp_path / "model")
        before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
        broken = folder / "fold_1" / "checkpoint_final.pth"
        broken.write_bytes(broken.read_bytes()[:1000])
        with pytest.raises(ModelError, match="fold_1"):
            medarch.import_model(folder, tmp_path / "model", overwrite=True)
        assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "results"]

    def test_a_dry_run_reads_everything_and_writes_nothing(self, folder, tmp_path, monkeypatch):
        write_folder(folder, plans())
        monkeypatch.chdir(tmp_path)
        result = medarch.import_model(folder, dry_run=True)
        assert result.output is None
        assert [path.name for path in tmp_path.iterdir()] == ["results"]
        rewrite(folder, lambda content: content["network_weights"].pop("decoder.seg_layers.0.bias"))
        with pytest.raises(ModelError, match="missing"):
            medarch.import_model(folder, dry_run=True)

    def test_the_default_output_is_named_after_dataset_and_configuration(self, folder, tmp_path, monkeypatch):
        write_folder(folder, plans())
        monkeypatch.chdir(tmp_path)
        assert medarch.import_model(folder).output.name == "Dataset777_Test_3d_fullres"
        assert (tmp_path / "Dataset777_Test_3d_fullres" / "model.json").exists()

    def test_the_folder_tells_where_it_comes_from_and_names_no_path(self, folder, tmp_path):
        write_folder(folder, plans(), dataset=DATASET | {"licence": "CC-BY-SA 4.0"})
        medarch.import_model(folder, tmp_path / "model")
        card = (tmp_path / "model" / "MODEL_CARD.md").read_text()
        assert NAME in card
        assert "CC-BY-SA 4.0" in card
        dataset = Dataset.load(tmp_path / "model" / "dataset.json")
        assert (dataset.cases, dataset.num_training) == ((), 7)
        texts = [path.read_text() for path in (tmp_path / "model").iterdir() if path.suffix in (".json", ".md")]
        assert not any(str(tmp_path) in text for text in texts)


def paths_of(value, path=()):
    """Every place in a JSON document."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths_of(child, (*path, key))


def with_replaced(value, path, new):
    """The document with ``new`` in one place, or that place removed where ``new`` is ``...``."""
    if not path:
        return {} if new is ... else new
    copy = value.copy()
    if new is ... and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = with_replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("file", ["plans.json", "dataset.json"])
def test_whatever_stands_in_the_json_files_the_error_is_a_typed_one(folder, file):
    write_folder(folder, plans({"3d_fullres": configuration(normalization_schemes=["CTNormalization"])}))
    original = json.loads((folder / file).read_text())
    told = 0
    for number, path in enumerate(paths_of(original)):
        # Every place is removed, and filled with one kind of nonsense.
        for new in (..., (None, "x", [], {}, -1, 2.5)[number % 6]):
            (folder / file).write_text(json.dumps(with_replaced(original, path, new)))
            try:
                read_nnunet_model(folder)
            except (ModelError, DatasetError):
                told += 1
    assert told > (50 if file == "plans.json" else 5)
