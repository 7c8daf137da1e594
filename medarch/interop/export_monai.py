"""A model as a MONAI bundle."""

from __future__ import annotations

import importlib.metadata
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medarch.core.errors import PlanError, UsageError
from medarch.core.files import write_text
from medarch.core.labels import LabelScheme
from medarch.inference.model_folder import ModelFolder
from medarch.inference.window import Window
from medarch.interop.atomic_folder import atomic_folder
from medarch.interop.exported_network import ExportedNetwork, networks_of, random_tiles
from medarch.interop.monai_preprocessing import FIX, monai_preprocessing

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
UNKNOWN = "not stated"


def export_monai(folder: Path, target: Path, *, folds: Sequence[str] | None = None) -> Path:
    """Write the bundle ``target``, whole or not at all; medarch is not needed to run it.

    ``models/model.ts`` is TorchScript: the mean logits of all folds and of the plan's mirrored copies, on tiles with
    the axes of the image file. ``configs/inference.json`` spells the rest in MONAI's transforms and inferers.

    Raises:
        PlanError: MONAI cannot express the plan; the message names what.
        ModelError: the folder is incomplete, or lacks a fold.
        UsageError: the target exists.
    """
    if target.exists():
        raise UsageError(f"{target} exists", expected="a new name", fix="choose another output, or move that away")
    model, networks = networks_of(folder, folds)
    configuration = model.configuration
    if configuration.network.dim != 3:
        raise PlanError("bundles are written of 3D networks only", expected="3D", found=configuration.name, fix=FIX)
    recipe = configuration.preprocessing
    transforms = monai_preprocessing(recipe, channels=configuration.network.in_channels)
    window = Window(configuration.patch_voxels, configuration.inference.step, configuration.inference.mirror_axes)
    patch = [configuration.patch_voxels[recipe.axes.index(axis)] for axis in range(3)]
    network = ExportedNetwork(networks, flips=window.flips, axes=recipe.axes).eval()
    with atomic_folder(target) as new:
        for name in ("configs", "models", "docs"):
            (new / name).mkdir()
        _write_script(network, model, new / "models" / "model.ts")
        _write_json(new / "configs" / "metadata.json", _metadata(model, patch))
        _write_json(new / "configs" / "inference.json", _inference(model, transforms, patch, window))
        model.plan.save(new / "configs" / "plan.json")
        write_text(new / "docs" / "README.md", _readme(model, folder))
        write_text(new / "LICENSE", f"Licence of these weights: {UNKNOWN}. Ask who trained them.\n")
    return target


def _write_script(network: ExportedNetwork, model: ModelFolder, path: Path) -> None:
    axes = model.configuration.preprocessing.axes
    tiles = random_tiles(model, 2).permute(0, 1, *(2 + axes.index(axis) for axis in range(3)))
    with torch.no_grad(), warnings.catch_warnings():
        # torch warns of branches that a trace does not follow (they hang on the patch), and that scripts are old.
        warnings.simplefilter("ignore")
        torch.jit.trace(network, (tiles,), check_trace=False).save(str(path))  # type: ignore[no-untyped-call]


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def _metadata(model: ModelFolder, patch: Sequence[int]) -> dict[str, Any]:
    plan, network = model.plan, model.configuration.network
    values = [0.0, 1.0]
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": UNKNOWN,
        "num_channels": network.in_channels,
        "spatial_shape": list(patch),
        "dtype": "float32",
        "value_range": values,
        "is_patch_data": True,
        "channel_def": {str(number): name for number, name in enumerate(plan.channels)},
    }
    names = plan.labels.foreground_names if plan.labels.has_regions else _class_names(plan.labels)
    prediction = image | {
        "format": "segmentation",
        "num_channels": network.heads,
        "channel_def": {str(number): name for number, name in enumerate(names)},
    }
    del prediction["modality"]
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": "exported by medarch"},
        "monai_version": importlib.metadata.version("monai"),
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": importlib.metadata.version("numpy"),
        "required_packages_version": {"nibabel": importlib.metadata.version("nibabel")},
        "name": plan.dataset,
        "task": f"Segmentation of {plan.dataset}",
        "description": f"Configuration {model.configuration.name} of plan {plan.name}, folds {', '.join(model.folds)}.",
        "authors": UNKNOWN,
        "copyright": UNKNOWN,
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": prediction}},
    }


