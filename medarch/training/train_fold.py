"""Train one fold: from prepared cases and a plan to a fold folder with checkpoints, log and final weights."""

from __future__ import annotations

import gc
import hashlib
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import TensorBoardLogger

from medarch.core.errors import OutOfMemoryError, TrainingError
from medarch.core.files import atomic_path, remove_leftovers, write_text
from medarch.core.folder_lock import folder_lock
from medarch.core.landmarks import Landmarks
from medarch.core.memory_record import MemoryRecord
from medarch.core.pairing import Pairing
from medarch.core.parallel import cpu_count
from medarch.core.plan import Configuration, Plan
from medarch.core.record import Record
from medarch.networks.levers.is_out_of_memory import is_out_of_memory
from medarch.networks.levers.lever import LEVERS
from medarch.networks.levers.next_lever import next_lever
from medarch.networks.levers.pull import pull
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.nuclei.nuclei_images import NucleiImages
from medarch.preprocessing.previous_labels import PreviousLabels
from medarch.tasks.create_task import create_task
from medarch.tasks.nuclei.nuclei import Nuclei
from medarch.tasks.task import Task
from medarch.training.case_source import CaseSource
from medarch.training.epoch_record import EpochRecord
from medarch.training.memory_guard import MemoryGuard, MemoryPassed
from medarch.training.nuclei.nuclei_source import NucleiSource
from medarch.training.pair_source import PairSource
from medarch.training.patch_source import PatchSource
from medarch.training.progress_bar import ProgressBar
from medarch.training.read_weights import read_weights, weights_file
from medarch.training.training_module import TrainingModule

