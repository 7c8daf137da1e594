"""The verbs as functions: the wiring between the rooms, one screen a verb. The command line calls nothing else."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.dataset import Dataset, Split
from medarch.core.errors import PlanError, UsageError
from medarch.core.plan import Configuration, Plan
from medarch.core.workspace import Workspace

if TYPE_CHECKING:
    from medarch.core.check import CheckReport
    from medarch.core.evaluation import EmptyPolicy, Evaluation
    from medarch.core.fingerprint import Fingerprint
    from medarch.core.prediction import Prediction
    from medarch.preprocessing.case_store import CaseStore

Progress = Callable[[int, int], None]
NNUNET = ("nnunet", "resenc-m", "resenc-l", "resenc-xl")
PRESETS = ("auto", *NNUNET)


def check(
    source: Path, *, waive: Sequence[str] = (), workers: int | None = None, progress: Progress | None = None
) -> CheckReport:
    """List every problem of a dataset at once."""
    from medarch.io.check_dataset import check_dataset

    return check_dataset(source, waive=waive, workers=workers, progress=progress)


def plan(
    source: Path,
    workspace: Path,
    *,
    preset: str = "auto",
    name: str | None = None,
    device: str = "auto",
    memory_gb: float | None = None,
    time_budget_s: float | None = None,
    target_spacing_mm: tuple[float, float, float] | None = None,
    changes: Sequence[Path] = (),
    waive: Sequence[str] = (),
    workers: int | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Read a dataset, take its fingerprint and decide everything; write the plan unless ``dry_run``.

    Args:
        source: dataset folder (nnU-Net or MSD layout) or manifest file.
        workspace: where runs lie; the plan goes to ``workspace/DATASET/NAME/plan.json``.
        preset: ``auto``, or one of nnU-Net's planners.
        name: of the plan; default the preset.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps`` (``auto`` preset).
        memory_gb: what training may use; default what the device has free, or the preset's own budget.
        time_budget_s: training time to fit the schedule to (``auto`` preset).
        target_spacing_mm: along file axes i, j, k; default from the data.
        changes: YAML files with what shall differ; see :func:`medarch.planning.apply_changes.apply_changes`.
        waive: check codes to accept.
        workers: processes.
        dry_run: write no plan (the fingerprint is cached all the same).
        progress: called with cases done and all.
    """
    from medarch.io.read_dataset import read_dataset
    from medarch.planning.apply_changes import apply_changes
    from medarch.planning.extract_fingerprint import extract_fingerprint
    from medarch.planning.make_splits import make_splits
    from medarch.planning.plan_nnunet import plan_nnunet
    from medarch.planning.split_file import save_splits

    if preset not in PRESETS:
        raise UsageError(
            f"unknown preset {preset!r}", expected=", ".join(PRESETS), found=preset, fix="choose one of those"
        )
    dataset = read_dataset(source, waive=waive)
    room = Workspace(workspace, dataset.name)
    fingerprint = extract_fingerprint(
        dataset, cache=room.folder / "fingerprint_cases", workers=workers, progress=progress
    )
    if preset in NNUNET:
        made = plan_nnunet(
            fingerprint,
            dataset.name,
            dataset.channels,
            dataset.labels,
            preset=preset,  # type: ignore[arg-type]
            memory_gb=memory_gb,
            target_spacing_mm=target_spacing_mm,
        )
    else:
        from medarch.planning.plan_auto import plan_for_device

        made = plan_for_device(
            fingerprint, dataset, device=device, memory_gb=memory_gb, time_budget_s=time_budget_s,
            target_spacing_mm=target_spacing_mm,
        )  # fmt: skip
    for path in changes:
        made = apply_changes(made, path)
    made = made.model_copy(update={"name": name or made.name})
    if not dry_run:
        dataset.save(room.dataset_file)
        fingerprint.save(room.fingerprint_file)
        save_splits(make_splits(dataset), room.splits_file)
        made.save(room.plan_file(made.name))
    return made


