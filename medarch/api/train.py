"""From a plan to a trained, scored fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.environment import environment
from medarch.api.plan import NNUNET
from medarch.api.plan_folder import PlanFolder
from medarch.api.preprocess import preprocess
from medarch.api.progress import Progress
from medarch.api.train_nuclei import train_nuclei
from medarch.api.validate_fold import previous_stage_maps, validate_fold
from medarch.core.dataset import Split
from medarch.core.pairing import Pairing
from medarch.core.plan import Configuration, Plan

if TYPE_CHECKING:
    from medarch.core.landmarks import Landmarks
    from medarch.core.load_evaluation import AnyEvaluation
    from medarch.preprocessing.case_store import CaseStore
    from medarch.preprocessing.prepare_previous_labels import FinishedLabelMap
    from medarch.preprocessing.previous_labels import PreviousLabels


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind."""

    folder: Path
    model: Path
    evaluation: AnyEvaluation | None


def train(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    fold: int | str = 0,
    device: str = "auto",
    epochs: int | None = None,
    time_budget_s: float | None = None,
    seed: int | None = None,
    pretrained: Path | None = None,
    restart: bool = False,
    validate: bool = True,
    probabilities: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Prepare, train one fold (or go on with it), write the model, predict and score the fold's validation cases.

    The second stage of a cascade trains on what the first stage's cross-validation said of each case, and validates
    with it.

    Args:
        plan_folder: ``WORKSPACE/DATASET/PLAN``.
        configuration: default the plan's.
        fold: 0 to 4, or ``all``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        epochs: in place of the plan's.
        time_budget_s: in place of the plan's.
        seed: in place of the plan's.
        pretrained: weights to start from: a file of torchvision, timm or medarch (2D ones become 3D), or a medarch
            model folder. ``training.frozen_stages`` and ``training.layer_decay`` of the plan say how fast which part
            of the network then learns.
        restart: forget an earlier run of this fold.
        validate: predict and evaluate the validation cases at the end.
        probabilities: keep the class probabilities of the validation cases (``medarch select`` uses them).
        workers: processes for preparing and evaluating.
        progress: of preparing.

    Raises:
        TrainingError: a cascade's first stage has not been cross-validated, or the folder belongs to another plan.
        ModelError: the weights of ``pretrained`` cannot be read, or are not those of the plan's network.
    """
    from medarch.planning.detect_device import detect_device
    from medarch.training.train_fold import Fold, train_fold

    home = PlanFolder.load(plan_folder)
    chosen = _with_overrides(home.plan.configuration(configuration), epochs, time_budget_s, seed)
    if home.plan.task == "nuclei":
        return TrainingResult(
            *train_nuclei(
                home,
                chosen,
                fold,
                device=detect_device(device).kind,
                pretrained=pretrained,
                restart=restart,
                validate=validate,
            )
        )
    split = home.split(fold)
    store = preprocess(
        home.folder,
        configuration=chosen.name,
        cases=sorted({*split.train, *split.val, *((home.dataset.atlas,) if home.dataset.atlas else ())}),
        workers=workers,
        progress=progress,
    )
    kind = detect_device(device).kind
    if kind == "cuda" and home.plan.preset in NNUNET and chosen.training.precision == "float32":
        # nnU-Net's own rule: mixed precision on CUDA, float32 elsewhere. Its plans do not name the device.
        chosen = chosen.model_copy(update={"training": chosen.training.model_copy(update={"precision": "fp16"})})
    folder = home.fold_folder(chosen.name, fold)
    used = home.plan.model_copy(update={"configurations": {chosen.name: chosen}, "default": chosen.name})
    maps = previous_stage_maps(home, chosen, fold)
    previous = _prepare_previous(home, chosen, maps, store, workers) if maps else None
    run = Fold(
        folder,
        split.train,
        split.val,
        previous,
        _targets(home),
        pretrained,
        _pairs(home, split),
        _landmarks(home, chosen, split),
    )
    expected = _expected_bytes(used, kind)
    train_fold(used, chosen, fold=run, store=store, device=kind, resume=not restart, expected_bytes=expected)
    from medarch.reporting.draw_curves import draw_curves

    draw_curves(folder / "log.csv", folder / "curves.png")
    model = _write_model(home, used, chosen, fold)
    evaluation = None
    if validate:
        evaluation = validate_fold(
            home, chosen, fold, store=store, maps=maps, device=kind, probabilities=probabilities, workers=workers
        )
        _write_card(home, used, chosen, model)
    return TrainingResult(folder, model, evaluation)


def _with_overrides(
    chosen: Configuration, epochs: int | None, time_budget_s: float | None, seed: int | None
) -> Configuration:
    given = {"epochs": epochs, "time_budget_s": time_budget_s, "seed": seed}
    changes = {key: value for key, value in given.items() if value is not None}
    return chosen.model_copy(update={"training": chosen.training.model_copy(update=changes)}) if changes else chosen


def _expected_bytes(used: Plan, device: str) -> Callable[[Configuration], int]:
    """What a step of a configuration is to take of the allocator."""
    from medarch.planning.memory.predict_memory import predict_memory

    def predict(configuration: Configuration) -> int:
        found = predict_memory(used, configuration, device=device)
        return found.tensor_bytes + found.slack_bytes

    return predict


def _targets(home: PlanFolder) -> dict[str, tuple[int, ...]]:
    """What is to be learnt of each case where cases have classes instead of label maps."""
    scheme = home.plan.classes
    if scheme is None:
        return {}
    return {case.id: scheme.indicator(case.classes or ()) for case in home.dataset.cases}


def _pairs(home: PlanFolder, split: Split) -> dict[str, Pairing]:
    """Of a registration, the pairs of both sides."""
    if home.plan.task != "registration":
        return {}
    return {"train": Pairing(home.dataset, split.train), "val": Pairing(home.dataset, split.val)}


def _landmarks(home: PlanFolder, chosen: Configuration, split: Split) -> dict[str, Landmarks]:
    """Of a registration that learns from them."""
    from medarch.io.read_geometry import read_geometry
    from medarch.io.transforms.read_landmarks import read_landmarks

    if chosen.registration is None or not chosen.registration.landmark_weight:
        return {}
    cases = [home.dataset.case(case) for case in {*split.train, *split.val, home.dataset.atlas} if case is not None]
    return {
        case.id: read_landmarks(case.landmarks, grid=read_geometry(case.images[0])[0])
        for case in cases
        if case.landmarks is not None
    }


def _prepare_previous(
    home: PlanFolder,
    chosen: Configuration,
    maps: dict[str, FinishedLabelMap],
    store: CaseStore,
    workers: int | None,
) -> PreviousLabels:
    from medarch.preprocessing.prepare_previous_labels import prepare_previous_labels

    folder = home.folder / chosen.name / "previous_labels"
    recipe, labels = chosen.preprocessing, home.plan.labels
    return prepare_previous_labels(maps, store, folder, recipe=recipe, labels=labels, workers=workers)


def _write_model(home: PlanFolder, used: Plan, chosen: Configuration, fold: int | str) -> Path:
    from medarch.core.files import write_bytes
    from medarch.inference.load_model import PREVIOUS_STAGE
    from medarch.inference.model_folder import ModelInfo, weights_name
    from medarch.training.train_fold import WEIGHTS

    model = home.folder / chosen.name / "model"
    write_bytes(model / weights_name(fold), (home.fold_folder(chosen.name, fold) / WEIGHTS).read_bytes())
    used.save(model / "plan.json")
    # Without paths: a model folder leaves the house, file names of patients do not.
    home.dataset.model_copy(update={"cases": (), "test_cases": (), "splits": None, "root": Path()}).save(
        model / "dataset.json"
    )
    if chosen.previous_stage is not None:
        _copy_model(home.folder / chosen.previous_stage / "model", model / PREVIOUS_STAGE)
    folds = sorted(path.stem.removeprefix("weights_fold_") for path in model.glob("weights_fold_*.safetensors"))
    ModelInfo(configuration=chosen.name, folds=tuple(folds)).save(model / "model.json")
    return model


def _copy_model(source: Path, target: Path) -> None:
    """Copy a model folder's files, each whole, and remove what the source no longer has."""
    from medarch.core.files import write_bytes

    for path in source.iterdir():
        if path.is_file() and not path.name.startswith("."):
            write_bytes(target / path.name, path.read_bytes())
    for path in target.iterdir():
        if path.is_file() and not (source / path.name).exists():
            path.unlink()


def _write_card(home: PlanFolder, used: Plan, chosen: Configuration, model: Path) -> None:
    from medarch.core.load_evaluation import load_evaluation
    from medarch.reporting.write_model_card import write_model_card

    scores = {
        path.parent.parent.name: load_evaluation(path)
        for path in sorted((home.folder / chosen.name).glob("fold_*/validation/evaluation.json"))
    }
    write_model_card(
        model, plan=used, configuration=chosen, dataset=home.dataset, scores=scores, software=environment()
    )