LIGHTNING_PRECISION = {"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
WEIGHTS = "weights.safetensors"
MEMORY = "memory.json"
SUMMARY = "training.json"
PLAN_HASH, DATA_HASH = "plan.sha256", "data.sha256"
ExpectedBytes = Callable[[Configuration], int]
log = logging.getLogger(__name__)


class TrainingSummary(Record):
    """What a finished fold says about itself (``training.json``)."""

    plan_sha256: str
    data_sha256: str = ""
    """Of the cases' files and landmarks; empty in folders of earlier versions, and of nuclei."""
    configuration: str
    epochs: int
    iterations: int
    seconds: float
    best_epoch: int
    final_score: float | None
    peak_memory_bytes: int | None
    predicted_memory_bytes: int | None = None
    device: str


@dataclass(frozen=True)
class Fold:
    """Where and on what to train."""

    folder: Path
    train: Sequence[str]
    val: Sequence[str]
    previous: PreviousLabels | None = None
    """In a cascade, what the first stage said of these cases."""
    targets: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """What is to be learnt of each case, where that does not lie in its label map."""
    pretrained: Path | None = None
    """Weights to start from: a file, or a model folder."""
    pairs: Mapping[str, Pairing] = field(default_factory=dict)
    """Of a registration: which pairs to train and to validate on, under ``train`` and ``val``."""
    landmarks: Mapping[str, Landmarks] = field(default_factory=dict)
    """Of a registration that learns from them: the landmarks of cases that have some."""


def train_fold(
    plan: Plan,
    configuration: Configuration,
    *,
    fold: Fold,
    store: CaseStore | NucleiImages,
    device: str,
    resume: bool = True,
    expected_bytes: ExpectedBytes | None = None,
) -> TrainingSummary:
    """Train, or go on where a killed run stood, or return at once when the fold is finished.

    Args:
        plan: for the task.
        configuration: of the plan.
        fold: where and on what.
        store: the prepared cases; of nuclei the images.
        device: ``cpu``, ``cuda`` or ``mps``.
        resume: False: start anew.
        expected_bytes: what a step of a configuration is to take of the allocator. A run that takes more in its first
            steps, or runs out of memory at any time, goes on with the next lever pulled; ``memory.json`` says so.
            None: it ends.

    Raises:
        TrainingError: the folder belongs to another plan, images, labels or landmarks have changed, or the loss broke.
        OutOfMemoryError: the device is too small for the plan.
    """
    with folder_lock(fold.folder):
        for folder in (fold.folder, fold.folder / "checkpoints"):
            remove_leftovers(folder)
        if not resume:
            _forget(fold.folder)
        summary_file = fold.folder / SUMMARY
        if summary_file.exists():
            summary = TrainingSummary.load(summary_file)
            _check_same_plan(summary.plan_sha256, _marker(plan, fold), fold.folder)
            _check_same_data(summary.data_sha256, _data_marker(store, fold), fold.folder)
            return summary
        return _with_levers(plan, configuration, fold=fold, store=store, device=device, expected_bytes=expected_bytes)


def _with_levers(
    plan: Plan,
    configuration: Configuration,
    *,
    fold: Fold,
    store: CaseStore | NucleiImages,
    device: str,
    expected_bytes: ExpectedBytes | None,
) -> TrainingSummary:
    """Train; where memory does not suffice, pull a lever and go on."""
    written = fold.folder / MEMORY
    pulled: tuple[str, ...] = MemoryRecord.load(written).levers if written.exists() else ()
    while True:
        now = pull(configuration, pulled)
        lever = next_lever(now, device=device) if expected_bytes else None
        limit = expected_bytes(now) if expected_bytes else None
        guard = MemoryGuard(device, limit_bytes=limit, may_stop=lever is not None)
        try:
            return _train(plan, now, fold=fold, store=store, device=device, guard=guard, levers=pulled)
        except (MemoryPassed, MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryPassed) and not is_out_of_memory(error):
                raise
            if lever is None:
                raise _out_of_memory(now, device) from error
        log.warning("%s takes more memory than was predicted: going on with the lever %s", now.name, lever)
        pulled = (*pulled, lever)
        guard.record(pulled).save(written)
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _train(
    plan: Plan,
    configuration: Configuration,
    *,
    fold: Fold,
    store: CaseStore | NucleiImages,
    device: str,
    guard: MemoryGuard,
    levers: tuple[str, ...],
) -> TrainingSummary:
    marker, data = _marker(plan, fold), _data_marker(store, fold)
    training = configuration.training
    _quiet()
    seed_everything(training.seed, verbose=False)
    task = create_task(plan, configuration)
    sources = {
        name: _source(task, store, cases, fold=fold, augment=name == "train")
        for name, cases in (("train", fold.train), ("validation", fold.val))
    }
    workers = 0 if device == "cpu" else min(12, max(1, cpu_count() - 1))
    record = EpochRecord(fold.folder)
    weights = read_weights(fold.pretrained) if fold.pretrained and not record.last.exists() else None
    module = TrainingModule(task, **sources, loader_workers=workers, pretrained=weights)
    trainer = _trainer(configuration, fold.folder, callbacks=[record, guard, ProgressBar()], device=device)
    checkpoint = record.last if record.last.exists() else None
    if checkpoint is not None:
        _check_same_plan((fold.folder / PLAN_HASH).read_text().strip(), marker, fold.folder)
        written = fold.folder / DATA_HASH
        _check_same_data(written.read_text().strip() if written.exists() else "", data, fold.folder)
    else:
        write_text(fold.folder / DATA_HASH, data + "\n")
        write_text(fold.folder / PLAN_HASH, marker + "\n")
    trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    _save_weights(module, fold.folder / WEIGHTS)
    used = guard.record(levers)
    used.save(fold.folder / MEMORY)
    summary = TrainingSummary(
        plan_sha256=marker,
        data_sha256=data,
        configuration=configuration.name,
        epochs=trainer.current_epoch,
        iterations=trainer.global_step,
        seconds=round(module.schedule.seconds, 2),
        best_epoch=record.best_epoch,
        final_score=module.scores.get("mean"),
        peak_memory_bytes=used.measured_bytes,
        predicted_memory_bytes=used.predicted_bytes,
        device=torch.cuda.get_device_name() if device == "cuda" else device,
    )
    summary.save(fold.folder / SUMMARY)
    return summary


def _source(
    task: Task, store: CaseStore | NucleiImages, cases: Sequence[str], *, fold: Fold, augment: bool
) -> PatchSource | CaseSource | PairSource | NucleiSource:
    configuration = task.configuration
    if isinstance(task, Nuclei) and not isinstance(store, CaseStore):
        return NucleiSource(store, cases, task=task, configuration=configuration, augment=augment)
    if not isinstance(store, CaseStore):
        raise TypeError(f"a {task.name} is trained on prepared cases")
    if task.paired:
        labelled = bool(task.plan.labels.foreground_values)
        pairing = fold.pairs["train" if augment else "val"]
        return PairSource(
            store,
            pairing,
            configuration=configuration,
            labelled=labelled,
            augment=augment,
            landmarks=fold.landmarks,
        )
    if task.per_case:
        return CaseSource(store, cases, targets=fold.targets, configuration=configuration, augment=augment)
    return PatchSource(store, cases, task=task, configuration=configuration, augment=augment, previous=fold.previous)


def _marker(plan: Plan, fold: Fold) -> str:
    """What must be equal for a run to be gone on with: plan, weights it started from, a cascade's first models."""
    own = plan.model_copy(update={"reasons": (), "device": None}).sha256()
    if fold.pretrained is not None:
        with weights_file(fold.pretrained).open("rb") as stream:
            own = hashlib.sha256((own + hashlib.file_digest(stream, "sha256").hexdigest()).encode()).hexdigest()
    if fold.previous is None:
        return own
    made_by = [(case, (fold.previous.origin(case) or ("", ""))[0]) for case in sorted({*fold.train, *fold.val})]
    return hashlib.sha256((own + repr(made_by)).encode()).hexdigest()


def _data_marker(store: CaseStore | NucleiImages, fold: Fold) -> str:
    """What must be equal as well: bytes of the cases' images and label maps, classes, pairs and landmarks."""
    if not isinstance(store, CaseStore):
        return ""
    digest = hashlib.sha256()
    paired = {
        case for pairing in fold.pairs.values() for pair in pairing.listed or () for case in (pair.fixed, pair.moving)
    }
    for case in sorted({*fold.train, *fold.val, *paired}):
        digest.update(repr((case, store.record(case).source_sha256, tuple(fold.targets.get(case, ())))).encode())
        if case in fold.landmarks:
            digest.update(fold.landmarks[case].sha256().encode())
    for side, pairing in sorted(fold.pairs.items()):
        digest.update(repr((side, [(pair.fixed, pair.moving) for pair in pairing.listed or ()])).encode())
    return digest.hexdigest()


def _forget(folder: Path) -> None:
    """Remove what a later start would go on from; the finished mark first, in case this is killed half-way."""
    for name in (SUMMARY, MEMORY, "checkpoints/last.ckpt", "checkpoints/best.ckpt", "log.csv"):
        (folder / name).unlink(missing_ok=True)


def _trainer(configuration: Configuration, folder: Path, *, callbacks: list[Callback], device: str) -> Trainer:
    training = configuration.training
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device, device),
        devices=1,
        precision=LIGHTNING_PRECISION[training.precision],  # type: ignore[arg-type]
        max_epochs=training.epochs,
        accumulate_grad_batches=training.accumulate,
        gradient_clip_val=training.gradient_clip,
        num_sanity_val_steps=0,
        limit_val_batches=training.validation_iterations,
        reload_dataloaders_every_n_epochs=1,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10**9,
        default_root_dir=folder,
    )