@dataclass(frozen=True)
class PlanFolder:
    """A plan on disk with the records beside it."""

    folder: Path
    plan: Plan
    dataset: Dataset
    room: Workspace

    @classmethod
    def load(cls, folder: Path) -> PlanFolder:
        """Read ``folder/plan.json`` and the dataset beside it."""
        folder = folder.parent if folder.name == "plan.json" else folder
        loaded = Plan.load(folder / "plan.json")
        dataset = Dataset.load(folder.parent / "dataset.json")
        return cls(folder, loaded, dataset, Workspace(folder.parent.parent, folder.parent.name))

    def fold_folder(self, configuration: str, fold: int | str) -> Path:
        """Where one training run lies."""
        return self.room.fold_folder(self.folder.name, configuration, fold)

    def fingerprint(self) -> Fingerprint:
        """The fingerprint the plan was made from."""
        from medarch.core.fingerprint import Fingerprint

        return Fingerprint.load(self.room.fingerprint_file)

    def split(self, fold: int | str) -> Split:
        """Cases of a fold; ``all`` trains and validates on everything."""
        from medarch.planning.split_file import load_splits

        if fold == "all":
            everything = tuple(case.id for case in self.dataset.cases)
            return Split(train=everything, val=everything)
        splits = load_splits(self.room.splits_file)
        if not str(fold).isdigit() or int(fold) >= len(splits):
            raise UsageError(
                f"no fold {fold}",
                expected=f"0 to {len(splits) - 1}, or all",
                found=str(fold),
                fix=f"choose one of those, or add folds to {self.room.splits_file}",
            )
        return splits[int(fold)]


