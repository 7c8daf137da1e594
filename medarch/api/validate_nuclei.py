"""A fold's validation images: constants calibrated on them, nuclei found and measured, the model written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.plan_folder import PlanFolder
from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration
from medarch.core.separation import Separation

if TYPE_CHECKING:
    import numpy as np

    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.evaluation.nuclei.evaluate_nuclei import Compared
    from medarch.preprocessing.nuclei.nuclei_images import NucleiImage

SMALLEST_WINDOW = 256
"""Of a finished model: small images are trained on in windows of down to 136, of whose pixels a tenth is output."""


def validate_nuclei(
    home: PlanFolder,
    chosen: Configuration,
    folder: Path,
    images: Mapping[str, NucleiImage],
    *,
    model: Path,
    device: str,
    validate: bool = True,
) -> NucleiEvaluation | None:
    """Choose the constants of separation on validation images, write the model with them, and measure.

    The scores are of the images that the constants were chosen on, so they are a little too good; a test set's are not.

    Args:
        home: the plan.
        chosen: a configuration of it.
        folder: of the trained fold.
        images: to validate on, at the plan's resolution.
        model: folder to write.
        device: ``cpu``, ``cuda`` or ``mps``.
        validate: False: write the model with the plan's constants, and measure nothing.
    """
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.evaluation.nuclei.calibrate_separation import calibrate_separation
    from medarch.evaluation.nuclei.evaluate_nuclei import evaluate_nuclei
    from medarch.evaluation.nuclei.nuclei_tables import write_nuclei_tables
    from medarch.inference.load_network import load_network
    from medarch.inference.nuclei.image_maps import image_maps
    from medarch.inference.nuclei.model_files import load_nuclei_model, save_nuclei_model
    from medarch.tasks.create_task import create_task
    from medarch.training.train_fold import WEIGHTS

    names = type_names(home.plan.labels) if chosen.network.heads > 1 else ()
    settings = NucleiSettings(
        network=chosen.network,
        window_pixels=max(chosen.patch_voxels[0], SMALLEST_WINDOW + chosen.patch_voxels[0] % 8),
        mpp=home.plan.mpp or 1.0,
        types=names,
        separation=chosen.separation or Separation(),
        source=f"medarch train {home.plan.dataset}, {folder.name}",
    )
    network = load_network(folder / WEIGHTS, create_task(home.plan, chosen))
    save_nuclei_model(model, network, settings)
    if not validate:
        return None
    loaded = load_nuclei_model(model, device=device)
    maps = {case: image_maps(loaded.network, image.image) for case, image in images.items()}
    calibrated, _ = calibrate_separation(
        [(found[0], found[1:3], images[case].instances) for case, found in maps.items()], settings.separation
    )
    settings = settings.model_copy(update={"separation": calibrated})
    save_nuclei_model(model, network, settings)
    calibrated.save(folder / "separation.json")
    evaluation = evaluate_nuclei(
        (
            _compared(case, images[case], found, settings, unknown=home.plan.labels.ignore_value)
            for case, found in maps.items()
        ),
        dataset=home.dataset.name,
        predictions=str(folder / "validation"),
        names=names,
    )
    write_nuclei_tables(evaluation, folder / "validation")
    return evaluation


def type_names(labels: LabelScheme) -> tuple[str, ...]:
    """Return the types in the order of their values."""
    return tuple(sorted(labels.foreground_names, key=labels.members))


def _compared(
    case: str, image: NucleiImage, maps: np.ndarray, settings: NucleiSettings, *, unknown: int | None
) -> Compared:
    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei, compare_nuclei, types_of
    from medarch.tasks.nuclei.classify_nuclei import classify_nuclei
    from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

    nuclei = separate_nuclei(maps[0], maps[1:3], settings.separation)
    truth, found = Nuclei(image.instances), Nuclei(nuclei)
    if settings.types and image.types is not None:
        kinds, _ = classify_nuclei(nuclei, maps[3:])
        found = Nuclei(nuclei, dict(enumerate(kinds.tolist(), start=1)))
        truth = Nuclei(image.instances, types_of(image.instances, image.types, unknown=unknown))
    return compare_nuclei(case, truth, found, types=len(settings.types))