def _save_weights(module: TrainingModule, target: Path) -> None:
    from safetensors.torch import save_file

    if module.average is not None:
        with module.average.applied():
            state = {name: value.detach().cpu().clone() for name, value in module.network.state_dict().items()}
    else:
        state = {name: value.detach().cpu().contiguous() for name, value in module.network.state_dict().items()}
    with atomic_path(target) as temporary:
        save_file(state, temporary)


def _check_same_plan(stored: str, current: str, folder: Path) -> None:
    if stored != current:
        raise TrainingError(
            f"{folder} was trained with another plan, from other weights, or in a cascade after another first stage",
            expected=f"plan hash {stored[:12]}",
            found=current[:12],
            fix="train under another plan name, or with --restart to begin anew",
        )


def _check_same_data(stored: str, current: str, folder: Path) -> None:
    if stored and stored != current:
        raise TrainingError(
            f"{folder} was trained with other images, labels or landmarks: files of its cases have changed since",
            expected=f"data hash {stored[:12]}",
            found=current[:12],
            fix="put the files back, or train with --restart to begin anew",
        )


def _out_of_memory(configuration: Configuration, device: str) -> OutOfMemoryError:
    patch = "×".join(map(str, configuration.patch_voxels))
    return OutOfMemoryError(
        f"the {device} device ran out of memory while training {configuration.name}",
        expected=f"room for batch {configuration.batch_size} of {patch} voxels",
        found="an allocation failed",
        fix=f"{_lever_to_pull(configuration, device)} in plan.json; or plan again with a smaller --memory",
    )


def _lever_to_pull(configuration: Configuration, device: str) -> str:
    """What is left to do, the mildest first."""
    training = configuration.training
    if training.precision == "float32" and device == "cuda":
        return "set training.precision to bf16"
    lever = next_lever(configuration, device=device)
    if lever is None:
        return "lower patch_voxels"
    if lever == "accumulate":
        return f"halve batch_size and set training.accumulate to {2 * training.accumulate}"
    return " and ".join(f"set training.{name} to {value}" for name, value in LEVERS[lever].training.items())


def _quiet() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