def preprocess(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    cases: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CaseStore:
    """Prepare the cases of a plan; cases that are prepared already are not touched."""
    from medarch.preprocessing.prepare_dataset import prepare_dataset

    home = PlanFolder.load(plan_folder)
    chosen = home.plan.configuration(configuration)
    return prepare_dataset(
        home.dataset, chosen.preprocessing, home.room.prepared, cases=cases, workers=workers, progress=progress
    )


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind."""

    folder: Path
    model: Path
    evaluation: Evaluation | None


def train(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    fold: int | str = 0,
    device: str = "auto",
    epochs: int | None = None,
    time_budget_s: float | None = None,
    seed: int | None = None,
    restart: bool = False,
    validate: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Prepare, train one fold (or go on with it), write the model, predict and score the fold's validation cases.

    Args:
        plan_folder: ``WORKSPACE/DATASET/PLAN``.
        configuration: default the plan's.
        fold: 0 to 4, or ``all``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        epochs: in place of the plan's.
        time_budget_s: in place of the plan's.
        seed: in place of the plan's.
        restart: forget an earlier run of this fold.
        validate: predict and evaluate the validation cases at the end.
        workers: processes for preparing and evaluating.
        progress: of preparing.
    """
    from medarch.planning.detect_device import detect_device
    from medarch.training.train_fold import Fold, train_fold

    home = PlanFolder.load(plan_folder)
    chosen = _with_overrides(home.plan.configuration(configuration), epochs, time_budget_s, seed)
    split = home.split(fold)
    store = preprocess(
        home.folder,
        configuration=chosen.name,
        cases=sorted({*split.train, *split.val}),
        workers=workers,
        progress=progress,
    )
    kind = detect_device(device).kind
    if kind == "cuda" and home.plan.preset in NNUNET and chosen.training.precision == "float32":
        # nnU-Net's own rule: mixed precision on CUDA, float32 elsewhere. Its plans do not name the device.
        chosen = chosen.model_copy(update={"training": chosen.training.model_copy(update={"precision": "fp16"})})
    folder = home.fold_folder(chosen.name, fold)
    used = home.plan.model_copy(update={"configurations": {chosen.name: chosen}, "default": chosen.name})
    train_fold(used, chosen, fold=Fold(folder, split.train, split.val), store=store, device=kind, resume=not restart)
    from medarch.reporting.draw_curves import draw_curves

    draw_curves(folder / "log.csv", folder / "curves.png")
    model = _write_model(home, used, chosen, fold)
    evaluation = _validate(home, chosen, fold, split, device=kind, workers=workers) if validate else None
    if evaluation is not None:
        _write_card(home, used, chosen, model)
    return TrainingResult(folder, model, evaluation)


def _with_overrides(
    chosen: Configuration, epochs: int | None, time_budget_s: float | None, seed: int | None
) -> Configuration:
    if chosen.previous_stage is not None:
        raise PlanError(
            f"{chosen.name} cannot be trained yet",
            expected="a configuration without a previous stage",
            found=f"previous stage {chosen.previous_stage}",
            fix="train 3d_fullres and 3d_lowres",
        )
    given = {"epochs": epochs, "time_budget_s": time_budget_s, "seed": seed}
    changes = {key: value for key, value in given.items() if value is not None}
    return chosen.model_copy(update={"training": chosen.training.model_copy(update=changes)}) if changes else chosen


def _write_model(home: PlanFolder, used: Plan, chosen: Configuration, fold: int | str) -> Path:
    from medarch.core.files import write_bytes
    from medarch.inference.load_model import ModelInfo, weights_name
    from medarch.training.train_fold import WEIGHTS

    model = home.folder / chosen.name / "model"
    write_bytes(model / weights_name(fold), (home.fold_folder(chosen.name, fold) / WEIGHTS).read_bytes())
    used.save(model / "plan.json")
    # Without paths: a model folder leaves the house, file names of patients do not.
    home.dataset.model_copy(update={"cases": (), "test_cases": (), "splits": None, "root": Path()}).save(
        model / "dataset.json"
    )
    folds = sorted(path.stem.removeprefix("weights_fold_") for path in model.glob("weights_fold_*.safetensors"))
    ModelInfo(configuration=chosen.name, folds=tuple(folds)).save(model / "model.json")
    return model


def _validate(
    home: PlanFolder, chosen: Configuration, fold: int | str, split: Split, *, device: str, workers: int | None
) -> Evaluation:
    from medarch.evaluation.evaluate import evaluate as measure
    from medarch.inference.load_model import load_model
    from medarch.inference.predict_cases import PredictionOptions, predict_cases

    folder = home.fold_folder(chosen.name, fold) / "validation"
    model = load_model(home.folder / chosen.name / "model", folds=[str(fold)], device=device)
    cases = [home.dataset.case(case) for case in split.val]
    prediction = predict_cases(model, cases, folder, options=PredictionOptions(restart=True))
    evaluation = measure(
        {row.case: row.output for row in prediction.cases if row.output is not None},
        {case.id: case.label for case in cases if case.label is not None},
        labels=home.plan.labels,
        dataset=home.dataset.name,
        workers=workers,
    )
    _save_evaluation(evaluation, folder)
    return evaluation


def _save_evaluation(evaluation: Evaluation, folder: Path) -> None:
    from medarch.evaluation.write_tables import write_tables

    write_tables(evaluation, folder)


def _write_card(home: PlanFolder, used: Plan, chosen: Configuration, model: Path) -> None:
    from medarch.core.evaluation import Evaluation
    from medarch.reporting.write_model_card import write_model_card

    scores = {
        path.parent.parent.name: Evaluation.load(path)
        for path in sorted((home.folder / chosen.name).glob("fold_*/validation/evaluation.json"))
    }
    write_model_card(
        model, plan=used, configuration=chosen, dataset=home.dataset, scores=scores, software=environment()
    )


def find_model(path: Path) -> Path:
    """Return the model folder meant by a model, configuration or plan folder."""
    if (path / "model.json").exists():
        return path
    if (path / "model" / "model.json").exists():
        return path / "model"
    if (path / "plan.json").exists():
        return path / Plan.load(path / "plan.json").default / "model"
    return path


def predict(
    model: Path,
    source: Path,
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    mirror: bool = True,
    step: float | None = None,
    probabilities: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Predict a file, a folder or a manifest; see :func:`medarch.inference.predict_cases.predict_cases`."""
    from medarch.inference.load_model import load_model
    from medarch.inference.predict_cases import PredictionOptions, predict_cases
    from medarch.io.find_inputs import find_inputs
    from medarch.planning.detect_device import detect_device

    folder = find_model(model)
    # Inputs first: a wrong path is told before torch has loaded the weights.
    channels = len(Plan.load(folder / "plan.json").channels)
    cases = find_inputs(source, channels=channels)
    loaded = load_model(folder, folds=folds, device=detect_device(device).kind, precision=precision)
    options = PredictionOptions(mirror=mirror, step=step, probabilities=probabilities, restart=restart)
    return predict_cases(loaded, cases, output, options=options, progress=progress)


def evaluate(
    predictions: Path,
    references: Path,
    *,
    dataset: Path | None = None,
    nsd_tolerance_mm: float = 1.0,
    empty_policy: EmptyPolicy = "medarch",
    workers: int | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a folder of predictions against a folder of references; write ``evaluation.json`` and ``evaluation.csv``.

    Args:
        predictions: folder of label maps.
        references: folder of label maps of the same names.
        dataset: a dataset (or its dataset.json record, or a plan.json) that names the labels; default the plan of the
            model that made the predictions.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        empty_policy: ``medarch`` or ``nnunet``.
        workers: processes.
        output: where to write; default the predictions' folder.
        progress: called with cases done and all.
    """
    from medarch.evaluation.evaluate import evaluate as measure

    name, labels = _labels_for(predictions, dataset)
    evaluation = measure(
        predictions,
        references,
        labels=labels,
        dataset=name,
        nsd_tolerance_mm=nsd_tolerance_mm,
        empty_policy=empty_policy,
        workers=workers,
        progress=progress,
    )
    _save_evaluation(evaluation, output or predictions)
    return evaluation


def _labels_for(predictions: Path, dataset: Path | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
    if dataset is not None and dataset.name == "plan.json":
        made = Plan.load(dataset)
        return made.dataset, made.labels
    if dataset is not None:
        from medarch.io.read_dataset import read_dataset

        read = read_dataset(dataset)
        return read.name, read.labels
    record = predictions / "predictions.json"
    if not record.exists():
        raise UsageError(
            "the names of the labels are not known",
            expected="predictions made by `medarch predict`, or --dataset",
            found=f"no predictions.json in {predictions}",
            fix="give --dataset DATASET (its folder, or a plan.json)",
        )
    from medarch.core.prediction import Prediction

    made = Plan.load(Prediction.load(record).model / "plan.json")
    return made.dataset, made.labels


def report(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    fold: int | str = 0,
    predictions: Path | None = None,
    target: Path | None = None,
) -> Path:
    """Write one HTML file about a fold: curves, scores, worst and best cases, and why the plan is what it is.

    Args:
        plan_folder: ``WORKSPACE/DATASET/PLAN``.
        configuration: default the plan's.
        fold: which fold's training and validation.
        predictions: an evaluated folder of predictions to show instead of the fold's validation.
        target: default ``WORKSPACE/DATASET/report.html``.
    """
    from medarch.core.evaluation import Evaluation
    from medarch.core.prediction import Prediction
    from medarch.reporting.write_report import write_report

    home = PlanFolder.load(plan_folder)
    chosen = home.plan.configuration(configuration)
    run = home.fold_folder(chosen.name, fold)
    shown = predictions or run / "validation"
    has_scores = (shown / "evaluation.json").exists()
    evaluation = Evaluation.load(shown / "evaluation.json") if has_scores else None
    has_cases = (shown / "predictions.json").exists()
    rows = Prediction.load(shown / "predictions.json").cases if has_cases else ()
    return write_report(
        target or home.room.folder / "report.html",
        plan=home.plan,
        fingerprint=home.fingerprint(),
        configuration=chosen.name,
        training_log=run / "log.csv" if (run / "log.csv").exists() else None,
        evaluation=evaluation,
        images={row.case: row.images[0] for row in rows},
        references=_references(home, evaluation),
        predictions={row.case: row.output for row in rows if row.output is not None},
        environment=environment(),
    )


def _references(home: PlanFolder, evaluation: Evaluation | None) -> dict[str, Path]:
    known = {case.id: case.label for case in home.dataset.cases if case.label is not None}
    folder = Path(evaluation.references) if evaluation is not None else None
    if folder is not None and folder.is_dir():
        from medarch.io.suffix import split_suffix

        known |= {split_suffix(path)[0]: path for path in folder.iterdir() if path.is_file()}
    return known


def environment() -> dict[str, str]:
    """Versions and machine, for reports and model cards."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("medarch", "torch", "monai", "lightning", "numpy", "scipy", "nibabel", "SimpleITK"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


__all__ = [
    "PlanFolder",
    "TrainingResult",
    "check",
    "environment",
    "evaluate",
    "find_model",
    "plan",
    "predict",
    "preprocess",
    "report",
    "train",
]
