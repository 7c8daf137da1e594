"""A phantom study: eight cases with a box that the prediction misses more and more, and the records of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from medarch.core.evaluation import Evaluation, Interval, Measurement, Summary
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics
from medarch.core.labels import LabelScheme
from medarch.core.plan import ChannelNormalisation, Configuration, NetworkPlan, Plan, PreprocessingPlan, Reason

SHAPE = (40, 36, 10)
SPACING = (1.0, 1.0, 4.0)
LOG = """epoch,iteration,train_loss,validation_loss,validation_score,smoothed_score,learning_rate,seconds
0,10,0.5,,,,0.01,3.5
1,20,0.1,0.2,0.4,0.4,0.008,3.1
2,30,-0.2,,,,0.005,3.2
3,40,-0.5,-0.4,0.7,0.55,0.002,3.0
"""


@dataclass(frozen=True)
class Study:
    """Everything a report can be given."""

    plan: Plan
    fingerprint: Fingerprint
    evaluation: Evaluation
    images: dict[str, Path]
    references: dict[str, Path]
    predictions: dict[str, Path]
    training_log: Path

    def everything(self) -> dict[str, Any]:
        """The arguments of ``write_report``."""
        return {**vars(self), "environment": {"medarch": "0.1.0"}}


def make_plan(*, dataset: str = "Phantom", labels: dict[str, int] | None = None, because: str = "it fits") -> Plan:
    configuration = Configuration(
        name="3d_fullres",
        patch_voxels=(8, 32, 32),
        batch_size=2,
        batch_dice=False,
        median_shape=(10, 36, 40),
        preprocessing=PreprocessingPlan(
            orientation=None,
            axes=(2, 1, 0),
            spacing_mm=(4.0, 1.0, 1.0),
            normalisation=(ChannelNormalisation(scheme="zscore"),),
        ),
        network=NetworkPlan(architecture="plain_unet", dim=3, in_channels=1, heads=2, features=(16, 32)),
    )
    return Plan(
        name="auto",
        preset="auto",
        dataset=dataset,
        channels=("MRI",),
        labels=LabelScheme(labels=labels or {"background": 0, "box": 1}),
        fingerprint_sha256="0",
        configurations={"3d_fullres": configuration},
        default="3d_fullres",
        reasons=(Reason(decision="patch size", value="8 × 32 × 32", because=because),),
    )


def make_evaluation(scores: dict[str, float | None], *, label: str = "box", dataset: str = "Phantom") -> Evaluation:
    rows = tuple(
        Measurement(
            case=case,
            label=label,
            status="missed" if dsc == 0 else "empty_both" if dsc is None else "ok",
            values={"dsc": dsc},
            reference_ml=1.0,
            prediction_ml=1.0,
        )
        for case, dsc in scores.items()
    )
    known = [dsc for dsc in scores.values() if dsc is not None]
    interval = Interval(mean=float(np.mean(known)), low=0.111, high=0.999, used=len(known), total=len(scores))
    return Evaluation(
        dataset=dataset,
        predictions="predictions",
        references="references",
        empty_policy="medarch",
        nsd_tolerance_mm=1.0,
        surface_method="medarch",
        confidence=0.95,
        bootstrap_samples=100,
        rows=rows,
        summaries=tuple(
            Summary(label=name, measures={"dsc": interval}, statuses={"ok": len(known)})
            for name in (label, "foreground")
        ),
    )


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """Makes a plan."""
    return make_plan


@pytest.fixture(scope="session")
def evaluation_of() -> Callable[..., Evaluation]:
    """Makes an evaluation from case scores."""
    return make_evaluation


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Eight cases on disk; case ``c`` is shifted by ``c`` voxels, so ``case_7`` is the worst."""
    folder = tmp_path_factory.mktemp("study")
    affine = np.diag((*SPACING, 1.0))
    reference = np.zeros(SHAPE, np.uint8)
    reference[10:20, 8:28, 3:7] = 1
    paths: dict[str, dict[str, Path]] = {"image": {}, "reference": {}, "prediction": {}}
    rng = np.random.default_rng(0)
    for shift in (3, 0, 7, 1, 5, 2, 6, 4):
        arrays = {
            "image": rng.normal(100, 10, SHAPE).astype(np.float32) + 50 * reference,
            "reference": reference,
            "prediction": np.roll(reference, shift, axis=0),
        }
        for kind, array in arrays.items():
            path = folder / f"{kind}_{shift}.nii.gz"
            nib.save(nib.Nifti1Image(array, affine), path)
            paths[kind][f"case_{shift}"] = path
    log = folder / "log.csv"
    log.write_text(LOG)
    statistics = IntensityStatistics(mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2)
    case = CaseFingerprint(
        id="case_0",
        shape=SHAPE,
        shape_after_crop=SHAPE,
        spacing_mm=SPACING,
        axcodes="RAS",
        label_voxels={1: 800},
        content_sha256="0",
    )
    fingerprint = Fingerprint(
        dataset="Phantom",
        dataset_sha256="0",
        cases=(case,),
        intensities=(statistics,),
        median_relative_size_after_crop=1.0,
        num_training=1,
    )
    scores: dict[str, float | None] = {
        case: 1 - int(case[-1]) / 10 for case in paths["image"]
    }  # Dice of the shifted box
    return Study(
        plan=make_plan(),
        fingerprint=fingerprint,
        evaluation=make_evaluation(scores),
        images=paths["image"],
        references=paths["reference"],
        predictions=paths["prediction"],
        training_log=log,
    )
