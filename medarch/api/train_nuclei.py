"""From a plan of nuclei to a trained, calibrated, scored fold: what ``train`` does for nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.plan_folder import PlanFolder
from medarch.api.validate_nuclei import validate_nuclei
from medarch.core.plan import Configuration

if TYPE_CHECKING:
    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.preprocessing.nuclei.nuclei_images import NucleiImages


def train_nuclei(
    home: PlanFolder,
    chosen: Configuration,
    fold: int | str,
    *,
    device: str,
    pretrained: Path | None,
    restart: bool,
    validate: bool,
) -> tuple[Path, Path, NucleiEvaluation | None]:
    """Train one fold (or go on with it), calibrate, and write the model folder for slides and images.

    Images are read at the plan's resolution and kept in memory. The model folder holds the network of the fold trained
    last, with the constants that suit its validation images best.

    Returns:
        The fold's folder, the model's, and the evaluation of the fold's validation images.
    """
    from medarch.core.files import write_bytes
    from medarch.preprocessing.nuclei.read_nuclei_images import read_nuclei_images, read_nuclei_volumes
    from medarch.reporting.draw_curves import draw_curves
    from medarch.training.train_fold import Fold, train_fold

    split = home.split(fold)
    cases = [home.dataset.case(case) for case in sorted({*split.train, *split.val})]
    images: NucleiImages
    if home.dataset.mpp is None:
        images = read_nuclei_volumes(cases, chosen.preprocessing)
    else:
        images = read_nuclei_images(cases, scale=home.dataset.mpp / (home.plan.mpp or home.dataset.mpp))
    folder = home.fold_folder(chosen.name, fold)
    used = home.plan.model_copy(update={"configurations": {chosen.name: chosen}, "default": chosen.name})
    run = Fold(folder, split.train, split.val, pretrained=pretrained)
    train_fold(used, chosen, fold=run, store=images, device=device, resume=not restart)
    draw_curves(folder / "log.csv", folder / "curves.png")
    model = home.folder / chosen.name / "model"
    evaluation = validate_nuclei(
        home, chosen, folder, {case: images[case] for case in split.val}, model=model, device=device, validate=validate
    )
    write_bytes(model / "plan.json", (used.to_json() + "\n").encode())
    return folder, model, evaluation
