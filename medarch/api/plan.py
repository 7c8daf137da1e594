"""From a dataset to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.api.progress import Progress
from medarch.core.dataset import TaskName
from medarch.core.errors import UsageError
from medarch.core.plan import Plan
from medarch.core.workspace import Workspace

NNUNET = ("nnunet", "resenc-m", "resenc-l", "resenc-xl")
PRESETS = ("auto", *NNUNET)


def plan(
    source: Path,
    workspace: Path,
    *,
    preset: str = "auto",
    task: TaskName | None = None,
    name: str | None = None,
    device: str = "auto",
    memory_gb: float | None = None,
    time_budget_s: float | None = None,
    target_spacing_mm: tuple[float, float, float] | None = None,
    changes: Sequence[Path] = (),
    waive: Sequence[str] = (),
    workers: int | None = None,
    dry_run: bool = False,
    as_format: str | None = None,
    nnunet_id: int = 999,
    progress: Progress | None = None,
) -> Plan:
    """Read a dataset, take its fingerprint and decide everything; write the plan unless ``dry_run``.

    Args:
        source: dataset folder (nnU-Net or MSD layout) or manifest file.
        workspace: where runs lie; the plan goes to ``workspace/DATASET/NAME/plan.json``.
        preset: ``auto``, or one of nnU-Net's planners.
        task: what to plan for, where the dataset can serve several: ``registration`` of the images of a segmentation
            dataset; default what the dataset says.
        name: of the plan; default the preset.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps`` (``auto`` preset).
        memory_gb: what training may use; default what the device has free, or the preset's own budget.
        time_budget_s: training time to fit the schedule to (``auto`` preset).
        target_spacing_mm: along file axes i, j, k; default from the data.
        changes: YAML files with what shall differ; see :func:`medarch.planning.apply_changes.apply_changes`.
        waive: check codes to accept.
        workers: processes.
        dry_run: write no plan (the fingerprint is cached all the same).
        as_format: ``nnunet`` to write nnU-Net's plans, fingerprint, splits and dataset.json, too, into the folder
            ``nnunet`` beside plan.json; a plan that it cannot express is refused, and nothing is written.
        nnunet_id: number of the dataset for nnU-Net, if it is not named ``DatasetXXX_NAME``.
        progress: called with cases done and all.
    """
    from medarch.io.read_dataset import read_dataset
    from medarch.planning.apply_changes import apply_changes
    from medarch.planning.asked_network import asked_network
    from medarch.planning.check_changes import check_changes
    from medarch.planning.choose_network import choose_network
    from medarch.planning.extract_fingerprint import extract_fingerprint
    from medarch.planning.fit_into_memory import fit_into_memory
    from medarch.planning.make_splits import make_splits
    from medarch.planning.memory_to_plan_with import memory_to_plan_with
    from medarch.planning.plan_nnunet import plan_nnunet
    from medarch.planning.split_file import save_splits

    if preset not in PRESETS:
        raise UsageError(
            f"unknown preset {preset!r}", expected=", ".join(PRESETS), found=preset, fix="choose one of those"
        )
    if as_format not in (None, "nnunet"):
        raise UsageError(f"plans are not written as {as_format!r}", expected="nnunet", found=str(as_format))
    network = asked_network(changes)
    dataset = read_dataset(source, waive=waive, task=task)
    room = Workspace(workspace, dataset.name)
    fingerprint = extract_fingerprint(
        dataset, cache=room.folder / "fingerprint_cases", workers=workers, progress=progress
    )
    if preset in NNUNET:
        if dataset.task != "segmentation":
            raise UsageError(
                f"{preset} plans segmentations", expected="--preset auto", found=f"a {dataset.task} dataset"
            )
        made = plan_nnunet(
            fingerprint,
            dataset.name,
            dataset.channels,
            dataset.labels,
            preset=preset,  # type: ignore[arg-type]
            memory_gb=memory_gb,
            target_spacing_mm=target_spacing_mm,
        )
        made = choose_network(made, network)
    else:
        from medarch.planning.plan_auto import plan_for_device

        made = plan_for_device(
            fingerprint, dataset, device=device, memory_gb=memory_gb, time_budget_s=time_budget_s,
            target_spacing_mm=target_spacing_mm, network=network,
        )  # fmt: skip
    searched = made
    for path in changes:
        made = apply_changes(made, path)
    made = check_changes(searched, made)
    if made.preset == "auto" and made.device is not None:
        made = fit_into_memory(searched, made, memory_to_plan_with(made.device, memory_gb))
    made = made.model_copy(update={"name": name or made.name})
    if not dry_run:
        splits = make_splits(dataset)
        if as_format == "nnunet":
            from medarch.interop.export_plan_folder import export_plan_folder

            target = room.plan_folder(made.name) / "nnunet"
            export_plan_folder(made, dataset, fingerprint, splits, target, number=nnunet_id)
        dataset.save(room.dataset_file)
        fingerprint.save(room.fingerprint_file)
        save_splits(splits, room.splits_file)
        made.save(room.plan_file(made.name))
    return made
