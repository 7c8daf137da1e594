"""A trained nnU-Net v2 model in medarch's words, its weights still in its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError
from medarch.core.plan import Configuration, InferencePlan, Plan
from medarch.core.postprocessing import Postprocessing
from medarch.interop.find_checkpoints import CheckpointName, find_checkpoints
from medarch.interop.nnunet_configuration import nnunet_configuration
from medarch.interop.nnunet_plans import resolve_configuration
from medarch.interop.nnunet_postprocessing import nnunet_postprocessing
from medarch.interop.nnunet_weights import medarch_weights
from medarch.interop.read_checkpoint import Checkpoint, read_checkpoint
from medarch.interop.require_stock_trainer import require_stock_trainer
from medarch.io.dataset_json import channel_names, dataset_name, label_scheme, load_json, stated_count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NnunetModel:
    """One configuration of a trained nnU-Net."""

    folder: Path
    trainer: str
    reader: str
    plan: Plan
    configuration: Configuration
    dataset: Dataset
    checkpoints: Mapping[str, Path]
    """Fold → file."""
    conv_bias: bool
    postprocessing: Postprocessing | None
    """Found by cross-validation over exactly these folds."""

    def weights(self, fold: str) -> dict[str, Tensor]:
        """Return the weights of a fold for medarch's network.

        Raises:
            ModelError: the checkpoint is unsafe, damaged, of another model, or does not fit the network.
        """
        checkpoint = read_checkpoint(self.checkpoints[fold])
        _require_same_model(checkpoint, self)
        return medarch_weights(checkpoint.weights, self.configuration.network, conv_bias=self.conv_bias)


def read_nnunet_model(
    folder: Path,
    *,
    folds: Sequence[str] | None = None,
    checkpoint: CheckpointName | None = None,
    trust_trainer: str | None = None,
) -> NnunetModel:
    """Read plans, dataset and the first checkpoint of a folder ``TRAINER__PLANS__CONFIGURATION``.

    Args:
        folder: the model folder.
        folds: default those nnU-Net would predict with.
        checkpoint: default final, or best where there is no final.
        trust_trainer: a trainer class that is known to train the stock network.

    Raises:
        ModelError: something is missing, or medarch cannot reproduce it; the message names it.
        DatasetError: dataset.json does not declare channels or labels.
    """
    checkpoints = find_checkpoints(folder, folds=folds, checkpoint=checkpoint)
    first = read_checkpoint(next(iter(checkpoints.values())))
    require_stock_trainer(first.trainer, trusted=trust_trainer)
    try:
        return _translate(folder, checkpoints, first)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"plans.json or dataset.json in {folder} is not complete",
            expected=f"everything that nnU-Net writes about configuration {first.configuration}",
            found=f"{type(error).__name__}: {error}"[:300],
            fix="use the files that were trained with",
        ) from error


def _translate(folder: Path, checkpoints: Mapping[str, Path], first: Checkpoint) -> NnunetModel:
    plans, meta = load_json(folder / "plans.json"), load_json(folder / "dataset.json")
    if plans.get("label_manager", "LabelManager") != "LabelManager":
        raise ModelError(
            f"label manager {plans['label_manager']} cannot be reproduced",
            expected="LabelManager",
            found=str(plans["label_manager"]),
            fix="predict with nnU-Net itself",
        )
    settings = resolve_configuration(plans, first.configuration)
    dataset = _dataset(plans, meta, folder)
    configuration = _configuration(plans, dataset, first)
    plan = Plan(
        name=str(plans.get("plans_name") or "nnUNetPlans"),
        preset="imported",
        dataset=dataset.name,
        channels=dataset.channels,
        labels=dataset.labels,
        fingerprint_sha256="",
        configurations={configuration.name: configuration},
        default=configuration.name,
    )
    return NnunetModel(
        folder=folder,
        trainer=first.trainer,
        reader=str(plans["image_reader_writer"]),
        plan=plan,
        configuration=configuration,
        dataset=dataset,
        checkpoints=checkpoints,
        conv_bias=bool(settings["architecture"]["arch_kwargs"].get("conv_bias", False)),
        postprocessing=nnunet_postprocessing(folder, tuple(checkpoints)),
    )


def _dataset(plans: Mapping[str, Any], meta: Mapping[str, Any], folder: Path) -> Dataset:
    path = folder / "dataset.json"
    return Dataset(
        name=dataset_name({"name": plans.get("dataset_name")}, folder.parent),
        root=Path(),
        layout="nnunet",
        channels=channel_names(meta.get("channel_names", meta.get("modality")), path),
        labels=label_scheme(meta, path),
        cases=(),
        num_training=stated_count(meta, path),
        licence=str(meta.get("licence") or meta.get("license") or ""),
    )


def _configuration(plans: Mapping[str, Any], dataset: Dataset, first: Checkpoint) -> Configuration:
    """The plans' configuration, with what only a checkpoint says: mirror axes, and the trainer's name."""
    planned = nnunet_configuration(
        plans, first.configuration, channels=len(dataset.channels), labels=dataset.labels,
        deep_supervision=first.trainer != "nnUNetTrainerNoDeepSupervision",
    )  # fmt: skip
    axes = _mirror_axes(first, planned.network.dim)
    augmentation = planned.training.augmentation.model_copy(update={"mirror_axes": axes})
    training = planned.training.model_copy(update={"augmentation": augmentation})
    return planned.model_copy(update={"training": training, "inference": InferencePlan(mirror_axes=axes)})


def _mirror_axes(checkpoint: Checkpoint, dim: int) -> tuple[int, ...]:
    axes = checkpoint.mirror_axes
    if any(not 0 <= axis < dim for axis in axes):
        raise ModelError(
            f"{checkpoint.path} mirrors along axes that are not there",
            expected=f"axes below {dim}",
            found=str(axes),
            fix="the checkpoint belongs to other plans than those in its folder",
        )
    return axes


def _require_same_model(checkpoint: Checkpoint, model: NnunetModel) -> None:
    mine = (model.configuration.name, model.trainer)
    if (checkpoint.configuration, checkpoint.trainer) != mine:
        raise ModelError(
            f"{checkpoint.path} belongs to another model",
            expected="configuration {} of {}".format(*mine),
            found=f"configuration {checkpoint.configuration} of {checkpoint.trainer}",
            fix="choose folds of one model with --folds",
        )
    if checkpoint.mirror_axes != model.configuration.inference.mirror_axes:
        log.warning(
            "%s names mirror axes %s; those of the first fold, %s, hold for all, as in nnU-Net",
            checkpoint.path,
            checkpoint.mirror_axes,
            model.configuration.inference.mirror_axes,
        )
