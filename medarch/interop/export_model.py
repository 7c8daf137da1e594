"""A model folder as an nnU-Net v2 results folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medarch.core.dataset import Dataset
from medarch.core.errors import ModelError, PlanError, RecordError
from medarch.core.files import atomic_path, write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Configuration, Plan
from medarch.core.postprocessing import Postprocessing
from medarch.inference.load_model import PREVIOUS_STAGE, load_model
from medarch.inference.model_folder import ModelInfo
from medarch.interop.export_fingerprint import export_fingerprint
from medarch.interop.export_plans import export_plans
from medarch.interop.export_postprocessing import export_postprocessing
from medarch.interop.nnunet_dataset import USUAL_ENDING, export_dataset, file_ending, nnunet_dataset_name
from medarch.interop.nnunet_names import nnunet_names
from medarch.interop.nnunet_plans_name import nnunet_plans_name

TRAINER = "nnUNetTrainer"
"""The trainer that builds the network of the plans."""


@dataclass(frozen=True)
class _Stage:
    """A model folder, read."""

    folder: Path
    plan: Plan
    configuration: Configuration
    folds: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> _Stage:
        info = ModelInfo.load(folder / "model.json")
        plan = Plan.load(folder / "plan.json")
        return cls(folder, plan, plan.configuration(info.configuration), info.folds)


def export_model(model: Path, results: Path, *, number: int = 999) -> Path:
    """Write ``results/DatasetXXX_NAME/nnUNetTrainer__PLANS__CONFIGURATION`` for every stage of a model.

    Each holds plans.json, dataset.json, ``fold_K/checkpoint_final.pth``, and dataset_fingerprint.json and
    ``crossval_results_folds_*/postprocessing.{json,pkl}`` where the model has these. Checkpoints hold what prediction
    and fine-tuning need, not what going on with training would.

    Args:
        model: the model folder.
        results: as nnU-Net's ``nnUNet_results``.
        number: of the dataset, if its name has none.

    Returns:
        The folder of the last stage.

    Raises:
        PlanError: nnU-Net cannot express the plan; the message names what.
        ModelError: weights are missing or do not fit the plan.
    """
    stages = _stages(model)
    last = stages[-1]
    # One plans.json for all stages, as nnU-Net has it.
    configurations = {stage.configuration.name: _placed(stage, stages) for stage in stages}
    plan = last.plan.model_copy(update={"configurations": configurations})
    source, fingerprint = _beside(model, plan)
    folders = () if source is None else (source.root.name,)
    name, ending = nnunet_dataset_name(*folders, plan.dataset, number=number), _ending(source)
    plans = export_plans(plan, dataset_name=name, file_ending=ending, fingerprint=fingerprint)
    training = 0 if fingerprint is None else fingerprint.num_training
    dataset = export_dataset(plan.channels, plan.labels, name=plan.dataset, ending=ending, num_training=training)
    target = results
    for stage in stages:
        target = results / name / f"{TRAINER}__{nnunet_plans_name(plan)}__{stage.configuration.name}"
        _write_json(target / "plans.json", plans)
        _write_json(target / "dataset.json", dataset)
        if fingerprint is not None:
            orientation = stage.configuration.preprocessing.orientation
            _write_json(target / "dataset_fingerprint.json", export_fingerprint(fingerprint, orientation=orientation))
        for fold in stage.folds:
            _write_checkpoint(stage, fold, target, plans=plans, dataset=dataset)
        if (stage.folder / "postprocessing.json").exists():
            steps = Postprocessing.load(stage.folder / "postprocessing.json")
            export_postprocessing(steps, target / f"crossval_results_folds_{'_'.join(stage.folds)}")
    return target


def _stages(model: Path) -> list[_Stage]:
    """Return the stages of a cascade, first to last."""
    stages = [_Stage.load(model)]
    while (stages[0].folder / PREVIOUS_STAGE).is_dir():
        stages.insert(0, _Stage.load(stages[0].folder / PREVIOUS_STAGE))
    if earlier := stages[0].configuration.previous_stage:
        raise ModelError(
            f"{stages[0].configuration.name} cannot be exported without {earlier}",
            expected=f"a model folder {stages[0].folder / PREVIOUS_STAGE}",
            found="none",
            fix=f"copy the model of {earlier} there",
        )
    return stages


def _placed(stage: _Stage, stages: Sequence[_Stage]) -> Configuration:
    """Leave out a next stage that this model does not have."""
    names = {each.configuration.name for each in stages}
    configuration = stage.configuration
    return configuration if configuration.next_stage in names else configuration.model_copy(update={"next_stage": None})


def _beside(model: Path, plan: Plan) -> tuple[Dataset | None, Fingerprint | None]:
    """Dataset and fingerprint that the plan was made from, if the model still lies in its workspace."""
    home = model.absolute().parent.parent.parent
    try:
        fingerprint = Fingerprint.load(home / "fingerprint.json")
        dataset = Dataset.load(home / "dataset.json")
    except RecordError:
        return None, None
    return (dataset, fingerprint) if fingerprint.sha256() == plan.fingerprint_sha256 else (None, None)


def _ending(dataset: Dataset | None) -> str:
    try:
        return USUAL_ENDING if dataset is None else file_ending(dataset.cases)
    except PlanError:  # trained on files of several kinds, which new cases need not be
        return USUAL_ENDING


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=4) + "\n")


def _write_checkpoint(
    stage: _Stage, fold: str, target: Path, *, plans: dict[str, Any], dataset: dict[str, Any]
) -> None:
    import torch

    content = {
        "network_weights": _weights(stage, fold),
        "init_args": {
            "plans": plans,
            "configuration": stage.configuration.name,
            "fold": int(fold) if fold.isdigit() else fold,
            "dataset_json": dataset,
        },
        "trainer_name": TRAINER,
        # nnU-Net's None is "no mirroring"; it cannot take an empty tuple.
        "inference_allowed_mirroring_axes": stage.configuration.inference.mirror_axes or None,
    }
    with atomic_path(target / f"fold_{fold}" / "checkpoint_final.pth") as temporary:
        torch.save(content, temporary)


def _weights(stage: _Stage, fold: str) -> dict[str, Any]:
    """Return every tensor under each of its names; torch stores it once."""
    model = load_model(stage.folder, folds=[fold], precision="float32", previous_stage=False)
    tensors = {name: tensor.contiguous() for name, tensor in model.networks[0].state_dict().items()}
    network = stage.configuration.network
    return {each: tensor for name, tensor in tensors.items() for each in nnunet_names(name, network)}