def _class_names(labels: LabelScheme) -> list[str]:
    by_value = {labels.members(name)[0]: name for name in labels.labels}
    return [by_value.get(value, str(value)) for value in labels.values if value != labels.ignore_value]


def _inference(
    model: ModelFolder, transforms: list[dict[str, Any]], patch: Sequence[int], window: Window
) -> dict[str, Any]:
    channels = model.configuration.network.in_channels
    files = "sorted(glob.glob(@dataset_dir + '/*.nii*'))"
    cases = (
        f"[{{'image': path}} for path in {files}]"
        if channels == 1
        else "[{'image': list(files)} for _, files in itertools.groupby("
        f"{files}, key=lambda path: path.rsplit('_', 1)[0])]"
    )
    return {
        "imports": ["$import functools", "$import glob", "$import itertools", "$import numpy as np", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/predictions'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": "$torch.jit.load(@bundle_root + '/models/model.ts', map_location=@device)",
        "network": "$@network_def.to(@device).eval()",
        "preprocessing": {"_target_": "Compose", "transforms": transforms},
        "dataset": {"_target_": "Dataset", "data": f"${cases}", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(patch),
            "sw_batch_size": 1,
            "overlap": 1 - window.step,
            "mode": "gaussian",
            "sigma_scale": 0.125,
        },
        "postprocessing": {"_target_": "Compose", "transforms": _postprocessing(model.plan.labels)},
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "amp": False,
        },
        "run": ["$@evaluator.run()"],
    }


def _postprocessing(labels: LabelScheme) -> list[dict[str, Any]]:
    decide = "$lambda x: x.argmax(0, keepdim=True)"
    if labels.has_regions:
        # One region painted over the other, in their order.
        pairs = list(enumerate(labels.regions_class_order or ()))
        decide = (
            "$lambda x: functools.reduce("
            "lambda out, pair: torch.where(x[pair[0]:pair[0] + 1] > 0, float(pair[1]), out), "
            f"{pairs}, torch.zeros_like(x[:1]))"
        )
    return [
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "image",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {"_target_": "Lambdad", "keys": "pred", "func": decide},
        {
            "_target_": "SaveImaged",
            "keys": "pred",
            "output_dir": "@output_dir",
            "output_postfix": "",
            "separate_folder": False,
            "resample": False,
            "output_dtype": "$np.uint8" if labels.values[-1] < 256 else "$np.uint16",
        },
    ]


def _readme(model: ModelFolder, folder: Path) -> str:
    names = model.plan.labels
    card = folder / "MODEL_CARD.md"
    steps = folder / "postprocessing.json"
    return "\n".join(
        [
            f"# {model.plan.dataset}",
            "",
            f"Written by `medarch export --as monai` from configuration {model.configuration.name}, folds "
            f"{', '.join(model.folds)}. The plan lies in `configs/plan.json`. "
            f"Channels: {', '.join(model.plan.channels)}. "
            f"Labels: {', '.join(f'{name} {names.labels[name]}' for name in names.labels)}.",
            "",
            "    python -m monai.bundle run --config_file configs/inference.json --bundle_root . \\",
            "        --dataset_dir IMAGES --output_dir PREDICTIONS",
            "",
            "Several channels: files `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, … as in nnU-Net.",
            "",
            "MONAI samples images at slightly other places, brings logits back with splines of degree 3 and lays tiles "
            "otherwise; where one tile holds the image and nothing is resampled, the labels are medarch's. "
            "medarch's postprocessing of label maps "
            + ("is not part of the bundle." if steps.exists() else "has no steps in this model."),
            "",
            *(["", card.read_text(encoding="utf-8")] if card.exists() else []),
        ]
    )
