"""A folder of ``nnUNet_preprocessed`` in medarch's records, but for the voxels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError, ModelError, PlanError
from medarch.core.fingerprint import IntensityStatistics
from medarch.core.plan import Plan
from medarch.interop.export_plans import PLANNERS
from medarch.interop.nnunet_configuration import nnunet_configuration
from medarch.interop.nnunet_plans import resolve_configuration
from medarch.interop.read_prepared import prepared_file, prepared_ids, require_blosc2
from medarch.io.dataset_json import channel_names, dataset_name, label_scheme, load_json, load_splits, stated_count

GROUND_TRUTH = "gt_segmentations"
_PRESETS = {"ExperimentPlanner": "nnunet"} | {planner: preset for preset, planner in PLANNERS.items()}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preprocessed:
    """What nnU-Net knows of a dataset that it prepared."""

    folder: Path
    dataset: Dataset
    """Its cases are the prepared images of the first configuration, and the label maps as they were before."""
    intensities: tuple[IntensityStatistics, ...]
    median_relative_size: float
    plans: tuple[Plan, ...]
    """Without the fingerprint's hash."""
    folders: Mapping[tuple[str, str], Path]
    """Plan and configuration → folder with prepared cases; configurations that were not prepared are left out."""


def is_preprocessed(folder: Path) -> bool:
    """Whether a folder is one of ``nnUNet_preprocessed``, not one of a trained model, which holds the same files."""
    trained = any(folder.glob("fold_*/checkpoint_*.pth"))
    return not trained and (folder / "dataset_fingerprint.json").exists() and bool(_plans_files(folder))


def read_preprocessed(folder: Path) -> Preprocessed:
    """Read dataset, fingerprint, splits and every plans file.

    Raises:
        DatasetError: something is missing, or no configuration is prepared.
        PlanError: medarch can express none of the plans.
    """
    meta, measured = load_json(folder / "dataset.json"), load_json(folder / "dataset_fingerprint.json")
    labels, channels = label_scheme(meta, folder / "dataset.json"), _channels(meta, folder)
    sources = {str(content["plans_name"]): content for content in _plans_files(folder)}
    name = dataset_name({}, folder.resolve())
    plans = [plan for source in sources.values() if (plan := _plan(source, name, channels, labels))]
    if not plans:
        raise PlanError(f"no plan of {folder} can be expressed by medarch", fix="see the warnings above")
    folders = {
        (plan.name, key): place
        for plan in plans
        for key in plan.configurations
        if (place := _data_folder(folder, sources[plan.name], key)) is not None
    }
    cases = _cases(folder, next(iter(folders.values()), None), str(meta.get("file_ending", ".nii.gz")))
    if any(case.images[0].suffix == ".b2nd" for case in cases):
        require_blosc2()
    dataset = Dataset(
        name=name,
        root=folder.absolute(),
        layout="nnunet",
        channels=channels,
        labels=labels,
        cases=cases,
        splits=load_splits(folder / "splits_final.json", {case.id for case in cases}),
        num_training=stated_count(meta, folder / "dataset.json"),
        licence=str(meta.get("licence") or meta.get("license") or ""),
    )
    try:
        statistics = measured["foreground_intensity_properties_per_channel"]
        intensities = tuple(IntensityStatistics.model_validate(statistics[str(c)]) for c in range(len(channels)))
        relative = float(measured["median_relative_size_after_cropping"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{folder / 'dataset_fingerprint.json'} is not complete",
            expected="foreground_intensity_properties_per_channel, median_relative_size_after_cropping",
            found=f"{type(error).__name__}: {error}"[:300],
            fix="extract the fingerprint again with nnU-Net (v2.3 or later)",
        ) from error
    return Preprocessed(folder, dataset, intensities, relative, tuple(plans), folders)


def _plans_files(folder: Path) -> list[Mapping[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name in ("dataset.json", "dataset_fingerprint.json", "splits_final.json"):
            continue
        content = load_json(path)
        if isinstance(content, Mapping) and {"plans_name", "configurations"} <= content.keys():
            found.append(content)
    return found


def _channels(meta: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    return channel_names(meta.get("channel_names", meta.get("modality")), folder / "dataset.json")


def _plan(source: Mapping[str, Any], dataset: str, channels: tuple[str, ...], labels: Any) -> Plan | None:
    """Return the plan with the configurations that medarch can express; the others are warned of."""
    found = {}
    for name in source["configurations"]:
        try:
            found[name] = nnunet_configuration(source, name, channels=len(channels), labels=labels)
        except (ModelError, KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("%s of %s is left out: %s", name, source["plans_name"], error)
    whole = {key: each for key, each in found.items() if each.previous_stage in (None, *found)}
    if not whole:
        return None
    return Plan(
        name=str(source["plans_name"]),
        preset=_PRESETS.get(str(source.get("experiment_planner_used")), "imported"),
        dataset=dataset,
        channels=channels,
        labels=labels,
        fingerprint_sha256="",
        configurations=whole,
        default="3d_fullres" if "3d_fullres" in whole else next(iter(whole)),
    )


def _data_folder(folder: Path, source: Mapping[str, Any], name: str) -> Path | None:
    place = folder / str(resolve_configuration(source, name)["data_identifier"])
    return place if place.is_dir() and prepared_ids(place) else None


def _cases(folder: Path, prepared: Path | None, ending: str) -> tuple[Case, ...]:
    if prepared is None:
        raise DatasetError(
            f"nothing is prepared in {folder}",
            expected="folders such as nnUNetPlans_3d_fullres with CASE.b2nd and CASE_seg.b2nd",
            found="none",
            fix="run nnUNetv2_preprocess, or use the raw dataset",
        )
    cases = []
    for case in sorted(prepared_ids(prepared)):
        image, label = prepared_file(prepared, case), folder / GROUND_TRUTH / f"{case}{ending}"
        if image is None or not label.exists():
            raise DatasetError(
                f"case {case} has no label map to be measured by",
                expected=str(label),
                found="no such file",
                fix=f"copy labelsTr of the raw dataset to {folder / GROUND_TRUTH}",
            )
        cases.append(Case(id=case, images=(image.absolute(),), label=label.absolute()))
    return tuple(cases)
