"""From a trained nnU-Net v2 model to a medarch model folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from medarch.core.errors import ModelError, UsageError
from medarch.core.files import atomic_path, write_text
from medarch.core.record import Record
from medarch.inference.load_model import PREVIOUS_STAGE
from medarch.inference.model_folder import ModelInfo, weights_name
from medarch.interop.atomic_folder import atomic_folder
from medarch.interop.find_checkpoints import CheckpointName
from medarch.interop.imported_model_card import imported_model_card
from medarch.interop.nnunet_model import NnunetModel, read_nnunet_model
from medarch.interop.open_model_source import open_model_source, sibling_configuration

log = logging.getLogger(__name__)


class ImportedModel(Record):
    """What was imported, or would be."""

    output: Path | None
    """The model folder; None after a dry run."""
    dataset: str
    configuration: str
    trainer: str
    checkpoint: str
    folds: tuple[str, ...]
    architecture: str
    features: tuple[int, ...]
    patch_voxels: tuple[int, ...]
    spacing_mm: tuple[float | None, ...]
    axes: tuple[int, ...]
    orientation: str | None
    reader: str
    channels: tuple[str, ...]
    normalisation: tuple[str, ...]
    classes: tuple[str, ...]
    mirror_axes: tuple[int, ...]
    postprocessing: tuple[tuple[int, ...], ...] | None
    """Values whose largest component is kept, step by step; None where nnU-Net found none for these folds."""
    needs_previous_stage: str | None
    """Configuration that predicts first, in a cascade."""
    previous_stage: ImportedModel | None


def import_nnunet(
    source: Path,
    output: Path | None = None,
    *,
    configuration: str | None = None,
    folds: Sequence[str] | None = None,
    checkpoint: CheckpointName | None = None,
    previous_stage: Path | None = None,
    trust_trainer: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> ImportedModel:
    """Import a model that ``nnUNetv2_train`` wrote; nnU-Net itself is not needed and no pickle is executed.

    Args:
        source: a folder ``TRAINER__PLANS__CONFIGURATION``, a dataset's results folder, or an exported zip.
        output: the model folder to write; default ``DATASET_CONFIGURATION`` in the working directory.
        configuration: which one, where the source holds several.
        folds: default all numbered folds, or ``all`` where only that was trained.
        checkpoint: ``final`` or ``best``; default final, or best where there is no final one.
        previous_stage: source of a cascade's earlier stage; default the sibling of the model folder.
        trust_trainer: a trainer class that is known to train the network of the plans.
        overwrite: replace a model folder.
        dry_run: read and translate everything, write nothing.

    Raises:
        ModelError: the model is damaged or unsafe, or medarch cannot reproduce it; the message names what.
        DatasetError: its dataset.json is no good.
        UsageError: ``output`` is there already.
    """
    with open_model_source(source, configuration=configuration) as folder:
        model = read_nnunet_model(folder, folds=folds, checkpoint=checkpoint, trust_trainer=trust_trainer)
        target = output or Path(f"{model.dataset.name}_{model.configuration.name}")
        _require_free(target, overwrite=overwrite)
        earlier = _earlier_stage(model, previous_stage)
        if earlier is None:
            return _import(model, None, target, dry_run=dry_run)
        with open_model_source(earlier, configuration=model.configuration.previous_stage) as stage:
            before = read_nnunet_model(stage, folds=folds, checkpoint=checkpoint, trust_trainer=trust_trainer)
            _require_stage_of(before, model)
            return _import(model, before, target, dry_run=dry_run)


def _earlier_stage(model: NnunetModel, given: Path | None) -> Path | None:
    name = model.configuration.previous_stage
    if name is None:
        if given is not None:
            raise UsageError(
                f"{model.configuration.name} has no previous stage", found=str(given), fix="leave --previous-stage away"
            )
        return None
    found = given or sibling_configuration(model.folder, name)
    if found is None:
        log.warning(
            "no model of %s beside %s: `medarch predict` will need --previous-stage-predictions. Import again with "
            "--previous-stage to have both stages in one folder",
            name,
            model.folder.name,
        )
    return found


def _require_stage_of(before: NnunetModel, model: NnunetModel) -> None:
    if (before.plan.labels, before.plan.channels) != (model.plan.labels, model.plan.channels) or (
        before.configuration.name != model.configuration.previous_stage
    ):
        raise ModelError(
            f"{before.folder} is not the earlier stage of this cascade",
            expected=f"{model.configuration.previous_stage} with the same channels and labels",
            found=f"{before.configuration.name} with channels {', '.join(before.plan.channels)}",
            fix="give the model that the cascade was trained on",
        )


def _require_free(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        raise UsageError(f"{target} is there already", fix="give another OUTPUT, or --overwrite")
    if not (target / "model.json").exists() and any(target.iterdir()):
        raise UsageError(
            f"{target} is no model folder and is not overwritten",
            expected="a folder with model.json",
            found="another folder",
            fix="give another OUTPUT",
        )


def _import(model: NnunetModel, before: NnunetModel | None, target: Path, *, dry_run: bool) -> ImportedModel:
    if dry_run:
        for each in (model, before):
            for fold in each.checkpoints if each else ():
                each.weights(fold)  # type: ignore[union-attr]
    else:
        with atomic_folder(target) as folder:
            _write(model, folder)
            if before is not None:
                (folder / PREVIOUS_STAGE).mkdir()
                _write(before, folder / PREVIOUS_STAGE)
    inner = None if before is None else _summary(before, None, None)
    return _summary(model, None if dry_run else target, inner)


def _write(model: NnunetModel, folder: Path) -> None:
    from safetensors.torch import save_file

    for fold in model.checkpoints:
        with atomic_path(folder / weights_name(fold)) as temporary:
            save_file(model.weights(fold), temporary)
    model.plan.save(folder / "plan.json")
    model.dataset.save(folder / "dataset.json")
    if model.postprocessing is None:
        log.info("no postprocessing for folds %s of %s", ", ".join(model.checkpoints), model.folder.name)
    else:
        model.postprocessing.save(folder / "postprocessing.json")
    write_text(folder / "MODEL_CARD.md", imported_model_card(model))
    info = ModelInfo(configuration=model.configuration.name, folds=tuple(model.checkpoints), precision="float32")
    info.save(folder / "model.json")


def _summary(model: NnunetModel, output: Path | None, before: ImportedModel | None) -> ImportedModel:
    configuration, recipe = model.configuration, model.configuration.preprocessing
    return ImportedModel(
        output=output,
        dataset=model.dataset.name,
        configuration=configuration.name,
        trainer=model.trainer,
        checkpoint=next(iter(model.checkpoints.values())).stem.removeprefix("checkpoint_"),
        folds=tuple(model.checkpoints),
        architecture=configuration.network.architecture,
        features=configuration.network.features,
        patch_voxels=configuration.patch_voxels,
        spacing_mm=recipe.spacing_mm,
        axes=recipe.axes,
        orientation=recipe.orientation,
        reader=model.reader,
        channels=model.plan.channels,
        normalisation=tuple(channel.scheme for channel in recipe.normalisation),
        classes=model.plan.labels.foreground_names,
        mirror_axes=configuration.inference.mirror_axes,
        postprocessing=None if model.postprocessing is None else tuple(s.values for s in model.postprocessing.steps),
        needs_previous_stage=configuration.previous_stage,
        previous_stage=before,
    )
